"""The report of one run: a page that can be read, sent and printed on its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from ppl_pvae.analysis import page, words
from ppl_pvae.analysis.convergence import NOT_KNOWN, Verdict, standing
from ppl_pvae.analysis.record import Posterior

__all__ = ["write_report"]


def write_report(
    path: str | os.PathLike[str],
    *,
    posterior: Posterior,
    summary: Mapping[str, Any],
    figures: Mapping[str, Path],
    settings: Mapping[str, Any],
    versions: Mapping[str, str],
    data_info: Mapping[str, Any] | None = None,
    verdict: Verdict | None = None,
) -> None:
    """Write `report.html`: verdict, bill, atoms and raster on its first screen; settings and versions last.

    Parameters
    ----------
    path
        Where to; written beside and renamed.
    posterior
        What the program says about the test images.
    summary
        The run's whole row: that of `summarise` with `program`, `data`, `units`, `beta`, `seed`, `converged` and
        `steps`, None where parameters were trained elsewhere.
    figures
        Files that `write_figures` left.
    settings
        All settings, nested as they are in the run's `config.toml`.
    versions
        Name and version of each package.
    data_info
        Provenance and constants of the data set.
    verdict
        What doubling the steps changed, where it was tried.
    """
    name = f"{summary['program']} on {summary['data']}, {summary['units']} units, β\u00a0=\u00a0{summary['beta']:g}"
    body = [
        _header(name, summary),
        _first_screen(posterior, summary, figures, verdict),
        _rates(posterior, figures),
        _training(summary, figures),
        "<h2>All numbers, on test images</h2>",
        page.table(words.metric_rows(summary, posterior.is_count), ("", "value", "unit", "grey")),
        _data(figures, data_info or {}),
        "<h2>Settings and versions</h2>",
        page.table(page.flatten(settings), ("code", "code")),
        page.table(versions.items(), ("code", "code")),
    ]
    page.write_document(path, name, body)


def _header(name: str, summary: Mapping[str, Any]) -> str:
    badge = standing(summary)
    steps = summary.get("steps")
    training = "not trained here" if steps is None else f"{words.number(steps)} steps"
    return (
        f'<header><h1>{escape(name)}</h1><span class="badge {badge.replace(" ", "-")}">{badge}</span>'
        f'<span class="note">seed {escape(str(summary.get("seed", "–")))}, {training}, '
        f"{words.number(summary.get('seconds'))} s in all; numbers on test images</span></header>"
    )


def _first_screen(
    p: Posterior, summary: Mapping[str, Any], figures: Mapping[str, Path], verdict: Verdict | None
) -> str:
    numbers = "".join(
        f"<div><b>{escape(value)}</b><span>{escape(label)}</span></div>"
        for label, value in words.key_numbers(summary, p.is_count)
    )
    settled = words.convergence_sentence(summary.get("converged"), verdict)
    if standing(summary) == NOT_KNOWN:
        settled = "The parameters come from elsewhere, and whether their training converged is not known here."
    said = (
        f'<p class="verdict">{escape(words.verdict_sentences(summary, p.is_count))}</p>'
        f'<p class="note">{escape(settled)}</p>'
        f'<div class="numbers">{numbers}</div>'
    )
    bill = page.figure(figures, "bill", "The bill of one image, beside that of sending nothing.")
    if p.dictionary is None:
        beside = f'{bill}<p class="note">The decoder is not linear, so there is no dictionary to show.</p>'
    else:
        said += bill
        beside = page.figure(figures, "dictionary", "What each unit draws, scaled to its largest weight.")
    what = (
        "One tick is one spike; a count says how many and not when, so they stand evenly in the window of their image."
        if p.is_count
        else "Shades are values of the code; it has no spikes."
    )
    code = page.figure(
        figures, "raster", f"{what} Reconstructions are from this one draw, on the scale of the images.", "wide"
    )
    return f'<div class="first"><div class="words">{said}</div><div>{beside}</div></div>{code}'


def _rates(p: Posterior, figures: Mapping[str, Path]) -> str:
    word = "firing rate" if p.is_count else "activity"
    use = f"Mean {word} of each unit over test images."
    pieces = [
        page.figure(figures, "prior", "Units on the line have a prior that expects just what they do: r = E λ."),
        page.figure(figures, "rates", use),
        page.figure(figures, "nats", "What each unit costs; dashed: a unit above it counts as active."),
        page.figure(
            figures,
            "delivered",
            "What each unit pays, and what its count tells of the image; the rest is mismatch, paid because counts "
            "vary more over images than a Poisson prior expects. What two units both tell counts twice in the sum.",
        ),
    ]
    return f'<section><h2>Units: activity, prior and price</h2><div class="row">{"".join(pieces)}</div></section>'


def _training(summary: Mapping[str, Any], figures: Mapping[str, Path]) -> str:
    said = ""
    train, test = summary.get("train_free_energy"), summary.get("free_energy")
    if train and test is not None:
        said += f"Free energy is {words.number(test)} on test images, {words.number(train)} on training images "
        said += f"({test / train - 1:+.1%}). "
    slopes = {key: value for key, value in (summary.get("slopes") or {}).items() if value is not None}
    if slopes:
        listed = ", ".join(f"{key.replace('_', ' ')} {value:+.2g}".replace("-", "−") for key, value in slopes.items())
        said += f"Over the last fifth of training, per 1,000 steps: {listed}."
    picture = page.figure(figures, "training", "Training and validation images; dashed: sending nothing (test images).")
    return f"<section><h2>Training</h2><p>{escape(said)}</p>{picture}</section>"


def _data(figures: Mapping[str, Path], info: Mapping[str, Any]) -> str:
    picture = page.figure(
        figures, "preprocessing", "What was done to the images before any of this, and what they became."
    )
    listed = page.table(page.flatten(info), ("code", "code")) if info else ""
    return f"<h2>Images and their preprocessing</h2>{picture}{listed}"
