# %% [markdown]
# # Is it the Poisson code that is sparse, or any code that cannot be negative?
#
# The Poisson VAE beside its control, a Gaussian VAE whose decoder sees max(z, 0). "A rectified Gaussian" is four
# programs: its prior is fixed or learned, and it pays for the latent behind the code, as published, or for the code.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np

import ppl_pvae
from ppl_pvae.analysis.comparison import differences_of
from ppl_pvae.analysis.plots.style import BLUE, FAINT, GREEN, GREY, LOOK, ORANGE, VERMILLION

RUNS = os.environ.get("PPL_PVAE_RUNS")  # runs are kept and opened there; without it they live in memory
DATA = os.environ.get("PPL_PVAE_DATA", "natural")
UNITS = int(os.environ.get("PPL_PVAE_UNITS", 512))
STEPS = int(os.environ.get("PPL_PVAE_STEPS", 2500))
plt.rcParams.update(LOOK)

# %%
CODES = {"Poisson": {"program": "poisson"}} | {
    f"rectified, {prior}, pays {pays}": {"program": "rectified-gaussian", "prior": prior, "pays": pays}
    for prior in ("fixed", "learned")
    for pays in ("latent", "code")
}
studies = []
for name, code in CODES.items():
    out = f"{RUNS}/{name.replace(', ', '-').replace(' ', '-')}" if RUNS else None
    run = ppl_pvae.train(x=DATA, units=UNITS, steps=STEPS, out=out, resume=True, **code)
    studies.append(run.study(name))

# %% [markdown]
# A study is everything that is worked out about a run. Activity is spikes for counts and E max(z, 0) for the others,
# whose unit is arbitrary: compare zeros and nats. Information is what the whole code says about the image, at most.

# %%
print(f"{'code':<33}{'free energy':>12}{'activity':>10}{'zeros':>8}{'nats paid':>11}{'information':>13}")
for s in studies:
    row, said = s.summary, s.delivered
    print(f"{s.name:<33}{row['free_energy']:>12.1f}{row['spikes_per_image']:>10.1f}{row['zeros']:>8.3f}"
          f"{row['coding_rate']:>11.1f}{said:>13.1f}")  # fmt: skip

# %% [markdown]
# Free energies are not the same thing everywhere: who pays for the latent pays nats that the decoder never sees. A
# bound on log p(x) of test images asks all programs the same question. Images differ more among each other than
# programs do on one image, so differences are taken image by image; their error is over photographs, not patches.

# %%
pairs = differences_of(studies, "log_evidence")
for pair in pairs:
    d = pair.difference
    print(f"{pair.name:<33} log evidence {d.interval.estimate:+8.2f} ± {d.standard_error:.2f} from {pair.beside}")

# %% [markdown]
# Of each bar of nats a part is delivered, information summed over units; a part is the mismatch between the code and
# its prior; the rest, the KL of what lies behind zeros, is never sent. The dashed line is the free energy of silence.
# Two seeds, or twice the steps, move these numbers too: before a difference goes into a paper, look at both.

# %%
fig, axes = plt.subplots(1, 4, figsize=(7.2, 2.5), sharey=True, layout="constrained")
at, colours = np.arange(len(studies)), [VERMILLION] + [BLUE] * 4
for ax, key, label in zip(axes, ("free_energy", "zeros"), ("free energy, nats", "share of zeros"), strict=False):
    ax.scatter([s.summary[key] for s in studies], at, s=22, color=colours, zorder=2)
    ax.set(xlabel=label)
silence = studies[0].summary["silent_free_energy"]
axes[0].axvline(silence, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)))
axes[1].set_xlim(-0.04, 1.04)
for i, s in enumerate(studies):
    parts = s.bill.delivered.sum(), s.bill.mismatch.sum() - s.unsent, s.unsent
    starts, labels = np.cumsum((0, *parts[:2])), ("delivered", "mismatch", "paid, never sent")
    for start, part, colour, label in zip(starts, parts, (GREEN, ORANGE, GREY), labels, strict=True):
        axes[2].barh(i, part, left=start, height=0.6, color=colour, label=label if i == 0 else None)
axes[2].set(xlabel="nats paid per image")
fig.legend(*axes[2].get_legend_handles_labels(), loc="outside upper right", ncols=3)
for i, pair in enumerate(pairs, start=1):
    d = pair.difference
    axes[3].errorbar(d.interval.estimate, i, xerr=2 * d.standard_error, fmt="o", color=BLUE, markersize=4.5)
axes[3].axvline(0, color=VERMILLION, linewidth=0.8)
axes[3].set(xlabel="log evidence − Poisson,\nnats, ± 2 SE")
axes[0].set(yticks=at, yticklabels=[s.name for s in studies], ylim=(len(studies) - 0.5, -0.5))
for ax in axes:
    ax.grid(axis="y", color=FAINT, linewidth=0.6, zorder=0)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)
plt.show()

# %%
best = max(pairs, key=lambda pair: pair.difference.interval.estimate)
gain, error = best.difference.interval.estimate, best.difference.standard_error
print(f"best rectified code by evidence: {best.name}, {gain:+.2f} ± {error:.2f} nats per image from the Poisson code")
