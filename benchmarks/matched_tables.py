"""Tables of evidence: what codes pay at one distortion, and each at its best β, from the findings of a sweep."""

from collections.abc import Mapping, Sequence
from typing import Any

from table_cells import amount, beta, family, family_by_units, plus_minus, tenths
from tables import markdown

__all__ = ["best", "best_ahead", "evidence", "matched", "over_distortions", "over_units", "ranked"]


def matched(found: Mapping[str, Any], units: int) -> str:
    """What each family of so many units pays at one distortion."""
    there = [match for match in found["curves"] if match["units"] == units]
    rows = [
        [
            family(match["family"]) + _marks(match),
            str(match["seeds"]),
            *_paid(match),
            *_evidence(match),
            " to ".join(beta(value) for value in match["between"]),
        ]
        for match in there
    ]
    heads = ("seeds", "spikes", "nats", *_evidence_heads(there), "between β")
    return markdown((f"distortion {tenths(found['distortion'])}, K = {units:,}", *heads), rows)


def ranked(found: Mapping[str, Any]) -> str:
    """Programs at one distortion with the places that they take, the fewest spikes first."""
    rows, there = [], found["curves"]
    for match in there:
        spikes, nats = _paid(match)
        first, second, third = (str(match[f"rank_{name}"] or "") for name in ("spikes", "nats", "evidence"))
        rows.append([family(match["family"]) + _marks(match), spikes, first, nats, second, *_evidence(match), third])
    heads = ("spikes", "place", "nats", "place", *_evidence_heads(there), "place")
    return markdown((f"distortion {tenths(found['distortion'])}, K = {there[0]['units']:,}", *heads), rows)


def _marks(match: Mapping[str, Any]) -> str:
    return ("" if match["converged"] else "*") + ("†" if match["wide"] else "")


def _paid(match: Mapping[str, Any]) -> list[str]:
    return [amount(match["spikes_per_image"]) if match["is_count"] else "", amount(match["coding_rate"])]


def _evidence(match: Mapping[str, Any]) -> list[str]:
    gap = match["evidence_difference"]
    less = "" if gap is None else plus_minus(gap["difference"], gap["standard_error"], 1)
    less += ", paired" if gap is not None and gap["paired"] else ""
    return [plus_minus(match["log_evidence"], match["log_evidence_se"], 1), less]


def _evidence_heads(matches: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    beside = [family(gap["beside"]) for match in matches if (gap := match["evidence_difference"]) is not None]
    return "log p(x) ≥", f"less that of {beside[-1] if beside else ''}"


def over_units(found: Mapping[str, Any], label: str) -> str:
    """What one family pays at one distortion, a row for each number of units."""
    rows = []
    for match in (match for match in found["curves"] if match["family"] == label):
        rows.append([f"{match['units']:,}{_marks(match)}", *_paid(match), _evidence(match)[0]])
    return markdown((f"distortion {tenths(found['distortion'])}: K", "spikes", "nats", "log p(x) ≥"), rows)


def over_distortions(founds: Sequence[Mapping[str, Any]], units: int) -> str:
    """How far each family's bound on log p(x) lies above the first one's: a column for each distortion."""
    rows: dict[str, list[str]] = {}
    for at, found in enumerate(founds):
        for match in (match for match in found["curves"] if match["units"] == units):
            cells = rows.setdefault(family(match["family"]), [""] * len(founds))
            gap = match["evidence_difference"]
            if gap is None:
                cells[at] = f"({plus_minus(match['log_evidence'], None, 1)}{_marks(match)})"
            else:
                # A chord of the first family is marked in its own row.
                marks = ("" if gap["converged"] else "*") + ("†" if match["wide"] else "")
                cells[at] = plus_minus(gap["difference"], gap["standard_error"], 1) + marks
    heads = (f"at {tenths(found['distortion']).removesuffix('.0')}" for found in founds)
    return markdown(
        (f"log p(x) ≥, less that of Poisson, K = {units:,}", *heads), [[name, *cells] for name, cells in rows.items()]
    )


def evidence(found: Mapping[str, Any]) -> str:
    """Bounds on log p(x) at one distortion: a row a family, a column for each number of units."""
    cells = [
        (match["family"], match["units"], plus_minus(match["log_evidence"], None, 1) + _marks(match))
        for match in found["curves"]
    ]
    return family_by_units(cells, f"log p(x) ≥, distortion {tenths(found['distortion'])}")


def best(found: Sequence[Mapping[str, Any]]) -> str:
    """Each family at the β of its highest evidence: that bound and β, a column for each number of units."""
    cells = [(each["family"], each["units"], _best(each)) for each in found]
    return family_by_units(cells, "highest log p(x) ≥, at β")


def _best(each: Mapping[str, Any]) -> str:
    told = f"{plus_minus(each['log_evidence'], None, 1)} at {beta(each['beta'])}"
    return told + ("" if each["converged"] else "*") + (" (edge)" if each["edge"] else "")


def best_ahead(found: Sequence[Mapping[str, Any]]) -> str:
    """How far that is above the first family's best with as many units."""
    cells = []
    for each in (each for each in found if each["evidence_difference"] is not None):
        gap = each["evidence_difference"]
        told = plus_minus(gap["difference"], gap["standard_error"], 1) + ("" if gap["paired"] else " (unpaired)")
        cells.append((each["family"], each["units"], told + ("" if gap["converged"] else "*")))
    return family_by_units(cells, "highest log p(x) ≥, less the highest of Poisson")
