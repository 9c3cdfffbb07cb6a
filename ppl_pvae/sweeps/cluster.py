"""Workers on other machines, through Dask: the same interface, a scheduler somewhere, and a directory that all see."""

import sys
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from ppl_pvae.errors import UserError

__all__ = ["TIMEOUT", "cluster_executor"]

TIMEOUT = 8  # seconds until an address is given up


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
        If Dask is not installed, or nobody answers at the address.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UserError('--cluster needs Dask; install it with pip install "ppl_pvae[cluster]".') from None
    try:
        client = Client(address, timeout=TIMEOUT)
    except (OSError, ValueError, TypeError) as problem:
        raise UserError(
            f"no scheduler answers at {address} ({' '.join(str(problem).split())[:80]}); start one with `dask "
            "scheduler`, and give its address, such as tcp://host:8786."
        ) from None
    with client:
        if not client.scheduler_info()["workers"]:
            print(f"{address} has no workers yet; cells wait for the first", file=sys.stderr, flush=True)
        yield client.get_executor(pure=False)
