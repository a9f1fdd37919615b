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
# # The Hodgkin-Huxley neuron, from a spike to a gradient
#
# In 1952 Hodgkin and Huxley wrote down four differential equations for the giant axon of the
# squid. Here you will
#
# - solve them, and look at the spike and at the gates that make it;
# - find where rest loses its stability, and how fast the cell fires under each current;
# - see how the solver's step sets the error, and let an adaptive one choose it;
# - make a population of cells that differ, and differentiate a spike time with respect to every
#   parameter at once.
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

jax.config.update("jax_enable_x64", True)
CELLS = 8192 if FULL else 64
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# ## A spike
#
# The membrane is a capacitance with three channels in parallel. What it is made of, with the unit
# and the source of each number:

# %%
cell = tp.cells.HodgkinHuxley()
print(tp.summary(cell))

# %%
step = tp.stimuli.Step(10.0, start=5.0)  # uA/cm2, from 5 ms on
solution = tp.simulate(cell, step, t1=60.0)
spikes = tp.analysis.spike_times(solution.ts, solution.ys["v"])
tp.plots.voltage_and_stimulus(solution, step)[0].figure

# %% [markdown]
# Sodium's activation m is fast and opens the way up; its inactivation h and potassium's n are
# slow and bring the voltage down again, below rest.

# %%
whole = tp.simulate(cell, step, t1=30.0, dt=0.02, record="state")
tp.plots.gates(whole).figure

# %% [markdown]
# ## When it fires
#
# Following the equilibrium along the current finds where it loses its stability (a Hopf point),
# by the eigenvalues of the Jacobian that automatic differentiation gives.

# %%
branch = tp.analysis.follow_equilibria(lambda current: (cell, current), 0.0, 20.0)
hopf = branch.hopf[0]
currents = np.linspace(4.0, 14.0, 11)
rates = tp.analysis.f_i_curve(cell, currents, t1=300.0, dt=0.05)
axes = tp.plots.f_i_curve(currents, rates)
axes.axvline(hopf.parameter, color="0.5", linestyle=":")
axes.set_title(f"rest is stable up to {hopf.parameter:.2f} uA/cm2")
axes.figure

# %% [markdown]
# It fires at 6.5 uA/cm2 already, though rest is stable up to 9.8: in between both coexist, and
# where it starts decides. And it never fires slowly: the rate jumps from 0 to over 50 Hz.
#
# ## Steps
#
# With fixed steps the error is that of the second order: half the step, a quarter of the error.

# %%
exact = tp.simulate(cell, step, t1=40.0, rtol=1e-10, atol=1e-10, save_every=0.0125)
truth = tp.analysis.spike_times(exact.ts, exact.ys["v"])
steps = (0.1, 0.05, 0.025, 0.0125)
errors = []
for dt in steps:
    fixed = tp.simulate(cell, step, t1=40.0, dt=dt)
    times = tp.analysis.spike_times(fixed.ts, fixed.ys["v"])
    errors.append(float(np.max(np.abs(times - truth))))
orders = np.log2(np.array(errors[:-1]) / errors[1:])
axes = tp.plots.work_precision(
    {"symmetric exponential sweep": (errors, 1 / np.array(steps))}, work="steps for each ms (1/ms)"
)
axes.figure

# %% [markdown]
# ## Many cells that differ
#
# A batch is `vmap`. Here the sodium conductance varies from cell to cell.

# %%
conductances = jnp.linspace(60.0, 160.0, CELLS)


@eqx.filter_jit
def trace(g):
    return tp.simulate(tp.cells.HodgkinHuxley(g_sodium=g), step, t1=60.0, dt=0.025).ys["v"]


voltages = jax.vmap(trace)(conductances)
grid = np.arange(voltages.shape[1]) * 0.025
fired = tp.analysis.spike_times(grid, np.asarray(voltages).T)
axes = tp.plots.raster(fired)
axes.set_ylabel("cell, by sodium conductance")
axes.figure

# %% [markdown]
# ## What a parameter does
#
# The derivative of the voltage half way up the second spike, with respect to every parameter, in
# one reverse pass; with the slope of the spike it is that of the spike's time.

# %%
when = 0.025 * round(float(truth[1]) / 0.025)


@eqx.filter_grad
def sensitivity(cell):
    return tp.simulate(cell, step, t1=when, dt=0.025).ys["v"][-1]


around = tp.simulate(cell, step, t1=when + 0.025, dt=0.025).ys["v"]
slope = (around[-1] - around[-3]) / 0.05  # mV/ms
d = sensitivity(cell)
shifts = {c.name: float(-c.conductance / slope) for c in d.channels}  # ms per mS/cm2
for name, shift in shifts.items():
    print(f"one mS/cm2 more of {name}: the second spike {1000 * shift:+.1f} us")

# %% [markdown]
# ## Conclusion
#
# More sodium makes it fire earlier, more potassium or leak later; rest becomes unstable at a Hopf
# point; and the method's order is what it should be.

# %%
assert len(spikes) >= 3
assert abs(hopf.parameter - 9.7796) < 0.01  # the eigenvalues' own figure, for this leak reversal
assert rates[0] == 0.0 and rates[-1] > 50.0
assert np.all(np.abs(orders - 2.0) < 0.1)
assert shifts["sodium"] < 0.0 < min(shifts["potassium"], shifts["leak"])
print("A spike, its gates, its threshold, its error and its derivatives.")
