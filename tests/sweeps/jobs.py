"""What workers do in tests: functions that a new process can import."""

import os
import signal
import time
from pathlib import Path

__all__ = ["die_once", "leave_mark", "write_for_ever"]


def leave_mark(folder: str, name: str) -> int:
    """Write a file; the worker's process."""
    Path(folder, name).write_text(name)
    return os.getpid()


def die_once(folder: str, times: int) -> int:
    """Be killed in the middle, so many times, as the files in the folder count them; then how often that was."""
    killed = len(list(Path(folder).iterdir()))
    if killed < times:
        Path(folder, str(killed)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return killed


def write_for_ever(folder: str) -> None:
    """Grow a file until somebody stops it."""
    with Path(folder, str(os.getpid())).open("a") as file:
        while True:
            file.write("x")
            file.flush()
            time.sleep(0.02)
