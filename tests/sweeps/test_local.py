"""Local workers: one that dies loses nothing, and none outlives the process that it works for."""

import os
import signal
import subprocess
import sys
import time

import pytest

from ppl_pvae.sweeps.local import LocalExecutor, cores
from tests.sweeps.jobs import die_once, leave_mark, write_for_ever


def test_calls_run_in_other_processes_with_their_share_of_the_cores(tmp_path):
    with LocalExecutor(2) as workers:
        used = {workers.submit(leave_mark, str(tmp_path), str(at)).result() for at in range(6)}
        told = workers.submit(os.getenv, "NPROC").result()
    assert os.getpid() not in used
    assert len(used) <= 2
    assert {path.name for path in tmp_path.iterdir()} == {str(at) for at in range(6)}
    assert told == str(max(1, cores() // 2))


def test_a_call_whose_worker_is_killed_is_made_again_and_others_are_not(tmp_path):
    (tmp_path / "deaths").mkdir()
    (tmp_path / "marks").mkdir()
    with LocalExecutor(2, retries=2) as workers:
        dying = workers.submit(die_once, str(tmp_path / "deaths"), 2)
        others = [workers.submit(leave_mark, str(tmp_path / "marks"), str(at)) for at in range(4)]
        assert dying.result() == 2
        assert all(other.exception() is None for other in others)


def test_a_call_that_kills_every_worker_is_given_up(tmp_path):
    with LocalExecutor(1, retries=1) as workers:
        dying = workers.submit(die_once, str(tmp_path), 10)
        assert isinstance(dying.exception(), ChildProcessError)
        assert "died 2 times" in str(dying.exception())
        assert workers.submit(os.getpid).result() != os.getpid()


def test_leaving_at_once_stops_the_workers_in_the_middle(tmp_path):
    workers = LocalExecutor(2)
    for _ in range(3):
        workers.submit(write_for_ever, str(tmp_path))
    wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    workers.shutdown(wait=False)
    assert_nobody_writes(tmp_path)


def test_no_worker_outlives_a_parent_that_is_killed(tmp_path):
    code = (
        "from ppl_pvae.sweeps.local import LocalExecutor\nfrom tests.sweeps.jobs import write_for_ever\n"
        f"workers = LocalExecutor(2)\nfor _ in range(2): workers.submit(write_for_ever, {str(tmp_path)!r})\n"
        "import time; time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", f"if __name__ == '__main__':\n    exec({code!r})"])
    try:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert_nobody_writes(tmp_path)


def wait_until(holds, seconds=60.0):
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            pytest.fail(f"has not come to hold in {seconds:g} s")
        time.sleep(0.05)


def assert_nobody_writes(folder, seconds=1.0):
    """Processes whose names the files have are gone a second later, and files stay as they are."""
    pids = [int(path.name) for path in folder.iterdir()]
    wait_until(lambda: not any(_is_there(pid) for pid in pids), seconds=10.0)
    before = {path.name: path.stat().st_size for path in folder.iterdir()}
    time.sleep(0.3)
    assert {path.name: path.stat().st_size for path in folder.iterdir()} == before


def _is_there(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
