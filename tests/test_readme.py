"""What the README shows runs as it stands, apart from sizes."""

import re
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import ppl_pvae

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_there_are_blocks():
    assert len(BLOCKS) == 3


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.splitlines()[0])
def test_a_block_runs(block, monkeypatch):
    """With 16 units on synthetic data for 20 steps in place of 512 units on photographs."""
    small = block.replace("units=512", "units=16").replace('"natural"', '"synthetic"')
    monkeypatch.setattr(ppl_pvae, "train", partial(ppl_pvae.train, steps=20), raising=False)
    exec(compile(small, "README.md", "exec"), {})
    plt.close("all")
