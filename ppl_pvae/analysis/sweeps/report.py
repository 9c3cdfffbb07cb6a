"""The report of a sweep: the story in words first, then figures by theme, tables, and settings last."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from ppl_pvae.analysis import page, words
from ppl_pvae.analysis.convergence import standing
from ppl_pvae.analysis.sweeps.best_evidence import BestEvidence
from ppl_pvae.analysis.sweeps.evidence_tables import best_html, matched_html, matched_title
from ppl_pvae.analysis.sweeps.families import Row
from ppl_pvae.analysis.sweeps.family_tables import collapse_html, pattern_html
from ppl_pvae.analysis.sweeps.matched import Matched
from ppl_pvae.analysis.sweeps.operating_table import operating_table
from ppl_pvae.analysis.sweeps.panels import THEMES
from ppl_pvae.analysis.sweeps.verdicts import FAILS, HOLDS, IN_PART, NOT_ASKED

__all__ = ["write_sweep_report"]

_BADGES = {HOLDS: "converged", IN_PART: "in-part", FAILS: "not-converged", NOT_ASKED: "not-checked"}
_HOW = (
    "Points are means over seeds, bands one standard deviation of seeds; open marks: not known to have converged "
    "(doubling the steps was not tried, or moved free energy, activity or zeros too far). Colour: prior and payment; "
    "dashes: an encoder without a bias. The further down a line lies the wider it is, so that all are seen."
)
_PRICE = "Diamonds: cells with an explicit price γ on spikes; line: the curve that β traces; dashed: sending nothing."
_ATOMS = (
    "The atoms used most at the smallest β, and what becomes of them; below each its mean activity per image, pale "
    "where the unit is silent. Each fit goes on from the one before, so that a unit stays the same unit, and is not "
    "judged for convergence; ≠: it came to another solution than the cell of the table, the fit by itself (free energy "
    "by more than 5%, or spikes by more than a factor of 1.2)."
)
_DENSE = (
    "As the rates of a Poisson code with a linear decoder grow, it becomes a Gaussian channel of fixed noise, and its "
    "free energy comes to a limit that knows no rates: there a spike costs next to nothing, and how many there are is "
    "left open. A rectified code with a learned prior can move its means until nothing is rectified; its limit is "
    "probabilistic PCA. Marks on the line are such codes (at small β the cap on rates, e^5.3, keeps counts above it); "
    "below it, what sparseness gains. At its limit: within 3% of what that gains over silence, and counts with fewer "
    "than half zeros."
)
_OTHERS = {
    "planes": "What fidelity costs: R² against activity, distortion against nats; a line a family, some β written "
    "beside it; dashed: sending nothing.",
    "plane_spikes": "R² against activity, a panel for each number of units; dashed: sending nothing.",
    "plane_nats": "Distortion against nats, a panel for each number of units; dashed: sending nothing.",
    "coupling": "A line, and here a colour, for each number of units; it runs down as β rises, for nats fall; along "
    "dotted lines nats are in proportion to activity. Where a line is steep nats change and activity does "
    "not, where it is flat activity changes for next to no nats. Open: not known to have converged.",
    "maps": "Zeros and activity per image over β and units; hatched: not known to have converged.",
}


def write_sweep_report(
    path: str | os.PathLike[str],
    rows: Sequence[Row],
    found: Mapping[str, Any],
    figures: Mapping[str, Path],
    matches: Matched | None,
    best: Sequence[BestEvidence],
    settings: Mapping[str, Any],
) -> None:
    """Write the page about a sweep, which asks nothing of the network.

    Parameters
    ----------
    path
        Where to; written beside and renamed.
    rows
        The table.
    found
        What `findings` says of it.
    figures
        Files of the figures of `draw_sweep` by name, and of others (`atoms`).
    matches
        What families pay at one distortion.
    best
        Each family at the β of its highest evidence.
    settings
        Of the sweep, nested as they are.
    """
    body = [
        f"<header><h1>Sweep of {_count(len(found['families']), 'program variant')}</h1>"
        f'<span class="note">{escape(_data(rows))}; all numbers on held-out images</span></header>',
        f'<p class="verdict">{escape(story(found))}</p>',
        claims_html(found),
        f'<p class="note">{escape(_HOW)}</p>',
        *_themes(figures),
        *(_section(_title(name), page.figure(figures, name, caption, "wide")) for name, caption in _OTHERS.items()),
        _section("The pattern, family by family", pattern_html(found["claims"]["pattern"])),
        _section("What is left at the largest β", collapse_html(found["collapse"])),
        _section("Evidence, each family at its best β", best_html(best, figures)),
        _section(matched_title(matches), matched_html(matches)),
        _section("Operating points", operating_table(rows, figures)),
        _dense(found, figures),
        _section("A price on spikes beside β", page.figure(figures, "price", _PRICE, "wide")),
        _section("The dictionary along β", page.figure(figures, "atoms", _ATOMS, "wide")),
        _trouble(found),
        "<section><h2>Tolerances</h2>",
        page.table(((name.replace("_", " "), words.number(value)) for name, value in found["tolerances"].items()),
                   ("", "value")),
        "</section>",
        "<h2>Settings</h2>",
        page.table(page.flatten(settings), ("code", "code")),
    ]  # fmt: skip
    page.write_document(path, "Sweep", body)


def story(found: Mapping[str, Any]) -> str:
    """How large the sweep is, how far it can be trusted, and how the claims came out, in sentences."""
    grid = (
        f"{_count(found['cells'], 'cell')}: {_count(len(found['families']), 'program variant')}, "
        f"K {_list(found['units'])}, β {_list(found['betas'])}, {_count(len(found['seeds']), 'seed')}."
    )
    trust = [f"{found['converged']} converged"]
    trust += [f"{found['not_converged']} did not"] if found["not_converged"] else []
    trust += [f"{found['not_checked']} were not checked"] if found["not_checked"] else []
    trust += [f"{len(found['failed'])} ended in an error"] if found["failed"] else []
    trust += [f"{len(found['missing'])} more of the grid are not there yet"] if found["missing"] else []
    verdicts = [claim["verdict"] for claim in found["claims"].values()]
    asked = len(verdicts) - verdicts.count(NOT_ASKED)
    tally = ", ".join(
        f"{verdicts.count(verdict)} {word}"
        for verdict, word in ((HOLDS, "hold"), (IN_PART, "hold in part"), (FAILS, "fail"))
        if verdict in verdicts
    )
    came_out = f"Of {_count(asked, 'claim')} that it can speak to: {tally}." if asked else "It can speak to no claim."
    return f"{grid} {', '.join(trust)}. {came_out}"


def claims_html(found: Mapping[str, Any]) -> str:
    """Each claim with its verdict and the reason."""
    return f'<div class="claims">{"".join(map(_claim, found["claims"].values()))}</div>'


def _claim(claim: Mapping[str, Any]) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in claim["lines"])
    return (
        f'<span class="badge {_BADGES[claim["verdict"]]}">{escape(claim["verdict"])}</span>'
        f"<div><p><b>{escape(claim['claim'])}</b> {escape(claim['opening'])}</p>"
        + (f"<ul>{lines}</ul>" if lines else "")
        + (f'<p class="note">{escape(claim["caveat"])}</p>' if claim["caveat"] else "")
        + "</div>"
    )


def _themes(figures: Mapping[str, Path]) -> list[str]:
    """A section a theme: one figure of all its metrics, or one of each."""
    sections = []
    for name, theme in THEMES.items():
        there = [key for key in (name, *theme.keys) if key in figures]
        pictures = [page.figure(figures, key, theme.caption if key == there[-1] else "", "wide") for key in there]
        sections.append(_section(theme.title, "".join(pictures)))
    return sections


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>" if content else ""


def _title(name: str) -> str:
    titles = {
        "maps": "Maps over β and units",
        "coupling": "Do nats follow activity?",
        "plane_nats": "Distortion for nats",
        "plane_spikes": "R² for spikes",
    }
    return titles.get(name, "Fidelity for energy")


def _dense(found: Mapping[str, Any], figures: Mapping[str, Path]) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in found["dense"]["lines"])
    picture = page.figure(figures, "dense", _DENSE, "wide")
    return _section("Beside dense codes", picture + f"<ul>{lines}</ul>") if lines else ""


def _trouble(found: Mapping[str, Any]) -> str:
    pieces = []
    if found["failed"]:
        rows = [("cell", "error"), *((each["cell"], each["error"]) for each in found["failed"])]
        pieces.append(_section("Cells that ended in an error", page.table(rows, ("code", "grey"))))
    if found["unconverged"]:
        head = ("cell", "convergence", "free energy", "log rate", "zeros")
        rows = [head, *(_unsure_row(each) for each in found["unconverged"])]
        note = '<p class="note">Changes by the last doubling of the steps, on training images.</p>'
        table = page.table(rows, ("code", "", "value", "value", "value"))
        pieces.append(_section("Cells that are not known to have converged", table + note))
    if found["apart"]:
        head = ("cell", "best seed", "free energy", "log rate", "zeros")
        rows = [head, *(_apart_row(each) for each in found["apart"])]
        note = (
            '<p class="note">They passed the doubling rule, and lie further from the seed with the lowest free energy '
            "of training images than it allows: on a plateau, or at another code that is as good.</p>"
        )
        table = page.table(rows, ("code", "value", "value", "value", "value"))
        pieces.append(_section("Converged cells that another seed shows not to be at the end", table + note))
    return "".join(pieces)


def _apart_row(each: Mapping[str, Any]) -> tuple[str, ...]:
    told = (words.number(each[name]) for name in ("log_rate", "zeros"))
    return str(each["cell"]), str(each["best_seed"]), f"{100 * each['free_energy']:+.2g}%", *told


def _unsure_row(each: Mapping[str, Any]) -> tuple[str, ...]:
    changes = (each[f"{name}_change"] for name in ("free_energy", "log_rate", "zeros"))
    first, *others = ("–" if value is None else value for value in changes)
    relative = first if isinstance(first, str) else f"{100 * first:+.2f}%".replace("-", "−")
    told = [value if isinstance(value, str) else f"{value:+.4f}".replace("-", "−") for value in others]
    return each["cell"], standing(each), relative, *told


def _data(rows: Sequence[Row]) -> str:
    names = sorted({str(row["data"]) for row in rows if row.get("data") is not None})
    return f"on {', '.join(names)}" if names else "data not said"


def _count(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def _list(values: Sequence[float]) -> str:
    shown = [f"{value:g}" for value in values]
    return ", ".join(shown) if len(shown) <= 12 else f"{shown[0]} to {shown[-1]} ({len(shown)} values)"
