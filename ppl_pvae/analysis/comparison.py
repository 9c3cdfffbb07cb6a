"""Several runs on the same images: differences image by image, and what each pays at equal distortion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Num

from ppl_pvae.analysis.evidence import Difference, paired_difference
from ppl_pvae.analysis.matching import geometric, neighbours, shared_middle
from ppl_pvae.analysis.study import Study
from ppl_pvae.errors import UserError

__all__ = ["APART", "MATCHED", "Match", "Pair", "check_same_images", "differences_of", "families", "match_distortion"]

MATCHED = ("spikes_per_image", "coding_rate")
APART = ("trained_on", "likelihood", "noise", "encoder", "decoder", "width", "depth", "decoder_bias", "dispersion")
APART += ("concentration",)


@dataclass(frozen=True)
class Pair:
    """How a run differs from another on the same images."""

    name: str
    beside: str
    difference: Difference


@dataclass(frozen=True)
class Match:
    """What a program would pay at some distortion, read off between two of its runs.

    Parameters
    ----------
    program
        Its name.
    distortion
        At which, nats per image.
    paid
        `spikes_per_image` and `coding_rate` there.
    between
        Names of the two runs.
    """

    program: str
    distortion: float
    paid: Mapping[str, float]
    between: tuple[str, str]


def check_same_images(images: Mapping[str, Num[np.ndarray, "image ..."]]) -> None:
    """Make sure that all runs were tested on the same images.

    Parameters
    ----------
    images
        Those of each run, by its name.

    Raises
    ------
    UserError
        Naming the two runs that were not.
    """
    (first, same), *others = images.items()
    for other, x in others:
        if not np.array_equal(x, same):
            raise UserError(
                f"{first} and {other} were tested on different images and cannot be compared image by image; "
                "give --data NAME to analyse both on the same."
            )


def differences_of(studies: Sequence[Study], quantity: str = "log_evidence") -> list[Pair]:
    """Each run against the first: of `log_evidence`, or of `free_energy` at each run's own β.

    Runs without evidence are left out.
    """
    if quantity == "log_evidence":
        known = [s for s in studies if s.evidence is not None]
        rows = [s.evidence.log_evidence for s in known if s.evidence is not None]
        group = known[0].posterior.group[known[0].evidence.image] if known and known[0].evidence else np.zeros(0)
    else:
        known = list(studies)
        rows = [s.posterior.distortion + s.summary["beta"] * s.posterior.kl.sum(axis=1) for s in known]
        group = known[0].posterior.group
    return [
        Pair(s.name, known[0].name, paired_difference(mine, rows[0], group))
        for s, mine in zip(known[1:], rows[1:], strict=True)
    ]


def families(studies: Sequence[Study]) -> dict[str, list[Study]]:
    """Runs that differ in β, price and seed at most, by what they have in common in words, in order of appearance.

    Data that were trained on, networks, likelihood and dispersion are named where runs that are otherwise of one family
    differ in them.
    """
    alike: dict[str, list[Study]] = {}
    for s in studies:
        parts = [str(s.summary[name]) for name in ("program", "prior", "pays") if s.summary.get(name)]
        bias = [] if s.summary.get("encoder_bias", True) else ["no bias"]
        alike.setdefault(", ".join([*parts, *bias, f"K = {s.summary['units']}"]), []).append(s)
    found: dict[str, list[Study]] = {}
    for label, members in alike.items():
        varied = [name for name in APART if len({s.summary.get(name) for s in members}) > 1]
        for s in members:
            told = [f"{name.replace('_', ' ')} {s.summary.get(name)}" for name in varied]
            found.setdefault(", ".join([label, *told]), []).append(s)
    return found


def match_distortion(studies: Sequence[Study], distortion: float | None = None) -> list[Match]:
    """What each program pays at one distortion, between those of its runs on either side of it.

    Interpolated linearly in distortion and in the logarithm of what is paid. Programs are told apart as by `families`;
    those whose runs all lie on one side are left out: nothing is extrapolated. So are runs of which any of the three
    numbers is unknown.

    Parameters
    ----------
    studies
        Runs of at least one program at several β.
    distortion
        At which to compare; by default the middle of the range that all programs with two runs or more share.
    """
    known = [s for s in studies if all(s.summary.get(key) is not None for key in ("distortion", *MATCHED))]
    several = {name: sorted(rows, key=_distortion) for name, rows in families(known).items() if len(rows) > 1}
    if distortion is None:
        distortion = shared_middle([(_distortion(rows[0]), _distortion(rows[-1])) for rows in several.values()])
    if distortion is None:
        return []
    return [match for name, rows in several.items() if (match := _between(name, rows, distortion)) is not None]


def _distortion(study: Study) -> float:
    return float(study.summary["distortion"])


def _between(program: str, rows: list[Study], distortion: float) -> Match | None:
    found = neighbours([_distortion(s) for s in rows], distortion)
    if found is None:
        return None
    near, far, share = rows[found[0]], rows[found[1]], found[2]
    paid = {key: geometric(near.summary[key], far.summary[key], share) for key in MATCHED}
    return Match(program, distortion, paid, (near.name, far.name))
