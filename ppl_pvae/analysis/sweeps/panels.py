"""What the figures of a sweep show: a label, a scale and a caption for each metric, and which belong together."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["PANELS", "THEMES", "Panel", "Theme"]


class Panel(NamedTuple):
    """One metric against β.

    Parameters
    ----------
    label
        Of its axis, with the unit.
    is_log
        Whether the axis is logarithmic.
    of_counts
        Whether it is defined for counts alone.
    silence
        What sending nothing has; None where that has none or the scale cannot show it.
    """

    label: str
    is_log: bool = False
    of_counts: bool = False
    silence: float | None = None


class Theme(NamedTuple):
    """Metrics that are looked at together.

    Parameters
    ----------
    title
        Heading of their section.
    keys
        The metrics.
    caption
        What to see.
    """

    title: str
    keys: tuple[str, ...]
    caption: str


PANELS = {
    "zeros": Panel("zeros, share"),
    "lifetime_sparseness": Panel("lifetime sparseness"),
    "firing_rate": Panel("activity per unit\n(spikes for counts)", is_log=True),
    "spikes_per_image": Panel("activity per image\n(spikes for counts)", is_log=True),
    "coding_rate": Panel("coding rate,\nnats per image", is_log=True),
    "r2": Panel("R², pooled", silence=0.0),
    "active_units": Panel("active units, share"),
    "nats_per_spike": Panel("nats paid\nper spike", is_log=True, of_counts=True),
    "bits_per_spike": Panel("bits delivered\nper spike", is_log=True, of_counts=True),
    "bits_per_giga_atp": Panel("bits per 10⁹ ATP", is_log=True, of_counts=True),
}
"""Every metric that is drawn against β."""

THEMES = {
    "sparsity": Theme(
        "Sparsity over β",
        ("zeros", "lifetime_sparseness"),
        "Share of zeros and lifetime sparseness of held-out codes against the price of a nat.",
    ),
    "activity": Theme(
        "Activity over β",
        ("firing_rate", "spikes_per_image"),
        "Mean activity of a unit and of the population. Per unit it falls by arithmetic as units are added.",
    ),
    "fidelity": Theme(
        "What is paid and what it buys",
        ("coding_rate", "r2", "active_units"),
        "Nats per image, explained variation, and share of units that cost more than 0.01 nat; dashed: sending "
        "nothing.",
    ),
    "prices": Theme(
        "What a spike costs and carries",
        ("nats_per_spike", "bits_per_spike", "bits_per_giga_atp"),
        "Codes of counts. Nats paid per spike include mismatch, bits delivered do not (summed over units, so that what "
        "two say counts twice). Energy by the budget of Attwell & Laughlin 2001.",
    ),
}
"""Themes by name, in the order of the report."""
