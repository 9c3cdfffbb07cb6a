"""The table of a sweep as a file: what goes out comes back, in its type and to the last digit."""

import dataclasses
import math

import numpy as np
import pytest

from ppl_pvae.analysis.sweeps import read_sweep, write_sweep
from ppl_pvae.analysis.sweeps.rows import SETTINGS, columns_of
from ppl_pvae.config import Settings
from ppl_pvae.errors import UserError
from tests.analysis.sweeps.planted import planted_sweep


def test_round_trip_of_every_type(tmp_path):
    rows = [
        {"cell": "007", "program": 'programs/a "b", c.py', "units": 64, "beta": 0.1, "seed": 0, "converged": True,
         "encoder_bias": False, "prior": None, "error": None, "zeros": 1 / 3, "tiny": 5e-324, "large": 1.7976e308,
         "minus": -0.0, "optimizer": "adamax", "learning_rate": 4e-3},
        {"cell": "x", "program": "poisson", "units": 64, "beta": 8.0, "seed": 1, "converged": None,
         "encoder_bias": True, "prior": "learned", "error": "ValueError: no, not\nthis; at all", "zeros": None,
         "tiny": None, "large": None, "minus": None, "optimizer": "adam", "learning_rate": 0.1 + 0.2},
    ]  # fmt: skip
    write_sweep(tmp_path / "sweep.csv", rows)
    back = read_sweep(tmp_path / "sweep.csv")
    assert back == rows
    assert [[type(row[key]) for key in rows[0]] for row in back] == [
        [type(row[key]) for key in rows[0]] for row in rows
    ]
    assert math.copysign(1, back[0]["minus"]) == -1
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.csv"]  # nothing half written is left


def test_round_trip_of_a_whole_sweep(tmp_path):
    rows = planted_sweep(seeds=(0, 1))
    write_sweep(tmp_path / "sweep.csv", rows)
    back = read_sweep(tmp_path / "sweep.csv")
    assert len(back) == len(rows)
    names = columns_of(rows)
    assert [{name: row.get(name) for name in names} for row in rows] == back


def test_numbers_of_numpy_and_nested_values(tmp_path):
    row = {"program": "poisson", "units": np.int64(3), "beta": np.float64(0.1), "seed": 0, "converged": np.bool_(True)}
    write_sweep(tmp_path / "sweep.csv", [row | {"slopes": {"zeros": 1.0}, "not finite": float("nan")}])
    back = read_sweep(tmp_path / "sweep.csv")[0]
    assert "slopes" not in back
    assert math.isnan(back.pop("not finite"))
    assert back == {"program": "poisson", "units": 3, "beta": 0.1, "seed": 0, "converged": True}


def test_settings_come_first_and_are_those_that_there_are():
    assert set(SETTINGS) == {field.name for field in dataclasses.fields(Settings)}
    row = {"zeros": 0.5, "converged": True, "seed": 0, "learning_rate": 0.1, "cell": "a", "units": 2, "error": None}
    assert columns_of([row]) == [
        "cell", "program", "units", "beta", "seed", "learning_rate", "error", "converged", "zeros",
    ]  # fmt: skip


def test_an_empty_sweep_has_a_head_and_no_rows(tmp_path):
    write_sweep(tmp_path / "sweep.csv", [])
    assert read_sweep(tmp_path / "sweep.csv") == []


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"name,value\na,1\n", "no column program"),
        (b"", "no column program"),
        (b"\xff\xfe\x00", "cannot read"),
        (b"program,units,beta,seed\npoisson,64\n", "not all of its lines have 4 entries"),
        (b"program,units,beta,seed\npoisson,64,1.0,0,7\n", "not all of its lines have 4 entries"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, complaint):
    (tmp_path / "sweep.csv").write_bytes(content)
    with pytest.raises(UserError, match=complaint):
        read_sweep(tmp_path / "sweep.csv")


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="cannot read"):
        read_sweep(tmp_path / "none.csv")
