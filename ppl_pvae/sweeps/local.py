"""Local worker processes behind the interface of `concurrent.futures`: one dies, and nothing is lost."""

import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from threadpoolctl import threadpool_limits

__all__ = ["LocalExecutor", "cores"]

THREADS = "NPROC"  # read by XLA when it is first used


def cores() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalExecutor(Executor):
    """So many worker processes, each with its share of the cores, each living as long as this process and no longer.

    A thread stands behind each worker and hands it one call after the other, so that a worker that dies (killed, out
    of memory) takes nothing down but its own call, which a new worker starts again. Workers are spawned: a fork of a
    process that runs JAX deadlocks.

    Parameters
    ----------
    workers
        Number of processes.
    retries
        How often a call is started again whose worker died.
    """

    def __init__(self, workers: int, *, retries: int = 2):
        self._retries, self._threads = retries, max(1, cores() // workers)
        self._context = multiprocessing.get_context("spawn")
        # Nobody ever writes here. Workers read, and leave when the only end to write with is closed: because this
        # process closes it, or dies in whatever way.
        self._lifeline, self._held = self._context.Pipe(duplex=False)
        self._stopped = threading.Event()
        self._mine = threading.local()
        self._workers: list[ProcessPoolExecutor] = []
        self._stand_ins = ThreadPoolExecutor(workers, thread_name_prefix="worker")

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Run a function that can be pickled in one of the workers."""
        return self._stand_ins.submit(self._run, fn, args, kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """With `wait` when every call is done; without it at once, and the workers leave in the middle of theirs."""
        if not wait:
            self._stopped.set()
            self._held.close()
        # Waiting is short where the workers have left: it is for what they held together to be given back.
        self._stand_ins.shutdown(wait=True, cancel_futures=cancel_futures or not wait)
        for worker in self._workers:
            worker.shutdown(wait=True)
        self._held.close()
        self._lifeline.close()

    def _run(self, fn, args, kwargs):
        for _ in range(self._retries + 1):
            try:
                return self._worker().submit(fn, *args, **kwargs).result()
            except BrokenProcessPool:
                self._mine.worker = None
                if self._stopped.is_set():
                    raise
        raise ChildProcessError(f"its worker died {self._retries + 1} times; is there enough memory?")

    def _worker(self) -> ProcessPoolExecutor:
        """The worker of this thread, a new one if there is none or it died."""
        if getattr(self._mine, "worker", None) is None:
            self._mine.worker = ProcessPoolExecutor(
                1, mp_context=self._context, initializer=_begin, initargs=(self._lifeline, self._threads)
            )
            self._workers.append(self._mine.worker)
        return self._mine.worker


def _begin(lifeline, threads: int) -> None:
    """Take so many threads, and leave as soon as the parent is gone, in the middle of whatever this worker does."""
    os.environ[THREADS] = str(threads)
    threadpool_limits(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, who closes the lifeline

    def watch():
        with contextlib.suppress(EOFError, OSError):
            lifeline.recv_bytes()
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()
