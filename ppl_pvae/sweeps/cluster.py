"""Workers on other machines, through Dask: the same interface, a scheduler somewhere, and a directory that all see."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from ppl_pvae.errors import UserError

__all__ = ["TIMEOUT", "cluster_executor", "cluster_slots"]

TIMEOUT = 5  # seconds until an address is given up, importing Dask among them
LEAST = 3  # seconds that the scheduler has at least, where the import took long


@contextmanager
def cluster_executor(address: str) -> Iterator[Executor]:
    """An executor on the workers of a Dask scheduler, which gives the cell of a worker that died to another one.

    Workers need this package and the directory of the sweep under the same path. One cell at a time and one thread
    each suit them best: `NPROC=1 dask worker ADDRESS --nthreads 1`.

    Parameters
    ----------
    address
        Of the scheduler, `tcp://host:8786` or `host:8786`.

    Raises
    ------
    UserError
        If Dask is not installed, or no scheduler answers at the address.
    """
    with _connected(address) as client:
        if not client.nthreads():
            print(f"{address} has no workers yet; cells wait for the first", file=sys.stderr, flush=True)
        yield client.get_executor(pure=False)


def cluster_slots(address: str) -> int:
    """How many cells the workers of a scheduler take at once, by Dask's count: one a thread.

    Parameters
    ----------
    address
        Of the scheduler.

    Returns
    -------
    int
        Threads of all workers; 0 where there are none yet.

    Raises
    ------
    UserError
        As `cluster_executor` does.
    """
    with _connected(address) as client:
        return sum(client.nthreads().values())


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    begin = time.monotonic()
    try:
        from distributed import Client
    except ImportError:
        raise UserError('--cluster needs Dask; install it with pip install "ppl_pvae[cluster]".') from None
    patience = max(LEAST, TIMEOUT - (time.monotonic() - begin))
    try:
        client = _within(patience + 1, lambda: Client(address, timeout=patience))
    except Exception as problem:  # whatever listens there is no code of ours, and can answer with anything
        raise UserError(
            f"no scheduler answers at {address} ({_in_a_line(problem)}); start one with `dask scheduler`, and give its "
            "address, such as tcp://host:8786."
        ) from None
    with client:
        yield client


def _within(seconds: float, make: Callable[[], Any]) -> Any:
    """What is made, or what goes wrong in making it; TimeoutError after so many seconds.

    Dask's own limit does not hold where something that is no scheduler has taken the connection. The thread is left
    behind then, a daemon, which keeps no process from ending.
    """
    made: list[Any] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            made.append(make())
        except BaseException as problem:
            failed.append(problem)

    thread = threading.Thread(target=run, daemon=True, name="connect")
    thread.start()
    thread.join(seconds)
    if made:
        return made[0]
    raise failed[0] if failed else TimeoutError(f"silent for {seconds:.0f} s")


def _in_a_line(problem: Exception) -> str:
    if not isinstance(problem, OSError | ValueError | TypeError):
        return "something else listens there"  # whose answer makes no sense to Dask
    return " ".join(str(problem).split())[:80] or type(problem).__name__
