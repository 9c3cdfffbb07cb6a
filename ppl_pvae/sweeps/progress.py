"""How far a sweep is: one line for the whole, one for the cells that are running."""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from ppl_pvae.sweeps.task import Task

__all__ = ["Progress"]

EVERY = 60.0  # seconds between two lines where output goes to a file
MOVES = 2.0  # seconds between two looks where somebody watches
SHOWN = 4  # running cells


class Progress:
    """Two lines that move where somebody watches; else a line per finished cell and one a minute of those running.

    Parameters
    ----------
    tasks
        The cells that are to be fitted.
    done
        How many more were finished before.
    costs
        Seconds that each is expected to take, which tell how much is left.
    """

    def __init__(self, tasks: Sequence[Task], done: int, costs: Sequence[float]):
        self._left = {task.name: (task, cost) for task, cost in zip(tasks, costs, strict=True)}
        self._total, self._cost, self._begin = len(tasks) + done, sum(costs), time.monotonic()
        self._said, self._since = self._begin, time.time()
        self._lines = not sys.stderr.isatty()
        self._whole = tqdm(total=self._total, initial=done, unit="cell", disable=self._lines, position=0)
        self._running = tqdm(bar_format="{desc}", disable=self._lines, position=1)

    def finished(self, task: Task, problem: str | None) -> None:
        """A cell has ended."""
        self._left.pop(task.name, None)
        self._whole.update(1)
        self._whole.set_postfix_str(self._time_left())
        said = f"failed: {problem}" if problem else "done"
        if self._lines:
            at = self._total - len(self._left)
            print(f"{at}/{self._total}  {task.name}  {said}  {self._time_left()}", file=sys.stderr, flush=True)
        elif problem:
            self._whole.write(f"{task.name} {said}", file=sys.stderr)

    def look(self) -> None:
        """Show which cells are running, and at what step."""
        now = time.monotonic()
        if now - self._said < (EVERY if self._lines else MOVES):
            return
        self._said = now
        running = [words for task, _ in self._left.values() if (words := _where(task.folder, self._since))]
        text = "running: " + ", ".join(running[:SHOWN]) + (f" and {len(running) - SHOWN} more" * (len(running) > SHOWN))
        if self._lines and running:
            print(text, file=sys.stderr, flush=True)
        else:
            self._running.set_description_str(text[:160])

    def close(self) -> None:
        """Leave the lines as they are."""
        self._running.close()
        self._whole.close()

    def _time_left(self) -> str:
        """By the cost of what is done and the time that it took."""
        left = sum(cost for _, cost in self._left.values())
        spent, gone = self._cost - left, time.monotonic() - self._begin
        if not left or not spent:
            return ""
        minutes = gone / spent * left / 60
        return f"about {minutes:.0f} min left" if minutes < 100 else f"about {minutes / 60:.1f} h left"


def _where(folder: Path, since: float) -> str | None:
    """A cell that has been evaluated since then, with its step; None where it has not, as one left half done before."""
    newest = max(folder.glob("steps-*/metrics.jsonl"), key=lambda path: _steps_of(path.parent), default=None)
    if newest is None:
        return None
    try:
        if newest.stat().st_mtime < since:
            return None
        last = newest.read_text(encoding="utf-8").splitlines()[-1]
        step = json.loads(last)["step"]
    except (OSError, IndexError, ValueError):  # being written at this moment, or gone
        return None
    return f"{folder.name} {step}/{_steps_of(newest.parent)}"


def _steps_of(folder: Path) -> int:
    return int(folder.name.removeprefix("steps-"))
