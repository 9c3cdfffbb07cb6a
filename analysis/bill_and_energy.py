# %% [markdown]
# # What does a bit cost in spikes and in ATP, and which code is the best buy?
#
# Three codes, of cheap, plain and dear nats (β). Of what each pays, how much does it deliver, and where a silent neuron
# costs energy too, which of them carries most information for its energy?

# %%
import os
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import brentq

import ppl_pvae
from ppl_pvae.analysis import plots
from ppl_pvae.analysis.energy import BUDGETS, best_operating_points, bits_per_atp, hertz
from ppl_pvae.analysis.information import bits_per_spike
from ppl_pvae.analysis.plots.style import BLUE, GREEN, GREY, INK, LOOK, VERMILLION

RUNS = os.environ.get("PPL_PVAE_RUNS")  # runs are kept and opened there; without it they live in memory
DATA = os.environ.get("PPL_PVAE_DATA", "natural")
UNITS = int(os.environ.get("PPL_PVAE_UNITS", 512))
STEPS = int(os.environ.get("PPL_PVAE_STEPS", 2500))
BETAS = (0.4, 1.0, 4.0)
WINDOW = 0.25  # seconds in which the spikes of an image are counted: the time of a fixation
plt.rcParams.update(LOOK)

# %%
studies = []
for beta in BETAS:
    out = f"{RUNS}/beta-{beta:g}" if RUNS else None
    run = ppl_pvae.train("poisson", DATA, units=UNITS, steps=STEPS, beta=beta, out=out, resume=True)
    studies.append(run.study(f"β = {beta:g}"))

# %% [markdown]
# Every unit pays its KL and delivers the information that its count has about the image; the mismatch between the two
# is paid because the prior is not the distribution of its counts. One dot a unit, at β = 1.

# %%
plots.delivered(studies[1].bill)

# %% [markdown]
# Units repeat each other, so the sum over units is too much for the whole code. Bounds on what the population says
# stand beside it. The lower one never exceeds log N for N images and means "at least" where it comes near that.
# `s.delivered` is the smaller of the sum and the upper bound.

# %%
for s in studies:
    bill, bounds, spikes = s.bill, s.population, float(s.posterior.use.sum())
    print(
        f"{s.name}: {spikes:.1f} spikes per image",
        f"  units pay {bill.paid.sum():.1f} nats and deliver {bill.delivered.sum():.1f}",
        f"  mismatch {bill.mismatch.sum():.1f}, all but {(bill.mismatch - bill.shape).sum():.2f} beyond any prior rate",
        f"  the whole code says {bounds.lower:.1f} (log N = {bounds.cap:.1f}) to {bounds.upper:.1f} nats",
        f"  a spike costs {bits_per_spike(bill.paid.sum(), spikes):.2f} bits",
        f"  and carries {bits_per_spike(s.delivered, spikes):.2f}",
        sep="\n",
    )

# %% [markdown]
# A budget says what a spike and a second of rest cost. The window, in which the spikes of one image are counted, is not
# in the literature: it decides how many hertz a count is, and how long a unit rests.

# %%
budgets = [replace(budget, window=WINDOW) for budget in BUDGETS]
for budget in budgets:
    rows = [(s.delivered, float(s.posterior.use.sum()), len(s.posterior.use)) for s in studies]
    told = (f"{bits_per_atp(*row, budget):.1e} at {hertz(row[1] / row[2], WINDOW):.2f} Hz" for row in rows)
    print(f"{budget.name}, rest / spike {budget.ratio:.2f}: bits per ATP {', '.join(told)}")

# %% [markdown]
# The dearer rest is, the more spikes are worth their price. Left, each code's efficiency over the cost of rest; where
# curves cross, another β becomes the best buy. Dotted lines are the budgets. Right, how often a unit of the best code
# spikes, beside the optimum of Levy & Baxter (1996) for a unit that is on or off, without noise:
# p = (1 − p)^((1 + ρ)/ρ), ρ the cost of rest over that of a spike. A step can only be as fine as the β above.

# %%
ratio = np.geomspace(1e-3, 10, 200)
nats, spikes = (np.array(each) for each in zip(*((s.delivered, s.posterior.use.sum()) for s in studies), strict=True))
units = len(studies[0].posterior.use)
best = best_operating_points(nats, spikes, units, ratio)
optimum = [brentq(lambda p, power=(1 + r) / r: p - (1 - p) ** power, 0.0, 1.0) for r in ratio]
fires = np.array([1 - s.summary["zeros"] for s in studies])

fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.8), layout="constrained", sharex=True)
for s, n, z, colour in zip(studies, nats, spikes, (BLUE, VERMILLION, GREEN), strict=True):
    left.plot(ratio, n / np.log(2) / (z + ratio * units), color=colour, label=s.name)
left.set(xscale="log", yscale="log", ylabel="bits per spike's worth of energy")
left.legend(loc="lower left")
right.plot(ratio, fires[best.best], color=INK, label="best of these codes")
right.plot(ratio, optimum, color=GREY, linestyle=(0, (4, 2)), label="Levy & Baxter")
right.set(yscale="log", ylabel="probability that a unit spikes")
right.legend(loc="upper left")
for ax in (left, right):
    ax.set_xlabel("rest of a unit in the window, in spikes (ρ)")
    for budget in budgets:
        ax.axvline(budget.ratio, color=GREY, linewidth=0.7, linestyle=(0, (1, 2)), zorder=0)
for budget in budgets:
    name = budget.name.split()[0].strip(",")
    left.text(
        budget.ratio, 1, name, transform=left.get_xaxis_transform(), rotation=90, fontsize=6, ha="right", va="top"
    )
plt.show()

# %%
here = best_operating_points(nats, spikes, units, np.array([budgets[0].ratio])).best[0]
bits, rate = nats[here] / np.log(2), hertz(spikes[here] / units, WINDOW)
print(f"best buy under {budgets[0].name}: β = {BETAS[here]:g}, {bits:.1f} bits per image at {rate:.2f} Hz a unit")
