# %% [markdown]
# # What did a sweep find, and how much of it hangs on a seed, on a size, or on cells that have not converged?
#
# Nothing is trained here: the table of a sweep is read, by default that of docs/results.md. `PPL_PVAE_SWEEP` names
# another `sweep.csv`, which `python -m ppl_pvae.sweep` left behind.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

from ppl_pvae.analysis.plots.style import LOOK
from ppl_pvae.analysis.plots.sweeps import coupling, over_beta
from ppl_pvae.analysis.sweeps import beta_curves, findings, match_distortion, read_sweep

OURS = "docs/sweep/sweep.csv"
DISTORTION = 128  # nats per image at which programs are compared, as in docs/results/evidence.md
SWEEP = os.environ.get("PPL_PVAE_SWEEP") or (OURS if os.path.exists(OURS) else f"../{OURS}")
plt.rcParams.update(LOOK)

# %%
rows = read_sweep(SWEEP)
curves = beta_curves(rows)
for curve in curves:
    seeds = sorted({len(point.rows) for point in curve.points})
    done = sum(point.converged for point in curve.points)
    print(f"{curve.family.label}, K = {curve.units}: {done} of {len(curve.points)} β converged, seeds {seeds}")

# %% [markdown]
# A row is a cell, with the keys of `summary.json` and the settings. A curve is a family at one number of units, and a
# point of it all seeds at one β: `point.mean(key)`, `point.spread(key)` for any key of the table.
#
# The claims, judged by fixed tolerances and not by eye. A verdict that rests on cells which have not converged is never
# better than "holds in part".

# %%
found = findings(rows)
for name, claim in found["claims"].items():
    print(f"{name}: {claim['claim']} {claim['verdict'].upper()}", *(f"  {line}" for line in claim["lines"]), sep="\n")

# %% [markdown]
# Any of the sweep's own figures can be drawn for some of the curves alone.

# %%
counts = [curve for curve in curves if curve.family.is_pvae]
controls = [curve for curve in curves if curve.family.is_published_control]
over_beta([*counts, *controls], ["zeros", "spikes_per_image"])

# %%
coupling(curves)

# %% [markdown]
# How large is a step from one β to the next beside the spread of seeds? Only where there are several.

# %%
for curve in counts:
    for near, far in zip(curve.points, curve.points[1:], strict=False):
        spreads = [spread for point in (near, far) if (spread := point.spread("zeros"))]
        if spreads:
            step = (far.mean("zeros") - near.mean("zeros")) / np.sqrt(np.mean(np.square(spreads)))
            print(f"{curve.family.label}, K = {curve.units}, β = {near.beta:g} → {far.beta:g}: {step:.1f} of zeros")

# %% [markdown]
# What each program pays at one distortion, read off between its cells; "with care" where these have not all converged
# or lie far apart.

# %%
print(f"at a distortion of {DISTORTION} nats:")
for match in match_distortion(rows, DISTORTION).curves:
    unsure = "" if match.converged and not match.wide else ", with care"
    told = [(match.coding_rate, "nats"), *([(match.spikes_per_image, "spikes")] if match.is_count else [])]
    paid = ", ".join(f"{value:.1f} {word}" for value, word in told if value is not None)
    print(f"{match.family}, K = {match.units}: {paid}{unsure}")

# %% [markdown]
# A figure of your own: what fidelity costs in spikes, and what a spike then carries. A dot a seed, lines through means;
# hollow: not converged. Up to some β the units of a small code are dense, and their spikes next to worthless.

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(7.2, 3.2), layout="constrained", sharey=True)
biased = [curve for curve in counts if curve.family.encoder_bias is not False]
for curve, colour in zip(biased, plt.get_cmap("viridis")(np.linspace(0.9, 0.05, len(biased))), strict=True):
    for ax, key in ((left, "spikes_per_image"), (right, "bits_per_spike")):
        sends = [point for point in curve.points if point.mean(key)]
        means = [[point.mean(name) for point in sends] for name in (key, "distortion")]
        ax.plot(*means, color=colour, linewidth=0.8, label=f"{curve.family.label}, K = {curve.units}")
        for point in sends:
            for row in (row for row in point.rows if row[key]):
                face = colour if row["converged"] else "white"
                ax.scatter(row[key], row["distortion"], 12, [face], edgecolors=[colour], zorder=3)
left.set(xscale="log", xlabel="spikes per image", ylabel="distortion, nats per image")
right.set(xscale="log", xlabel="bits per spike, summed over units")
if biased:
    left.legend()
plt.show()

# %%
slopes = [each["elasticity"] for each in found["claims"]["proportion"]["curves"] if each["verdict"] is not None]
known = [slope for slope in slopes if slope is not None]
told = f"{min(known):.2f} to {max(known):.2f} (proportional: 1)" if known else "no P-VAE with two β, 0 curves"
print(f"d log nats / d log spikes of the P-VAE over β: {told}")
