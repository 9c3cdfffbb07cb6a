"""All cells of a sweep through an executor: what is finished is kept, what fails is reported, the rest goes on."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait

from ppl_pvae.sweeps.task import Task, fit_cell

__all__ = ["fit_all"]

PATIENCE = 0.5  # seconds between two looks at what is running


def fit_all(
    tasks: Sequence[Task],
    where: Executor,
    look: Callable[[], None],
) -> Iterator[tuple[Task, str | None]]:
    """Fit every cell; yields each with what went wrong, None if nothing did, in the order in which they end.

    Parameters
    ----------
    tasks
        The cells that are not finished, in the order in which to start them.
    where
        The executor, which is left at once, in the middle of all cells, when something is raised here.
    look
        Called every now and then, to show how far the running ones are.
    """
    futures: dict[Future, Task] = {where.submit(fit_cell, task): task for task in tasks}
    left = set(futures)
    try:
        while left:
            done, left = wait(left, timeout=PATIENCE, return_when=FIRST_COMPLETED)
            for future in (each for each in futures if each in done):  # those that ended together as they began
                yield futures[future], _problem(future)
            look()
    except BaseException:
        for future in left:
            future.cancel()
        where.shutdown(wait=False)
        raise


def _problem(future: Future) -> str | None:
    """In words; an exception that the cell did not expect has its type with it."""
    if future.cancelled():
        return "cancelled: whoever was to fit it is gone"
    error = future.exception()
    if error is None:
        return future.result()
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
