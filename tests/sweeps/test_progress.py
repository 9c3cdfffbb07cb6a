"""What a sweep says of itself while it runs."""

import io
import json
import os
import re
import sys
from pathlib import Path

from ppl_pvae.config import Settings
from ppl_pvae.sweeps import progress
from ppl_pvae.sweeps.progress import Progress
from ppl_pvae.sweeps.task import Task


def a_task(folder: Path, name: str) -> Task:
    return Task(name, folder / name, Settings(), 1, True)


def evaluate(task: Task, steps: int, step: int) -> Path:
    """Leave a line of metrics, as training does."""
    path = task.folder / f"steps-{steps}" / "metrics.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"step": step}) + "\n")
    return path


def test_a_line_for_every_cell_that_ends_with_the_time_that_is_left(tmp_path, capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    tasks = [a_task(tmp_path, name) for name in ("a", "b", "c")]
    shown = Progress(tasks, 2, [60.0, 60.0, 480.0])
    now[0] += 120.0  # twice what was expected
    shown.finished(tasks[0], None)
    shown.finished(tasks[1], "the disk is full")
    shown.close()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("3/5  a  done  about 18 min left")
    assert lines[1].startswith("4/5  b  failed: the disk is full  about 8 min left")


def test_the_cells_that_run_and_their_steps(tmp_path, capsys, monkeypatch):
    tasks = [a_task(tmp_path, name) for name in ("a", "b", "c")]
    old = evaluate(tasks[2], 20, 10)
    os.utime(old, (1.0, 1.0))  # left half done by an earlier process
    shown = Progress(tasks, 0, [1.0, 1.0, 1.0])
    shown._since -= 10.0
    evaluate(tasks[0], 20, 20)
    evaluate(tasks[0], 40, 25)
    shown.look()
    assert capsys.readouterr().err == ""  # once a minute where output goes to a file
    monkeypatch.setattr(progress, "EVERY", 0.0)
    shown.look()
    shown.close()
    assert capsys.readouterr().err.strip() == "running: a 25/40"


class Terminal(io.StringIO):
    """Somebody watches."""

    def isatty(self) -> bool:
        return True


def test_two_lines_where_somebody_watches_one_for_the_whole_and_one_for_what_runs(tmp_path, monkeypatch):
    screen, now = Terminal(), [100.0]
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    tasks = [a_task(tmp_path, name) for name in ("a", "b", "c")]
    shown = Progress(tasks, 1, [60.0, 60.0, 60.0])
    shown._since -= 10.0
    evaluate(tasks[1], 40, 25)
    now[0] += 60.0
    shown.look()
    shown.finished(tasks[0], "the disk is full")
    shown.close()
    written, up = screen.getvalue(), "\x1b[A"
    assert f"\n\rrunning: b 25/40{up}" in written  # below the line for the whole, to which the cursor goes back
    assert re.search(r"\r 50%.*2/4 .*about 2 min left", written)
    assert f"{up}a failed: the disk is full\n" in written  # above both
