# %% [markdown]
# # What does one run say, and where does it stand?
#
# A run is trained here, or opened where `PPL_PVAE_RUN` names a directory that `python -m ppl_pvae.fit` left behind.

# %%
import os

import arviz_plots
import arviz_stats
import matplotlib.pyplot as plt
import numpy as np

import ppl_pvae
from ppl_pvae.analysis import metrics, plots, posterior_of
from ppl_pvae.analysis.plots.style import BLUE, GREY, LOOK, VERMILLION

RUN = os.environ.get("PPL_PVAE_RUN")
DATA = os.environ.get("PPL_PVAE_DATA", "natural")
UNITS = int(os.environ.get("PPL_PVAE_UNITS", 512))
STEPS = int(os.environ.get("PPL_PVAE_STEPS", 2500))
plt.rcParams.update(LOOK)

# %%
run = ppl_pvae.open_run(RUN) if RUN else ppl_pvae.train("poisson", DATA, units=UNITS, steps=STEPS)
print(run.table())

# %% [markdown]
# Nats and spikes are per test image. The free energy is distortion + β · coding rate, and silence is what sending
# nothing would cost: a code is worth its price by the distance between the two. The last line says whether twice the
# steps were tried and moved anything.
#
# Everything that the run says about the test images is a tree of labelled arrays with ArviZ's groups.

# %%
for name, group in run.tree.children.items():
    print(name, *(f"  {key} {dict(array.sizes)}" for key, array in group.data_vars.items()), sep="\n")

# %% [markdown]
# The rate of a unit is a function of the image and no random draw, so it is there once for each image and is summarised
# over images: the intervals below are how a unit's rate differs between images, not how unsure anybody is of it.
# `sample_dims=["image"]` says so to ArviZ. Rates are skewed, so the mean lies far above what most images give.

# %%
said = posterior_of(run.tree)  # the same in plain NumPy arrays
top = np.argsort(-said.use)[:8]
over_images = {"var_names": ["rate"], "sample_dims": ["image"], "coords": {"unit": top}}
print(arviz_stats.summary(run.tree, kind="stats", **over_images))
hdi = arviz_stats.hdi(run.tree["posterior"]["rate"].sel(unit=top), dim="image", prob=0.9).values
for unit, (low, high) in zip(top, hdi, strict=True):
    print(f"unit {unit}: {low:.2f} to {high:.2f} spikes for nine images in ten")
arviz_plots.plot_forest(run.tree, **over_images)

# %% [markdown]
# What these units draw: an element is what one more spike of its unit adds to the image. Below each its use.

# %%
plots.dictionary(said)

# %% [markdown]
# Only the counts themselves are random given the image. `counts` holds many draws for the first images, so variance
# can be told apart: over draws of one image it is noise, over images signal and noise. Poisson counts have a noise
# variance equal to their mean, the grey line; what lies above the line is what the images bring.

# %%
counts = run.tree["posterior"]["counts"].sel(chain=0)
mean = counts.mean(["draw", "drawn_image"]).values
noise = counts.var("draw").mean("drawn_image").values
total = counts.var(["draw", "drawn_image"]).values
alive = (mean > 0) & (noise > 0)
print(f"median Fano factor over test images: {np.nanmedian(metrics.fano_factor(said.z)):.2f}")

fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 2.7), layout="constrained")
left.scatter(mean[alive], total[alive], s=8, color=BLUE, linewidth=0, alpha=0.6, label="over images and draws")
left.scatter(mean[alive], noise[alive], s=8, color=VERMILLION, linewidth=0, alpha=0.6, label="over draws of one image")
ends = np.array([mean[alive].min(), mean[alive].max()])
left.plot(ends, ends, color=GREY, linewidth=0.8, zorder=0)
left.set(xscale="log", yscale="log", xlabel="mean count of a unit", ylabel="variance of its count")
left.legend(loc="upper left")
signal = 1 - noise[alive] / total[alive]
right.hist(signal, bins=np.linspace(0, 1, 26), color=BLUE)
right.set(xlabel="share of a unit's variance that is signal", ylabel="units", xlim=(0, 1))
plt.show()

# %%
print(f"share of the variance of counts that is signal, all units: {1 - noise.sum() / total.sum():.3f}")
