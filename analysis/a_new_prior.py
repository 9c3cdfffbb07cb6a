# %% [markdown]
# # Do 512 units need 512 prior rates, or are two numbers enough?
#
# Mean firing rates in cortex are close to log-normal (Buzsáki & Mizuseki 2014, Nat. Rev. Neurosci. 15:264). Here is a
# prior that knows nothing else: the rate of unit k is the k-th quantile of a log-normal distribution, whose mean and
# spread are learned. It stands beside the built-in prior, which learns a rate for each unit.

# %%
import os
from functools import partial

import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import numpyro
import numpyro.distributions as dist
from jax.scipy.special import ndtri

import ppl_pvae
from ppl_pvae.analysis import posterior_of
from ppl_pvae.analysis.evidence import paired_difference
from ppl_pvae.analysis.plots.style import BLUE, FAINT, GREY, LOOK, VERMILLION
from ppl_pvae.models import poisson

RUNS = os.environ.get("PPL_PVAE_RUNS")  # runs are kept and opened there; without it they live in memory
DATA = os.environ.get("PPL_PVAE_DATA", "natural")
UNITS = int(os.environ.get("PPL_PVAE_UNITS", 512))
STEPS = int(os.environ.get("PPL_PVAE_STEPS", 2500))
plt.rcParams.update(LOOK)

# %% [markdown]
# A prior is a function of `nets`. Model and guide of the built-in program take it by keyword, and share the two
# parameters through their names. β, estimator and schedule are no business of a prior's.


# %%
def log_normal_rates(nets):
    mean = numpyro.param("log_rate_mean", -1.0)
    spread = numpyro.param("log_rate_spread", 0.3, constraint=dist.constraints.positive)
    return jnp.exp(mean + spread * ndtri((jnp.arange(nets.units) + 0.5) / nets.units))


PRIORS = {"a rate for each unit": poisson.learned_rate, "log-normal": log_normal_rates}

# %% [markdown]
# Both are given as a pair of functions. (The name "poisson" would be the first of them, moved by its optimizer in
# coordinates of its own: it would arrive sooner, and the difference would not be the prior's alone.)

# %%
runs = {}
for name, prior in PRIORS.items():
    program = partial(poisson.model, prior_rate=prior), partial(poisson.guide, prior_rate=prior)
    out = f"{RUNS}/{name.replace(' ', '-')}" if RUNS else None
    runs[name] = ppl_pvae.train(program, DATA, units=UNITS, steps=STEPS, out=out, resume=True)
    print(f"{name}\n{runs[name].table()}\n")
mean, spread = (float(runs["log-normal"].params[key]) for key in ("log_rate_mean", "log_rate_spread"))
print(f"log-normal: median prior rate {np.exp(mean):.3g} spikes per image, spread of log rates {spread:.2f}")

# %% [markdown]
# Free energies of the two can be compared as they stand, both at one β. The evidence is the stricter judge: the bound
# on log p(x) of images that neither program was trained on, image by image, the same images for both.

# %%
built_in, ours = (posterior_of(run.tree) for run in runs.values())
some = np.unique(np.linspace(0, len(ours.x) - 1, 500).astype(int))  # evenly spaced, so that all photographs are there
evidence = {name: run.log_evidence(ours.x[some], draws=200).values for name, run in runs.items()}
group = ours.group[some]
difference = paired_difference(evidence["log-normal"], evidence["a rate for each unit"], group)

# %% [markdown]
# Left, prior rates by rank, as lines, and the mean rates E λ of the units as dots: a prior is right about a unit where
# both agree, and what it is wrong about is paid for as mismatch. The units of the log-normal code are in the order of
# their quantiles, so its dots may lie anywhere. Right, the difference in evidence on each photograph; the band is the
# mean of all with its interval over photographs.

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.7), layout="constrained")
for (name, _), said, colour in zip(runs.items(), (built_in, ours), (BLUE, VERMILLION), strict=True):
    order = np.argsort(-said.prior_mean)
    left.plot(np.arange(1, len(order) + 1), said.prior_mean[order], color=colour, label=name, zorder=2)
    left.plot(np.arange(1, len(order) + 1), said.use[order], ".", color=colour, markersize=2, alpha=0.5, zorder=1)
left.set(yscale="log", xlabel="unit, highest prior rate first", ylabel="spikes per image")
left.legend()
gap = evidence["log-normal"] - evidence["a rate for each unit"]
each = [gap[group == g] for g in np.unique(group)]
order = np.argsort([d.mean() for d in each])
inside = difference.interval
right.axvspan(inside.low, inside.high, color=FAINT, linewidth=0)
right.axvline(inside.estimate, color=VERMILLION)
right.axvline(0, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
for row, index in enumerate(order):
    d = each[index]
    right.errorbar(d.mean(), row, xerr=d.std() / np.sqrt(len(d)), fmt="o", color=BLUE, markersize=3, linewidth=0.8)
right.set(xlabel="log evidence, log-normal − built-in, nats", ylabel="photograph", yticks=[])
plt.show()

# %%
print(f"evidence, log-normal − built-in: {inside.estimate:+.2f} ± {difference.standard_error:.2f} nats per image")
