"""The report of a posterior analysis: a page about one run, or about several side by side."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ppl_pvae.analysis import page, words
from ppl_pvae.analysis.comparison import Match, Pair
from ppl_pvae.analysis.convergence import standing
from ppl_pvae.analysis.intervals import Interval
from ppl_pvae.analysis.study import Study, comparison_columns, energy_rows, study_as_json

__all__ = ["write_comparison_report", "write_study_report"]

_BOUNDS = (
    "Intervals (95%) resample photographs, not patches; with as few photographs as here they are somewhat too narrow. "
    "A number without one belongs to the images as a set."
)


def write_study_report(path: str | os.PathLike[str], study: Study, figures: Mapping[str, Path]) -> None:
    """Write the page about one run.

    Parameters
    ----------
    path
        Where to; written beside and renamed.
    study
        The run, analysed.
    figures
        Files of its figures by name.
    """
    said = study_as_json(study)
    body = [
        _header(f"Posterior analysis of {study.name}", study),
        f'<p class="verdict">{escape(words.verdict_sentences(study.summary, study.posterior.is_count))}</p>',
        "<h2>Numbers with intervals</h2>",
        f'<p class="note">{escape(_BOUNDS)}</p>',
        page.table(interval_rows(study), ("", "value", "value", "unit", "grey")),
        _bill(said, figures),
        _energy(study, figures),
        _evidence(said, figures),
        _refinement(said, figures),
        _trust(figures),
        _dictionary(said, figures),
        _notes(study),
    ]
    page.write_document(path, f"Analysis of {study.name}", body)


def write_comparison_report(
    path: str | os.PathLike[str],
    studies: Sequence[Study],
    pairs: Sequence[Pair],
    matches: Sequence[Match],
    figures: Mapping[str, Path],
) -> None:
    """Write the page about several runs.

    Parameters
    ----------
    path
        Where to; written beside and renamed.
    studies
        The runs, the first of which the others are compared with.
    pairs
        Differences of evidence from the first.
    matches
        What programs pay at equal distortion.
    figures
        Files of the figures by name.
    """
    kinds = ("", *("value" for _ in studies))
    body = [
        f"<header><h1>{len(studies)} runs on the same images</h1></header>",
        page.table(comparison_rows(studies), kinds),
        f'<p class="note">{escape(_BOUNDS)}</p>',
        page.figure(figures, "planes", "Distortion against what it costs; hollow: not known to have converged; "
                    "dashed: sending nothing.", "wide"),
        _matches(matches),
        "<h2>Evidence</h2>",
        page.figure(figures, "differences", "Difference of the bound on log p(x) of held-out images, image by image; "
                    "bars: 95% intervals over photographs. It is a bound: a run with heavier weights may be better "
                    "than it shows."),
        page.table(pair_rows(pairs), ("", "value", "value", "grey")) if pairs else "",
        "<h2>The bill, activity and energy</h2>",
        page.figure(figures, "bills", "What an image pays and what it gets. What two units both say counts twice."),
        page.figure(figures, "uses", "How activity is spread over units.", "wide"),
        page.figure(figures, "energy", "Information for energy, whatever rest costs; grey: the budgets."),
        "".join(f"<h2>{escape(s.name)}</h2>{_note_list(s)}" for s in studies if s.notes),
    ]  # fmt: skip
    page.write_document(path, "Comparison of runs", body)


def interval_rows(study: Study) -> list[tuple[str, str, str, str, str]]:
    """(label, value, interval, unit, meaning) of every metric."""
    rows = []
    for key, value in study.summary.items():
        for label, shown, unit, meaning in words.metric_rows({key: value}, study.posterior.is_count):
            rows.append((label, shown, _interval(study.intervals.get(key), unit), unit, meaning))
    return rows


def comparison_rows(studies: Sequence[Study]) -> list[tuple[str, ...]]:
    """A line per metric, a column per run, headings first."""
    every = dict.fromkeys(key for s in studies for key in s.summary)
    keys = [key for key in every if any(words.metric_rows({key: 0.0}, True))]
    spikes = all(s.posterior.is_count for s in studies)
    rows: list[tuple[str, ...]] = [("", *(s.name for s in studies))]
    rows.append(("convergence", *(standing(s.summary) for s in studies)))
    for name in ("program", "prior", "pays", "units", "beta"):
        rows.append((name, *("–" if s.summary.get(name) is None else str(s.summary[name]) for s in studies)))
    for key in keys:
        told = [_cell(s, key) for s in studies]
        if any(text != "–" for text in told):
            row = {key: studies[0].summary.get(key)}
            label, _, unit, _ = (words.metric_rows(row, spikes) or words.metric_rows(row, True))[0]
            rows.append((f"{label}, {unit}" if unit else label, *told))
    rows += _beside(studies)
    rows.append(("Gabor-like, of active units", *(_dictionary_cell(s, "share_gabor") for s in studies)))
    rows.append(("half width of tuning, degrees", *(_dictionary_cell(s, "median_half_width_degrees") for s in studies)))
    return rows


_BESIDE = {
    "paid": "nats paid, of the images of the bill",
    "delivered": "… delivered, summed over units",
    "mismatched": "… mismatch",
    "never_sent": "… for what is never sent",
    "log_evidence": "log p(x) ≥, nats per image",
    "share_k_above_0.7": "share of images with k̂ > 0.7",
    "amortisation_gap": "amortisation gap, nats per image",
    "calibration_p": "calibration, p",
}


def _beside(studies: Sequence[Study]) -> list[tuple[str, ...]]:
    """What a summary does not have, where any run has it."""
    columns = [comparison_columns(s) for s in studies]
    known = [key for key in _BESIDE if any(each[key] is not None for each in columns)]
    return [(_BESIDE[key], *(words.number(each[key]) for each in columns)) for key in known]


def pair_rows(pairs: Sequence[Pair]) -> list[tuple[str, str, str, str]]:
    """(runs, difference, standard error, interval)."""
    return [
        (
            f"{pair.name} − {pair.beside}",
            words.number(pair.difference.interval.estimate),
            f"± {words.number(pair.difference.standard_error)}",
            _interval(pair.difference.interval, "nats"),
        )
        for pair in pairs
    ]


def _cell(study: Study, key: str) -> str:
    rows = words.metric_rows({key: study.summary.get(key)}, study.posterior.is_count)
    if not rows:
        return "–"
    inside = _interval(study.intervals.get(key), rows[0][2])
    return f"{rows[0][1]}  {inside}" if inside and rows[0][1] != "–" else rows[0][1]


def _dictionary_cell(study: Study, key: str) -> str:
    value = (study_as_json(study)["dictionary"] or {}).get(key)
    if value is None:
        return "–"
    return f"{100 * value:.0f} %" if key == "share_gabor" else words.number(value)


def _interval(interval: Interval | None, unit: str) -> str:
    if interval is None or math.isnan(interval.low):
        return ""
    scale = 100 if unit == "%" else 1
    return f"[{words.number(scale * interval.low)}, {words.number(scale * interval.high)}]"


def _header(title: str, study: Study) -> str:
    badge = standing(study.summary)
    s = study.summary
    return (
        f'<header><h1>{escape(title)}</h1><span class="badge {badge.replace(" ", "-")}">{badge}</span>'
        f'<span class="note">{escape(str(s["program"]))} on {escape(str(s["data"]))}, {s["units"]} units, '
        f"β = {s['beta']:g}, seed {s['seed']}; {len(study.posterior.x):,} images of "
        f"{len(set(study.posterior.group.tolist()))} photographs</span></header>"
    )


def _bill(said: Mapping[str, Any], figures: Mapping[str, Path]) -> str:
    bill = said["bill"]
    if bill is None:
        return ""
    share = (
        f" ({100 * bill['delivered'] / bill['paid']:.0f}%)" if bill["paid"] and bill["delivered"] is not None else ""
    )
    unsent = f", {words.number(bill['unsent'])} paid for what is never sent" if bill["unsent"] > 0.005 else ""
    text = (
        f"An image pays {words.number(bill['paid'])} nats ({bill['images']:,} images). One by one, units deliver "
        f"{words.number(bill['delivered'])}{share}; {words.number(bill['mismatch'])} are mismatch{unsent}. "
    )
    if bill["population"] is not None:
        b = bill["population"]
        text += (
            f"All units together tell between {words.number(b['lower'])} and {words.number(b['most'])} nats about the "
            f"image (estimated from {words.number(round(math.exp(b['cap'])))} images, whence no lower bound above "
            f"{words.number(b['cap'])}), so that {words.number(b['mismatch_least'])} to "
            f"{words.number(b['mismatch_most'])} nats are mismatch of the whole code. "
        )
    if "bits_per_spike" in bill:
        whole = bill["population"] or {}
        least = f", {words.number(whole['bits_per_spike_least'])} at least" if "bits_per_spike_least" in whole else ""
        text += (
            f"A spike carries {words.number(bill['bits_per_spike'])} bits at most{least}; the KL alone would say "
            f"{words.number(bill['nats_per_spike_paid'] / math.log(2))}."
        )
    picture = page.figure(figures, "delivered", "Information of every unit against what it pays.")
    return f"<section><h2>The bill: paid, delivered, mismatch</h2><p>{escape(text)}</p>{picture}</section>"


def _energy(study: Study, figures: Mapping[str, Path]) -> str:
    rows = energy_rows(study)
    if not rows:
        return ""
    shown = [("budget", "Hz", "ATP per image", "ATP per bit", "rest, in spikes")] + [
        (
            r["budget"],
            words.number(r["hertz"]),
            words.number(r["atp_per_image"]),
            words.number(r["atp_per_bit"]),
            words.number(r["rest_to_spike"]),
        )
        for r in rows
    ]
    picture = page.figure(
        figures, "energy", "Information for energy over the cost of a unit's rest; grey: the budgets."
    )
    notes = [f"Counts are taken in windows of {rows[0]['window_seconds']:g} s, which is an assumption."]
    notes += [f"{budget.name}: {budget.source}" for budget in study.budgets if budget.source]
    told = "".join(f'<p class="note">{escape(note)}</p>' for note in notes)
    return (
        f"<section><h2>Energy</h2>{page.table(shown, ('', 'value', 'value', 'value', 'value'))}"
        f"{told}{picture}</section>"
    )


def _evidence(said: Mapping[str, Any], figures: Mapping[str, Path]) -> str:
    e = said["evidence"]
    if e is None:
        return ""
    mean, heavy, unknown = e["log_evidence"], e["share_k_above_0.7"], e["share_without_k"]
    text = (
        f"log p(x) ≥ {words.number(mean['estimate'])} nats on average over {e['images']} images with {e['draws']:,} "
        f"codes each; k̂ is above 0.7 for {100 * heavy:.0f}% of them, whose bound is far below log p(x)."
    )
    if unknown > 0:
        text += f" {100 * unknown:.0f}% have no k̂, since few codes make up the tail of their weights."
    picture = page.figure(figures, "evidence", "Left: k̂ of the weights. Right: what drawing many codes gains.", "wide")
    return f"<section><h2>Evidence, and how far to trust it</h2><p>{escape(text)}</p>{picture}</section>"


def _refinement(said: Mapping[str, Any], figures: Mapping[str, Path]) -> str:
    r = said["refinement"]
    if r is None:
        return ""
    gap = r["gap"]
    text = (
        f"Optimising every image's own posterior for {r['sweeps']} sweeps lowers the free energy by "
        f"{words.number(gap['estimate'])} nats per image [{words.number(gap['low'])}, {words.number(gap['high'])}]: "
        f"the amortisation gap. Distortion goes from {words.number(r['distortion_before'])} to "
        f"{words.number(r['distortion_after'])} nats, zeros from {100 * r['zeros_before']:.1f}% to "
        f"{100 * r['zeros_after']:.1f}%, lifetime sparseness of a draw from {r['lifetime_before']:.3f} to "
        f"{r['lifetime_after']:.3f}."
    )
    picture = page.figure(
        figures,
        "refined",
        "Left: what each image gains. Right: where it moves.",
        "wide",
    )
    return f"<section><h2>Amortisation gap</h2><p>{escape(text)}</p>{picture}</section>"


def _trust(figures: Mapping[str, Path]) -> str:
    pieces = page.figure(
        figures, "calibration", "Ranks of the true code among posterior draws, on images drawn from the program "
        "itself: flat where posteriors are right.", "wide"
    ) + page.figure(figures, "checks", "Prior prediction: statistics of images and of their codes beside those that "
        "the program makes by itself.", "wide"
    ) + page.figure(figures, "posterior_checks", "Posterior prediction: the same of images, each made again from "
        "its own code; where they differ, code and likelihood lose it.", "wide")  # fmt: skip
    return f"<section><h2>Calibration and predictive checks</h2>{pieces}</section>" if pieces else ""


def _dictionary(said: Mapping[str, Any], figures: Mapping[str, Path]) -> str:
    pieces = page.figure(figures, "gabors", "Gabor functions fitted to the dictionary of active units.", "wide")
    pieces += page.figure(figures, "tuned", "Tuning of the active units to gratings of contrast 1.", "wide")
    return f"<section><h2>Dictionary and tuning</h2>{pieces}</section>" if pieces else ""


def _matches(matches: Sequence[Match]) -> str:
    if not matches:
        return '<p class="note">No two programs have runs on either side of one distortion, so none is matched.</p>'
    rows = [("program", "activity per image", "nats per image", "between")] + [
        (
            m.program,
            *(words.number(m.paid[key]) for key in ("spikes_per_image", "coding_rate")),
            " and ".join(m.between),
        )
        for m in matches
    ]
    head = f"<h2>At equal distortion, {words.number(matches[0].distortion)} nats</h2>"
    return head + page.table(rows, ("", "value", "value", "grey"))


def _notes(study: Study) -> str:
    return f"<section><h2>What was left out</h2>{_note_list(study)}</section>" if study.notes else ""


def _note_list(study: Study) -> str:
    return "".join(f'<p class="note">{escape(note)}</p>' for note in study.notes)
