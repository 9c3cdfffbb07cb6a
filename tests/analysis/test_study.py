"""What is not known of a run is told as such, in its numbers and on its page."""

from dataclasses import replace

import numpy as np

from ppl_pvae.analysis.study import study_as_json
from ppl_pvae.analysis.study_report import write_study_report
from tests.analysis.test_comparison import a_study


def test_a_bill_that_cannot_be_worked_out_has_no_share(tmp_path):
    whole = a_study("a", steps=10)
    narrow = np.full_like(whole.bill.delivered, np.nan)  # units too narrow for the quadrature
    broken = replace(whole, bill=replace(whole.bill, delivered=narrow, mismatch=narrow))
    assert study_as_json(broken)["bill"]["delivered"] is None
    write_study_report(tmp_path / "report.html", broken, {})
    assert "One by one, units deliver –;" in (tmp_path / "report.html").read_text()
