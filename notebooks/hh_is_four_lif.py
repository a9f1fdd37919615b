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
# # One neuron, four leaky integrators
#
# He et al. (*Nature Computational Science* 4, 584, 2024) show that a Hodgkin-Huxley neuron equals a
# small circuit of four leaky integrate-and-fire units with time-varying parameters. Here you will
#
# - take a neuron apart into its four units, and see what each one contributes to the voltage;
# - measure how equal the two are: one cell, then a whole population under many currents;
# - see which resets of the units change nothing, and which one changes everything;
# - find where even an exact identity is lost to rounding, and whose doing that is.
#
# It runs in under a minute on two cores. With `FULL = True` the population has the size for a GPU
# or a TPU.

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

FULL = False

# A difference of rounding is only to be seen with sixteen digits.
jax.config.update("jax_enable_x64", True)

CELLS, DURATION = (8192, 500.0) if FULL else (32, 100.0)
RK4 = tp.solvers.ClassicalRK4()
BLUE, ORANGE, GREEN, RED, INK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#222222"
plt.rcParams.update(
    {"axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.alpha": 0.25}
)

# %% [markdown]
# ## Taking the membrane apart
#
# The cell's voltage obeys C dV/dt = I - (sum over channels of g (V - E)). Now give each channel a
# leaky integrator of its own, and the stimulus one more, all with the same time-varying leak, the
# sum of the conductances:
#
#     C du/dt = -g_s(t) u + g(t) E        for sodium, potassium and the leak
#     C du/dt = -g_s(t) u + I(t)          for the stimulus
#
# Adding the four lines gives the cell's own equation for the sum of the units. So if the sum starts
# at V(0), it *is* V. The gates, which set the conductances, see that sum.

# %%
cell = tp.cells.HodgkinHuxley()
units = tp.cells.TVLIF(cell)
step = tp.stimuli.Step(10.0, start=5.0)
settings = {"t1": 50.0, "dt": 0.025, "solver": RK4}

whole = tp.simulate(cell, step, **settings)
parts = tp.simulate(units, step, record="state", **settings)
ts, v = np.asarray(whole.ts), np.asarray(whole.ys["v"])
shares = [np.asarray(share) for share in (*parts.ys.shares, parts.ys.drive)]
gap = np.sum(shares, axis=0) - v

# %%
figure, axes = plt.subplots(
    3, sharex=True, figsize=(9, 7.5), height_ratios=(2, 2, 1), layout="constrained"
)
axes[0].plot(ts, v, color=BLUE, linewidth=3.5, alpha=0.45, label="Hodgkin-Huxley")
axes[0].plot(ts, v + gap, color=INK, linestyle="--", linewidth=1, label="sum of the four units")
names = [*(channel.name for channel in cell.channels), "stimulus"]
for share, name, colour in zip(shares, names, (ORANGE, BLUE, GREEN, RED), strict=True):
    axes[1].plot(ts, share, color=colour, label=name)
axes[2].plot(ts, gap * 1e12, color=RED, linewidth=0.7)
axes[0].set_ylabel("voltage (mV)")
axes[1].set_ylabel("each unit (mV)")
axes[2].set_ylabel("difference\n(1e-12 mV)")
axes[2].set_xlabel("time (ms)")
for ax in axes[:2]:
    ax.legend(frameon=False, loc="upper right", ncols=4, fontsize=8)
plt.show()

# %% [markdown]
# The stimulus's unit starts with all of the potential, -65 mV, and forgets it within some
# milliseconds. During a spike the sodium unit rises to over 40 mV, then potassium takes over. The
# difference at the bottom is rounding: a millionth of a millionth of a millivolt, larger where a
# spike's flank amplifies it, and damped again after it.
#
# ## A population
#
# The same for many currents at once, by `eqx.filter_vmap`. The number of spikes against the current
# is the cell's f-I curve.

# %%
currents = jnp.linspace(0.0, 40.0, CELLS)


@eqx.filter_jit
def traces(model, currents):
    def one(current):
        return tp.simulate(model, current, t1=DURATION, dt=0.025, solver=RK4, save_every=0.1)

    return eqx.filter_vmap(one)(currents)


population = {name: traces(model, currents) for name, model in (("cell", cell), ("units", units))}
voltages = {name: np.asarray(solution.ys["v"]) for name, solution in population.items()}
grid = np.asarray(population["cell"].ts[0])
counts = {
    name: [len(times) for times in tp.analysis.spike_times(grid, v.T)]
    for name, v in voltages.items()
}
worst = np.max(np.abs(voltages["cell"] - voltages["units"]), axis=1)
print(f"{CELLS} cells: largest difference {worst.max():.1e} mV, {sum(counts['cell'])} spikes")

# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
rates = {name: 1000.0 * np.array(count) / DURATION for name, count in counts.items()}
axes[0].plot(currents, rates["cell"], color=BLUE, linewidth=4, alpha=0.45, label="Hodgkin-Huxley")
axes[0].plot(currents, rates["units"], color=INK, linestyle="--", linewidth=1, label="four units")
axes[0].set_xlabel("current (uA/cm2)")
axes[0].set_ylabel("spikes per second")
axes[0].legend(frameon=False)
axes[1].semilogy(currents, np.maximum(worst, 1e-14), ".", color=RED)
axes[1].set_xlabel("current (uA/cm2)")
axes[1].set_ylabel("largest difference (mV)")
plt.show()

# %% [markdown]
# ## Resets
#
# Integrate-and-fire units reset when they fire. The units may do so, if what one loses another
# receives: the voltage is their sum, and does not notice (`gauge_reset`). Resetting the voltage
# itself, as an ordinary integrate-and-fire cell does, gives another cell (`true_reset`).

# %%
resets = {
    "gauge reset": tp.cells.gauge_reset(units),
    "true reset": tp.cells.true_reset(units),
}
reset_voltages = {
    name: np.asarray(tp.simulate(model, step, **settings).ys["v"]) for name, model in resets.items()
}
reset_gaps = {name: np.max(np.abs(w - v)) for name, w in reset_voltages.items()}
print({name: f"{gap:.1e} mV" for name, gap in reset_gaps.items()})

figure, ax = plt.subplots(figsize=(9, 3), layout="constrained")
ax.plot(ts, v, color=BLUE, linewidth=3.5, alpha=0.45, label="Hodgkin-Huxley")
for (name, w), colour, line in zip(reset_voltages.items(), (INK, RED), ("--", "-"), strict=True):
    ax.plot(ts, w, color=colour, linestyle=line, linewidth=1, label=name)
ax.set_xlabel("time (ms)")
ax.set_ylabel("voltage (mV)")
ax.legend(frameon=False, loc="upper right", ncols=3, fontsize=8)
plt.show()

# %% [markdown]
# ## Where rounding is amplified
#
# Warm the cell to 16.3 degC and raise the current slowly to 40 uA/cm2. At 16 uA/cm2 the resting
# state becomes unstable, but the voltage follows it for a long time still, and fires only near 33.
# A difference of 1e-14 mV grows all that time. Is that the units' fault? List the cell's own
# channels in another order: the same cell, the same sums in another order.

# %%
hot = tp.cells.HodgkinHuxley(temperature=16.3)
reordered = tp.cells.ConductanceCell(hot.channels[::-1])
ramp = tp.stimuli.Ramp(0.2)
slow = {"t1": 200.0, "dt": 0.025, "solver": RK4, "save_every": 0.1}
truth, same, split = (
    tp.simulate(model, ramp, **slow) for model in (hot, reordered, tp.cells.TVLIF(hot))
)
drift = {
    "four units": np.abs(split.ys["v"] - truth.ys["v"]),
    "the cell, channels reordered": np.abs(same.ys["v"] - truth.ys["v"]),
}

figure, axes = plt.subplots(2, sharex=True, figsize=(9, 4.6), layout="constrained")
axes[0].plot(truth.ts, truth.ys["v"], color=BLUE, linewidth=0.9)
axes[0].set_ylabel("voltage (mV)")
for (name, gap_over_time), colour in zip(drift.items(), (RED, GREEN), strict=True):
    axes[1].semilogy(
        truth.ts, np.maximum(gap_over_time, 1e-16), color=colour, linewidth=0.9, label=name
    )
axes[1].set_xlabel("time (ms)")
axes[1].set_ylabel("difference (mV)")
axes[1].legend(frameon=False, loc="upper left")
plt.show()

# %% [markdown]
# Both differences grow alike: it is the cell that amplifies, and no form of it can be closer to
# another than the cell is to itself.
#
# ## Conclusion
#
# Given its gates, the neuron *is* its four units: equal to rounding, for every current and every
# spike. Resets that keep the sum are free; a reset of the voltage is another cell.

# %%
assert np.max(np.abs(gap)) < 1e-9
assert counts["cell"] == counts["units"] and sum(counts["cell"]) > 0
assert reset_gaps["gauge reset"] < 1e-9 and reset_gaps["true reset"] > 10.0
largest = [np.max(gap_over_time) for gap_over_time in drift.values()]
assert min(largest) > 1e-7 and 0.01 < largest[0] / largest[1] < 100.0
print("A Hodgkin-Huxley neuron is four leaky integrators, given its gates.")
