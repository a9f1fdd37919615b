# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Fit a cell to a recording
#
# A squid axon fires under a noisy current, and its voltage is recorded with 1 mV of noise. From
# that record alone you will
#
# - ask whether it can tell five parameters of the cell, and how well;
# - see why least squares alone may end in a wrong minimum, by walking from one cell to another;
# - pull the model towards the record, let it go in stages, and find the right minimum from afar;
# - check that what is left over is the noise, and that the parameters are off by as much as theory
#   says they should be.
#
# It runs in under a minute on two cores. With `FULL = True` the record is as long as that of the
# benchmarks, and there are twenty starts.

# %% [markdown]
# On Colab, choose a GPU or a TPU under *Runtime* and upload this repository as the folder
# `tripartite`: the next cell installs it with the JAX for that machine. Elsewhere it does nothing.

# %%
import os
import shutil
import subprocess
import sys

if "COLAB_RELEASE_TAG" in os.environ:
    tpu = os.path.exists("/dev/accel0") or os.path.exists("/dev/vfio/0")
    extra = "[tpu]" if tpu else "[cuda12]" if shutil.which("nvidia-smi") else ""
    wanted = [f"jax{extra}", "/content/tripartite[plots]"]
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", *wanted], check=True)

# %%
import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import tripartite as tp
from tripartite import fit

FULL = False

jax.config.update("jax_enable_x64", True)

DURATION, STARTS = (100.0, 20) if FULL else (40.0, 4)
DT, NOISE = 0.05, 1.0
BLUE, ORANGE, GREEN, RED, INK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#222222"
plt.rcParams.update(
    {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
)

# %% [markdown]
# ## The record
#
# A step of 8 uA/cm2 and an Ornstein-Uhlenbeck current on top of it. `fit.CurrentClamp` is what was
# done to the cell; called with a cell, it is what would have been recorded of it.

# %%
noise_current = tp.stimuli.ornstein_uhlenbeck(
    mean=0.0, std=5.0, tau=2.0, t1=DURATION, key=jax.random.key(7), spacing=DT
)
ts = DT * np.arange(noise_current.length())
current = jnp.where(ts > 10.0, 8.0, 0.0) + noise_current.values
clamp = fit.CurrentClamp.sampled(current[None], DT, t1=DURATION, dt=DT, adjoint="by steps")

truth = tp.cells.HodgkinHuxley()
clamped = eqx.filter_jit(clamp)
clean = clamped(truth)
recorded = clean + NOISE * jax.random.normal(jax.random.key(0), clean.shape)

# %% [markdown]
# ## Can it tell?
#
# Five parameters: three conductances, the capacitance and the leak's reversal. The first four are
# positive, so a fit moves their logarithms; the fifth moves in tens of mV. The Fisher information
# bounds how well any method can do.


# %%
def where(cell):
    sodium, potassium, leak = cell.channels
    return (
        sodium.conductance,
        potassium.conductance,
        leak.conductance,
        cell.capacitance,
        leak.reversal,
    )


names = ("g_Na", "g_K", "g_L", "C", "E_L")
constraints = (*[fit.Positive(spread=3.0)] * 4, fit.Free(scale=10.0))
packing = fit.pack(truth, where, constraints)
bound = tp.analysis.fisher_information(lambda z: clamp(packing.unpack(z)), packing.zero(), NOISE)
errors = np.asarray(bound.standard_errors)
for name, error in zip(names, errors, strict=True):
    print(f"{name:5}{100 * error:.2f} %" if name != "E_L" else f"{name:5}{10 * error:.2f} mV")

# %% [markdown]
# ## Why a misfit misleads
#
# Walk in a straight line, in the free numbers, from the truth to a cell with half the sodium, twice
# the potassium and a larger membrane, and on past it. The misfit without a pull (orange) is rough:
# each spike that slips is a hill. Pulled towards the record at 10 /ms (blue), it cannot slip.

# %%
far = tp.cells.HodgkinHuxley(
    g_sodium=60.0, g_potassium=80.0, g_leak=0.6, capacitance=1.8, e_leak=-65.0
)
direction = packing.pack(far)


@eqx.filter_jit
def misfits(rate):
    def one(share):
        cell = packing.unpack(share * direction)
        return fit.mean_square(clamp(cell, towards=recorded, rate=rate), recorded, NOISE)

    return jax.lax.map(one, shares)


shares = jnp.linspace(-0.5, 1.5, 81)
walks = {"not pulled": (ORANGE, misfits(jnp.asarray(0.0)))}
walks |= {"pulled at 10 /ms": (BLUE, misfits(jnp.asarray(10.0)))}


def minima(walk):
    """How many inner points are lower than both neighbours."""
    return int(np.sum((walk[1:-1] < walk[:-2]) & (walk[1:-1] < walk[2:])))


figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
axes[0].plot(ts, recorded[0], color=INK, linewidth=0.8, label="recorded")
axes[0].plot(ts, clamped(far)[0], color=RED, linewidth=0.8, label="the cell to start from")
axes[0].set_xlabel("time (ms)")
axes[0].set_ylabel("voltage (mV)")
axes[0].legend(frameon=False, fontsize=8)
for name, (colour, walk) in walks.items():
    axes[1].semilogy(shares, walk, color=colour, label=f"{name}: {minima(np.asarray(walk))} minima")
axes[1].set_xlabel("from the truth (0) to the start (1)")
axes[1].set_ylabel("mean square over the noise's")
axes[1].legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# ## The fit
#
# `fit.least_squares` takes Levenberg and Marquardt's steps, in stages: pulled hard, then less, then
# not at all. What each ends at is the next one's start. The starts are random, a factor of three
# either way in four parameters and 10 mV in the fifth, and `far` is one of them.

# %%
drawn = [
    packing.unpack(packing.draw(key)) for key in jax.random.split(jax.random.key(3), STARTS - 1)
]


def residuals(cell, data, rate):
    return fit.residuals(clamp(cell, towards=data, rate=rate), data, NOISE)


fitted = fit.least_squares(
    truth,
    residuals,
    recorded,
    where=where,
    constraints=constraints,
    stages=(10.0, 2.0, 0.5, 0.0),
    starts=[far, *drawn],
)
ends = np.stack([np.asarray(x) for x in fitted.every.values()], axis=1)
true = np.array([float(x) for x in where(truth)])
print("mean square over the noise's, of each start:", np.round(fitted.every_loss, 3))

# %% [markdown]
# ## What is left over
#
# The residual of the best fit should be the noise and nothing else: of standard deviation 1 mV,
# without a trace of the spikes. And every start should end at one place, off the truth by a few
# standard errors.

# %%
left = np.asarray(residuals(fitted.model, recorded, 0.0))
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
axes[0].plot(ts, left, ".", color=GREEN, markersize=2)
axes[0].set_xlabel("time (ms)")
axes[0].set_ylabel("left over (mV)")
scaled = np.append(np.log(ends[:, :4] / true[:4]), (ends[:, 4:] - true[4:]) / 10.0, axis=1) / errors
for row in scaled:
    axes[1].plot(range(5), row, "o", color=BLUE, alpha=0.5)
axes[1].axhspan(-2.0, 2.0, color=INK, alpha=0.08)
axes[1].set_xticks(range(5), names)
axes[1].set_ylabel("off, in standard errors")
axes[1].set_ylim(-6, 6)
plt.show()

# %% [markdown]
# ## Conclusion
#
# The record could tell, the misfit alone could have misled, and the pull led every start to one
# minimum, as near the truth as the noise lets any fit come.

# %%
samples = left.size
# Fewer hills where the model is pulled; one minimum, at the truth.
counts = [minima(np.asarray(walk)) for _, walk in walks.values()]
assert counts[0] > counts[1] == 1
# Every start within four standard errors of the truth.
assert np.max(np.abs(scaled)) < 4.0
# The mean of squares of unit noise, less five fitted numbers, within five of its own deviations.
assert abs(fitted.loss - (1.0 - 5.0 / samples)) < 5.0 * np.sqrt(2.0 / samples)
print(f"From {STARTS} starts to one minimum, within four standard errors of the truth.")
