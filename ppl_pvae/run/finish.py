"""The last of a run: its tree, its files where there is a directory, and the record of all of it."""

import time
from pathlib import Path
from typing import Any

from ppl_pvae.analysis import Posterior, Verdict, datatree, write_tree
from ppl_pvae.run.fitting import Fitted
from ppl_pvae.run.outcome import describe_prediction
from ppl_pvae.run.outputs import write_json, write_params, write_pictures
from ppl_pvae.run.plan import Plan
from ppl_pvae.run.record import Run

__all__ = ["finish"]


def finish(
    plan: Plan,
    fitted: Fitted,
    posterior: Posterior,
    summary: dict[str, Any],
    folder: Path | None,
    *,
    begin: float,
    verdict: Verdict | None = None,
) -> Run:
    """The run of some parameters; in a directory summary.json is written last, so that a run that has one is complete.

    `begin` is when this process began with it, by `time.perf_counter`; what earlier ones took is counted, too.
    """
    begin -= fitted.earlier_seconds
    about = {"program": plan.settings.program, "data": plan.dataset.name}
    tree = datatree(posterior, about, describe_prediction(plan, fitted.params))
    summary = summary | {"seconds": round(time.perf_counter() - begin, 2)}
    if folder:
        write_params(folder, fitted.params)
        write_tree(folder / "posterior.nc", tree)
        write_pictures(folder, plan, posterior, fitted.history, summary, verdict)
        summary["seconds"] = round(time.perf_counter() - begin, 2)
        write_json(folder / "summary.json", summary)
    return Run(
        settings=plan.settings,
        program=plan.program,
        nets=plan.nets,
        params=fitted.params,
        summary=summary,
        history=fitted.history,
        tree=tree,
        path=folder,
    )
