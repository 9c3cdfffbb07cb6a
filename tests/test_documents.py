"""Links and pictures of the documents lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    page
    for folder in (".", "docs", "docs/*", "analysis", "benchmarks", "inference", "models")
    for page in ROOT.glob(f"{folder}/*.md")
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
CODE_BLOCK = re.compile(r"```.*?```", re.DOTALL)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.DOTALL)


def anchors(page):
    """Headings of a page as GitHub names them."""
    headings = HEADING.findall(CODE_BLOCK.sub("", page))
    return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_documents_are_found():
    assert {"README.md", "results.md", "evidence.md"} <= {page.name for page in DOCUMENTS}


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in LINK.findall(CODE.sub("", page.read_text(encoding="utf-8"))):
        name, _, anchor = link.partition("#")
        if "://" in name:
            continue
        target = page.parent / name if name else page
        assert target.exists(), f"{link} leads nowhere"
        if anchor:
            assert anchor in anchors(target.read_text(encoding="utf-8")), f"{link}: no such heading"


def test_every_picture_is_shown():
    shown = {
        (page.parent / link).resolve() for page in DOCUMENTS for link in LINK.findall(page.read_text(encoding="utf-8"))
    }
    assert [picture for picture in (ROOT / "docs").rglob("*.png") if picture.resolve() not in shown] == []
