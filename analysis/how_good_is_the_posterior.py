# %% [markdown]
# # Is this posterior to be believed?
#
# Five questions, each able to say no: has training arrived, do importance weights hold, what does one encoder for all
# images cost, are the posteriors as wide as the model implies, and do the images that the program makes look like ours?

# %%
import os
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

import ppl_pvae
from ppl_pvae.analysis import Verdict, posterior_of
from ppl_pvae.analysis.calibration import judge_ranks, pooled_histogram
from ppl_pvae.analysis.convergence import standing
from ppl_pvae.analysis.evidence import PARETO_LIMIT
from ppl_pvae.analysis.intervals import interval_of_means
from ppl_pvae.analysis.plots.style import BLUE, FAINT, GREY, LOOK, VERMILLION
from ppl_pvae.analysis.words import convergence_sentence

RUN = os.environ.get("PPL_PVAE_RUN")  # a run of the Poisson program at β = 1, as `python -m ppl_pvae.fit` leaves one
DATA = os.environ.get("PPL_PVAE_DATA", "natural")
UNITS = int(os.environ.get("PPL_PVAE_UNITS", 512))
STEPS = int(os.environ.get("PPL_PVAE_STEPS", 2500))
IMAGES = 500
plt.rcParams.update(LOOK)

# %% [markdown]
# **Has it arrived?** Spikes settle long after the free energy looks flat, so a run is judged by a second one with twice
# the steps, measured on the same training images. This is most of the time that the notebook takes.

# %%
settings = {"units": UNITS, "steps": STEPS, "check_convergence": True}
run = ppl_pvae.open_run(RUN) if RUN else ppl_pvae.train("poisson", DATA, **settings)
converged, doubling = run.summary["converged"], run.summary.get("doubling")
print(f"{standing(run.summary)}. {convergence_sentence(converged, Verdict(**doubling) if doubling else None)}")
said = posterior_of(run.tree)
some = np.unique(np.linspace(0, len(said.x) - 1, IMAGES).astype(int))  # evenly spaced: all photographs are there
x, photograph = said.x[some], said.group[some]

# %% [markdown]
# **Do the weights hold?** The evidence of an image is a mean of importance weights. Where the Pareto k̂ of the weights
# is above 0.7 their mean hangs on codes that were not drawn: the bound still is one, but far below log p(x).

# %%
weighed = run.evidence(x, draws=200)
elbo = -(said.distortion + said.likelihood_constant + said.kl.sum(axis=1))[some]
heavy = float((weighed["pareto_k"] > PARETO_LIMIT).mean())
print(
    f"{heavy:.0%} of images above {PARETO_LIMIT}; draws gain {(weighed['log_evidence'].values - elbo).mean():.2f} nats"
)

# %% [markdown]
# **What does one encoder for all images cost?** Each image's own rates are moved until its free energy falls no more,
# prior and decoder held. What is gained is the amortisation gap.

# %%
refined = run.refine(x)
gained = (refined["free_energy_before"] - refined["free_energy_after"]).values
gap = interval_of_means(gained, photograph)
print(f"amortisation gap {gap.estimate:.2f} nats per image ({gap.low:.2f} to {gap.high:.2f} over photographs)")
for name in ("coding_rate", "distortion"):
    print(f"{name}: {float(refined[f'{name}_before'].mean()):.1f} → {float(refined[f'{name}_after'].mean()):.1f} nats")

# %% [markdown]
# **Are posteriors as wide as the model implies?** Codes are drawn from the prior, images from the codes, and each code
# is ranked among posterior draws of its image. Ranks are uniform if the posterior is exact, which only β = 1 asks for:
# too many at the ends mean that it is too narrow, a slope that it is off to one side. A guide spoiled on purpose shows
# what that looks like: with its bias lowered by log 2 it says half the rates.

# %%
bias = run.params["encoder_bias"] - np.log(2)
spoiled = replace(run, params={**run.params, "encoder_bias": bias})
busy = np.argsort(-said.use)[:50]  # ranks of units that hardly ever spike are ties, and say nothing
ranks = {}
for name, which in (("as trained", run), ("half the rates", spoiled)):
    found = which.calibrate(images=IMAGES, draws=99)
    ranks[name] = judge_ranks(found["rank"].values[:, busy], found.attrs["draws"])
    print(f"{name}: p = {ranks[name].p_value:.2g}, median shift {np.median(ranks[name].shift):+.3f}, "
          f"spread {np.median(ranks[name].spread):.2f}")  # fmt: skip

# %% [markdown]
# **Does the program make images like ours?** Statistics of the test images and of their codes, beside those of as many
# that are drawn from the prior. A model of patches as sums of independent parts will fail some of these; which ones say
# what to change. With 99 replicates no p-value is below 0.02.

# %%
checks = run.check(x, replicates=99)
for statistic in checks["statistic"].values:
    one = checks.sel(statistic=statistic)
    made = one["replicated"].values
    print(f"{one['of'].item():<6}{statistic:<40}{one['observed'].item():>10.3f}   made {np.nanmean(made):>9.3f} "
          f"± {np.nanstd(made):<9.3f} p = {one['p_value'].item():.2f}")  # fmt: skip

# %%
fig, (weights, gains, calibration) = plt.subplots(1, 3, figsize=(7.2, 2.4), layout="constrained")
weights.hist(weighed["pareto_k"].values, bins=30, color=BLUE)
weights.axvline(PARETO_LIMIT, color=VERMILLION, linewidth=0.8, linestyle=(0, (4, 2)))
weights.set(xlabel="Pareto k̂ of an image's weights", ylabel="images")
gains.hist(gained, bins=30, color=BLUE)
gains.set(xlabel="free energy that refinement gains, nats", ylabel="images")
for (name, judged), colour in zip(ranks.items(), (BLUE, VERMILLION), strict=True):
    band = pooled_histogram(judged)
    ends = np.concatenate([[0], band.at + 1])
    if name == "as trained":
        calibration.fill_between(ends, 1 - band.half.max(), 1 + band.half.max(), color=FAINT, linewidth=0)
    calibration.stairs(1 + band.value, ends, color=colour, baseline=None, linewidth=1.2, label=name)
calibration.axhline(1, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
calibration.set(xlabel="rank among posterior draws", ylabel="frequency (uniform = 1)", xlim=(0, 100))
calibration.legend()
plt.show()

# %%
print(f"amortisation gap {gap.estimate:.2f} nats per image; {heavy:.0%} of images with k̂ above {PARETO_LIMIT}")
