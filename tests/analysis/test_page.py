"""Tables of the pages: where cells break, and that paper, which does not scroll, shows every column."""

import re

from ppl_pvae.analysis import page


def test_a_number_and_its_interval_come_apart_and_neither_is_broken():
    cells = re.findall(
        r"<td class=\"value\">(.*?)</td>", page.table([["134.2  [122.7, 145.6]", "100 %"]], ["value"] * 2)
    )
    assert cells == ["134.2  [122.7,\u00a0145.6]", "100\u00a0%"]
    assert "nowrap" not in re.findall(r"td\.value {.*?}", page.document("", []))[0]


def test_names_break_after_what_joins_their_parts():
    assert "models/<wbr>tied_<wbr>rates.py<" in page.table([["models/tied_rates.py"]], ["value"])
    assert "a_b &lt;c&gt;" in page.table([["a_b <c>"]], ["grey"])


def test_paper_does_not_scroll():
    printed = page.document("", []).split("@media print {")[1]
    assert ".scroll { overflow: visible; }" in printed
