"""Evidence in the report of a sweep: each family at its best β, and what all pay at one distortion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from ppl_pvae.analysis import page, words
from ppl_pvae.analysis.sweeps.best_evidence import BestEvidence
from ppl_pvae.analysis.sweeps.evidence_difference import EvidenceDifference
from ppl_pvae.analysis.sweeps.matched import Matched, MatchedCurve

__all__ = ["best_html", "matched_html", "matched_title"]

_OVER_DISTORTION = (
    "Bound on log p(x) of held-out images over distortion, a mark for each β; the first family is in all panels of as "
    "many units. Where its curve lies above another it is the better code of images at that distortion. Further down "
    "than 60 nats below the highest bound nothing is shown."
)


def best_html(best: Sequence[BestEvidence], figures: Mapping[str, Path]) -> str:
    """Figure, table and note in HTML; empty where no family has evidence."""
    if not best:
        return ""
    head = ("program variant", "K", "seeds", "best β", "log p(x) ≥", "less the first's", "distortion",
            "at the edge of the grid", "convergence")  # fmt: skip
    table = page.table([head, *map(_best_row, best)], ("", *("value",) * 7, "grey"))
    note = (
        "Each family at the β that bounds log p(x) highest, chosen on the images that it is judged by; nothing is read "
        "off between cells. Beside it how much that is above the first family with as many units at its own best β, ± "
        "the standard error over photographs; where it is not paired, for want of the bounds of single images, that is "
        "the error of different images and too wide."
    )
    picture = page.figure(figures, "evidence", _OVER_DISTORTION, "wide")
    return f'{picture}{table}<p class="note">{escape(note)}</p>'


def _best_row(best: BestEvidence) -> tuple[str, ...]:
    error = "" if best.log_evidence_se is None else f" ± {best.log_evidence_se:.2g}"
    return (
        best.family,
        str(best.units),
        str(best.seeds),
        f"{best.beta:g}",
        words.number(best.log_evidence) + error,
        _difference(best.evidence_difference),
        words.number(best.distortion),
        "β" if best.edge else "no",
        _convergence(best.converged, best.evidence_difference),
    )


def matched_title(matches: Matched | None) -> str:
    """Heading of the section about one distortion."""
    if matches is None or not matches.curves:
        return "At equal distortion"
    return f"At equal distortion, {words.number(matches.distortion)} nats"


def matched_html(matches: Matched | None) -> str:
    """What families pay at one distortion: table and notes in HTML."""
    if matches is None or not matches.curves:
        note = "No two cells of one family lie on either side of one distortion, so none is matched."
        return f'<p class="note">{note}</p>'
    head = ("program variant", "K", "spikes or activity", "nats", "log p(x) ≥", "less the first's", "by spikes",
            "by nats", "by evidence", "between β", "between distortions", "convergence")  # fmt: skip
    rows = [head, *(_match_row(match) for match in matches.curves)]
    table = page.table(rows, ("", *("value",) * 10, "grey"))
    note = (
        "Per image, read off between the two cells with the nearest distortion on either side, seed by seed (± "
        "standard deviation over seeds); nothing is extrapolated. Ranks, among as many units: 1 is the fewest spikes "
        "(of codes that are counts), the fewest nats, the highest evidence. Evidence less that of the first family "
        "with as many units: ± its standard error over photographs."
    )
    note += "".join(f" {caveat}" for caveat in matches.caveats)
    if matches.left_out:
        note += f" Not among them, because they do not enclose that distortion: {'; '.join(matches.left_out)}."
    return f'{table}<p class="note">{escape(note)}</p>'


def _match_row(match: MatchedCurve) -> tuple[str, ...]:
    def told(name: str) -> str:
        value, spread = getattr(match, name), match.spreads.get(name)
        return words.number(value) + (f" ± {spread:.2g}" if spread is not None else "")

    near, far = match.between
    return (
        match.family,
        str(match.units),
        told("spikes_per_image"),
        told("coding_rate"),
        told("log_evidence"),
        _difference(match.evidence_difference),
        words.number(match.rank_spikes),
        words.number(match.rank_nats),
        words.number(match.rank_evidence),
        f"{near:g} and {far:g}",
        f"{match.bracket[0]:.1f} and {match.bracket[1]:.1f}",
        _convergence(match.converged, match.evidence_difference),
    )


def _convergence(own: bool, difference: EvidenceDifference | None) -> str:
    if not own:
        return "not all converged"
    return "converged" if difference is None or difference.converged else f"{difference.beside} not all converged"


def _difference(difference: EvidenceDifference | None) -> str:
    if difference is None:
        return "–"
    error = "" if difference.standard_error is None else f" ± {difference.standard_error:.2g}"
    return words.number(difference.difference) + error + ("" if difference.paired else " (not paired)")
