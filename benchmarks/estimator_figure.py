"""Bias, noise, direction and cost of the gradient estimators over temperature, a column for each rate."""

from collections.abc import Mapping, Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ppl_pvae.analysis.plots.style import BLUE, FAINT, GREEN, GREY, ORANGE, PAGE, VERMILLION, short, styled

__all__ = ["draw"]

SKY = "#56B4E9"  # one more of the palette of Okabe and Ito
# A colour for each way of drawing; its hard form is dashed, with hollow markers.
COLOURS = {
    "arrival-time": BLUE,
    "sigmoid": SKY,
    "gumbel-softmax": ORANGE,
    "straight-through": VERMILLION,
    "score-function": GREEN,
}
NAMES = {"arrival-time": "arrival-time, cubic", "sigmoid": "arrival-time, sigmoid", "score-function": "score function"}
LEVEL = ("straight-through", "score-function")  # which have no temperature
PART = "encoder"
ROWS = (  # column of the table, label of the axis, its ends
    ("bias", "bias, × ‖g*‖", (0.004, 2.5)),
    ("noise", "noise of one image", (0.6, 40)),
    ("cosine", "cosine, 1,000 images", (0.0, 1.02)),
    ("ratio_to_exact", "time, × exact", (0.8, 400)),
)
HEIGHT = 7.0
CARET = {"ls": "none", "marker": 7, "ms": 4, "mew": 0.8}


@styled
def draw(lines: Sequence[Mapping[str, str]]) -> Figure:
    """Gradients of the encoder, from the lines of estimators.csv; what has no temperature is a level line.

    Bars are 95% intervals. A caret stands at the upper end of one that reaches 0: no bias is seen.
    """
    lines = [line for line in lines if line["part"] == PART]
    rates = sorted({line["rate"] for line in lines}, key=float)
    figure = Figure(figsize=(PAGE, HEIGHT))
    axes = figure.subplots(len(ROWS), len(rates), sharex=True, sharey="row", squeeze=False)
    figure.subplots_adjust(left=0.075, right=0.995, bottom=0.06, top=0.905, wspace=0.09, hspace=0.14)
    for rate, column in zip(rates, axes.T, strict=True):
        chosen = [line for line in lines if line["rate"] == rate]
        column[0].set_title(f"mean rate {short(float(chosen[0]['mean_rate']))}")
        column[-1].set_xlabel("temperature τ")
        for axis, (name, _, ends) in zip(column, ROWS, strict=True):
            _panel(axis, chosen, name, ends)
    for axis, (_, label, _) in zip(axes[:, 0], ROWS, strict=True):
        axis.set_ylabel(label)
    figure.align_ylabels(axes[:, 0])
    figure.legend(handles=_handles(), loc="upper center", bbox_to_anchor=(0.535, 1.0), ncols=5, columnspacing=1.6)
    FigureCanvasAgg(figure)
    return figure


def _panel(axis, lines, name, ends):
    axis.set_xscale("log")
    if name != "cosine":
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_locator(NullLocator())
    axis.set_ylim(ends)
    temperatures = sorted({float(line["temperature"]) for line in lines if line["temperature"]})
    axis.xaxis.set_major_locator(FixedLocator(temperatures))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".removeprefix("0")))
    axis.xaxis.set_minor_locator(NullLocator())
    axis.set_xlim(temperatures[0] / 1.35, temperatures[-1] * 1.35)
    axis.grid(axis="y", color=FAINT, lw=0.5)
    axis.set_axisbelow(True)
    if name == "ratio_to_exact":
        axis.axhline(1, color=GREY, lw=0.6)
    for estimator in sorted({line["estimator"] for line in lines}, key=lambda each: each not in LEVEL):
        own = [line for line in lines if line["estimator"] == estimator]
        if estimator in LEVEL:
            _level(axis, own[0], name, COLOURS[estimator])
        else:
            _curve(axis, sorted(own, key=lambda line: float(line["temperature"])), name, _look(estimator))


def _level(axis, line, name, colour):
    if _is_seen(line, name):
        axis.axhline(float(line[name]), color=colour, lw=1.2)
    else:
        across = axis.get_yaxis_transform()
        axis.plot([0.03, 0.97], [float(line["bias_high"])] * 2, color=colour, transform=across, **CARET)


def _curve(axis, lines, name, look):
    # A curve is interrupted where no bias is seen.
    seen = [_is_seen(line, name) for line in lines]
    at = [float(line["temperature"]) for line in lines]
    values = [float(line[name]) if s else float("nan") for line, s in zip(lines, seen, strict=True)]
    axis.plot(at, values, **look)
    for temperature, line, s in zip(at, lines, seen, strict=True):
        if not s:
            axis.plot(temperature, float(line["bias_high"]), color=look["color"], mfc=look["mfc"], **CARET)
        elif name != "ratio_to_exact":
            axis.vlines(
                temperature, float(line[f"{name}_low"]), float(line[f"{name}_high"]), color=look["color"], lw=0.7
            )


def _is_seen(line, name):
    return name != "bias" or float(line["bias_low"]) > 0


def _look(estimator):
    hard = estimator.endswith(" hard")
    colour = COLOURS[estimator.removesuffix(" hard")]
    marker = {"marker": "o", "ms": 3.2, "mew": 0.8, "mfc": "white" if hard else colour}
    return {"color": colour, "lw": 1.2, "ls": (0, (3, 1.5)) if hard else "-", **marker}


def _handles():
    """Columns of two: soft and hard of each relaxation, the two without temperature, what a caret is."""
    handles = []
    for estimator in COLOURS:
        name = NAMES.get(estimator, estimator)
        if estimator in LEVEL:
            handles.append(Line2D([], [], color=COLOURS[estimator], lw=1.2, label=name))
        else:
            handles.append(Line2D([], [], label=name, **_look(estimator)))
            handles.append(Line2D([], [], label="hard", **_look(f"{estimator} hard")))
    return [*handles, Line2D([], [], color=GREY, label="bias below", **CARET)]
