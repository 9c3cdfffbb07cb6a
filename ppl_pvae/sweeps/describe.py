"""What a sweep would take, said before anything is fitted."""

from collections.abc import Collection, Mapping

from ppl_pvae.sweeps.cluster import cluster_slots
from ppl_pvae.sweeps.costs import Costs, costs_of
from ppl_pvae.sweeps.estimate import disk_of, disk_of_path
from ppl_pvae.sweeps.images import images_of, remark_on
from ppl_pvae.sweeps.local import cores
from ppl_pvae.sweeps.path import FOLLOW_ANEW, is_followed, keeps_figure, path_cells, path_task, path_to_follow
from ppl_pvae.sweeps.programs import check_programs
from ppl_pvae.sweeps.whole import Sweep

__all__ = ["describe_sweep"]


def describe_sweep(
    sweep: Sweep, *, workers: int | None, cluster: str | None = None, shard: tuple[int, int] | None = None
) -> str:
    """The cells, those that are finished marked, the path along β, and what time and disk they will take.

    Of one part (i, n) where there are several; the path goes with the first. On a cluster, with as many workers as it
    has now.

    Raises
    ------
    UserError
        If data cannot be read, a program file cannot be fitted, or nobody answers at the address of the cluster.
    """
    where, at_once, threads = _where(workers, cluster)
    mine = {cell.name for cell in sweep.part(shard)}
    images, to_fit = images_of(sweep), [cell for cell in sweep.left() if cell.name in mine]
    remark_on(sweep, images)
    check_programs(to_fit)
    left = {cell.name for cell in to_fit}
    costs = costs_of(sweep, images)
    pixels = {name: each.pixels for name, each in images.items()}
    lines = [
        f"{cell.name}  from {cell.settings.steps} steps, about {costs.seconds[cell.name]:.0f} s"
        if cell.name in left
        else f"{cell.name}  done"
        for cell in sweep.part(shard)
    ]
    first = shard is None or shard[0] == 1
    follow = path_to_follow(sweep) if first else None
    seconds = [costs.seconds[name] for name in [*left, *([follow.name] if follow else [])]]
    hours = sum(seconds) / 3600
    # A task is not divided: few of them leave workers idle, and the longest takes its time.
    together = max(hours / at_once, max(seconds, default=0.0) / 3600) / threads
    disk = disk_of(sweep.part(shard), pixels) + (_disk_of_path(sweep, pixels) if first else 0)
    return "\n".join(
        [
            *lines,
            *(_path_line(sweep, costs) if first else []),
            f"cells   {len(mine)}, {len(left)} to fit{' and a path along β' if follow else ''}, steps doubled "
            f"{sweep.grid.max_doublings} times at most",
            f"time    about {hours:.1f} hours of a core, {together:.1f} on {where}{_by_what(left, costs)}",
            f"disk    about {disk / 1e6:.0f} MB when finished; a running cell takes seven times its share",
        ]
    )


def _where(workers: int | None, cluster: str | None) -> tuple[str, int, int]:
    """Where cells will run, in words, how many at once, and on how many threads each."""
    if cluster is None:
        workers = workers or cores()  # more of them than cores share these
        return f"{workers} workers", min(workers, cores()), max(1, cores() // workers)
    slots = cluster_slots(cluster)
    if not slots:
        return f"one thread ({cluster} has no workers yet)", 1, 1
    return f"{slots} {'thread' if slots == 1 else 'threads'} at {cluster}", slots, 1


def _path_line(sweep: Sweep, costs: Costs) -> list[str]:
    """The line of the path along β, where there is one."""
    task = path_task(sweep)
    if task is None:
        return []
    if is_followed(task):
        return [f"{task.name}  done"]
    if keeps_figure(sweep):
        return [f"{task.name}  keeps its figure; {FOLLOW_ANEW}"]
    fits = f"{len(task.betas)} fits of {task.settings.steps} steps"
    return [f"{task.name}  {fits}, about {costs.seconds[task.name]:.0f} s"]


def _disk_of_path(sweep: Sweep, pixels: Mapping[str, int]) -> int:
    """Bytes of the path along β; one that keeps its figure alone has none."""
    task = path_task(sweep)
    if task is None or keeps_figure(sweep):
        return 0
    cell = next(iter(path_cells(sweep).values()))
    return disk_of_path(task.settings, pixels[cell.name], len(task.betas))


def _by_what(left: Collection[str], costs: Costs) -> str:
    """By what the time of the cells that are left is told."""
    known = len(costs.measured & set(left))
    guessed = "if two doublings settle each"
    if not left:
        return ""
    if not known:
        return f", {guessed}"
    told = "by finished cells of the same program and K"
    return f"; {known} of {len(left)} {told}" + (f", the others {guessed}" if known < len(left) else "")
