"""The shape of the house: who imports whom, what a module shows, how long it is, and what no file may say."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from ppl_pvae.config import PROGRAMS

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ppl_pvae"
MODULES = sorted(PACKAGE.rglob("*.py"))
YOURS = ("models", "inference", "analysis")

# Who may import whom. Commands tie nothing together themselves, run does; networks, distributions and below are leaves.
TALK = {"errors", "names"}
LEAVES = {"networks", "distributions"} | TALK
MAY_IMPORT = {
    "fit": {"run", "config", "directory", "command"} | TALK,
    "analyze": {"run", "analysis", "config", "directory", "command"} | TALK,
    "sweep": {"sweeps", "config", "directory", "command"} | TALK,
    "sweeps": {"run", "analysis", "data", "config", "directory"} | TALK,
    "command": TALK,
    "run": {"models", "inference", "analysis", "data", "config", "directory"} | LEAVES,
    "models": LEAVES,
    "inference": LEAVES,
    "analysis": LEAVES,
    "data": LEAVES,
    "directory": {"config"} | TALK,
    "config": TALK,
    "networks": {"distributions"} | TALK,
    "distributions": TALK,
    "names": {"errors"},
    "errors": set(),
    # What `import ppl_pvae` offers; all of it is looked up when first used.
    "__init__": {"run", "distributions"},
}

# Analysis that a NumPy array is enough for, and what else such a module may use.
ON_NUMPY_ALONE = ("convergence", "metrics", "record", "summary")
ON_NUMPY_ALONE += ("elasticity", "energy", "gabor", "information", "intervals", "predictive", "tuning", "uncertainty")
ON_NUMPY_ALONE += (
    "apart",
    "bounds",
    "claims",
    "collapse",
    "controls",
    "curves",
    "families",
    "findings",
    "matched",
    "evidence_difference",
    "best_evidence",
    "matching",
)
ON_NUMPY_ALONE += ("operating", "panels", "pattern", "phrases", "price", "rows", "trends", "verdicts")
WITH_NUMPY = {"numpy", "jaxtyping"}


def room_of(path: Path) -> str:
    """The room that a module stands in: `models` for ppl_pvae/models/poisson.py, `fit` for ppl_pvae/fit.py."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> set[str]:
    """The dotted names of everything a file imports, wherever in the file it does."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert all(alias.name != "*" for alias in node.names), f"{path}: star import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_imported_by(path: Path) -> set[str]:
    inside = {name.split(".")[1] for name in imports_of(path) if name.startswith("ppl_pvae.")}
    return inside - {"__version__"}


def tracked_files() -> list[Path]:
    """The files of the repository, as git knows them."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("no git repository here, so there is no list of tracked files")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    room = room_of(path)
    assert room in MAY_IMPORT, f"{room} is a new room: say here and in ARCHITECTURE.md who may import whom"
    assert rooms_imported_by(path) - {room} <= MAY_IMPORT[room]


def test_the_rooms_have_no_cycle():
    seen: set[str] = set()

    def visit(room: str, above: tuple[str, ...]) -> None:
        assert room not in above, " imports ".join((*above, room))
        if room not in seen:
            for other in MAY_IMPORT[room]:
                visit(other, (*above, room))
        seen.add(room)

    for room in MAY_IMPORT:
        visit(room, ())


@pytest.mark.parametrize("path", sorted((PACKAGE / "inference").rglob("*.py")), ids=lambda path: path.name)
def test_inference_names_no_program(path):
    texts = {node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)}
    assert not texts & set(PROGRAMS)


@pytest.mark.parametrize("path", sorted((PACKAGE / "analysis").rglob("*.py")), ids=lambda path: path.stem)
def test_analysis_needs_no_jax_and_its_metrics_nothing_but_numpy(path):
    outside = {name.split(".")[0] for name in imports_of(path)} - {"ppl_pvae"} - set(sys.stdlib_module_names)
    assert not outside & {"jax", "jaxlib", "numpyro", "optax", "equinox"}
    if path.stem in ON_NUMPY_ALONE:
        assert outside <= WITH_NUMPY


def test_matplotlib_is_imported_only_where_plots_are_made():
    for path in MODULES:
        if any(re.match(r"matplotlib|arviz_plots", name) for name in imports_of(path)):
            where = path.relative_to(PACKAGE).as_posix()
            assert where.startswith(("analysis/plots", "analysis/report")), where


def test_nothing_imports_the_folders_that_are_yours():
    for path in [path for path in tracked_files() if path.suffix == ".py"]:
        assert not {name.split(".")[0] for name in imports_of(path)} & set(YOURS), path
    assert not [path for name in YOURS for path in (ROOT / name).rglob("__init__.py")]


def test_the_package_list_is_complete():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")}
    assert set(listed) == there
    assert {path.parent for path in MODULES} == {path.parent for path in PACKAGE.rglob("__init__.py")}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_says_what_it_shows_and_stays_short(path):
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    shown = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["__all__"]
    ]
    assert len(shown) == 1, "needs one __all__, a literal list"
    assert len(text.splitlines()) <= 400
    assert ast.get_docstring(tree), "needs a docstring that says what the module is about"


def test_no_file_names_a_registry_or_a_place_on_a_machine():
    forbidden = re.compile(r"py[p]i\.|python[h]osted|index[-_]url|find[-_]links|(?<![\w.}])/(?:root|work|tmp|home)/")
    for path in tracked_files():
        if path.suffix in {".png", ".npz", ".nc"}:
            continue
        found = forbidden.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.relative_to(ROOT)} says {found[0]!r}"


def test_the_constraints_pin_plain_versions():
    for path in sorted(ROOT.glob("constraints-*.txt")):
        pins = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        assert len(pins) > 30
        assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", pin) for pin in pins)


def test_import_is_quick_and_leaves_the_name_fit_alone():
    code = (
        "import sys, ppl_pvae; "
        "assert not {'jax', 'numpyro', 'matplotlib', 'scipy'} & set(sys.modules), 'heavy import'; "
        "assert not hasattr(ppl_pvae, 'fit'); "
        "assert {'train', 'open_run', 'soft_poisson'} <= set(dir(ppl_pvae)); "
        "assert all(callable(getattr(ppl_pvae, name)) for name in ('train', 'open_run', 'soft_poisson'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
