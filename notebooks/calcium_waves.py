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
# # Calcium waves among astrocytes
#
# Astrocytes hardly have action potentials; they speak in calcium, over seconds. Here you will
#
# - see when a cell begins to oscillate, from the eigenvalues of its rest, and check it by solving;
# - code a signal in amplitude or in frequency, by the affinity of one pump;
# - join cells by gap junctions and watch a wave travel along a ring of them;
# - differentiate the wave's arrival with respect to the strength of the junctions.
#
# It runs in under a minute on two cores. With `FULL = True` the ring is large, for a GPU or a
# TPU.

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
import matplotlib.pyplot as plt
import numpy as np

import tripartite as tp

FULL = False

jax.config.update("jax_enable_x64", True)
ast, CELLS = tp.astrocytes, (500 if FULL else 21)
SECOND = 1000.0  # ms
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# ## One cell
#
# Calcium leaves a store through receptors that IP3 opens, which calcium itself opens quickly and
# closes slowly (Li and Rinzel 1994). Between two Hopf points of IP3 the rest is unstable:

# %%
cells = {"amplitude": ast.NadkarniJungAM(), "frequency": ast.NadkarniJungFM()}
points = {}
for name, cell in cells.items():
    branch = tp.analysis.follow_equilibria(lambda ip3, c=cell: (c, ip3), 0.2, 1.1)
    points[name] = [point.parameter for point in branch.hopf]
    print(f"{name}: unstable from", " to ".join(f"{p:.4f}" for p in points[name]), "uM of IP3")


# %%
@eqx.filter_jit
def oscillation(cell, ip3):
    return tp.simulate(cell, ip3, t1=240.0 * SECOND, dt=20.0, save_every=100.0).ys["calcium"]


figure, axes = plt.subplots(2, 2, sharex=True, figsize=(9, 4.5), layout="constrained")
ts = 0.1 * np.arange(2401)
levels = {"amplitude": (0.38, 0.5), "frequency": (0.53, 0.8)}
traces = {}
for row, (name, cell) in zip(axes, cells.items(), strict=True):
    for ax, ip3 in zip(row, levels[name], strict=True):
        traces[name, ip3] = np.asarray(oscillation(cell, ip3))
        ax.plot(ts, traces[name, ip3], color="#0072B2")
        ax.set_title(f"{name} modulated, IP3 = {ip3} uM", fontsize=9)
    row[0].set_ylabel("calcium (uM)")
for ax in axes[1]:
    ax.set_xlabel("time (s)")
plt.show()


def period(trace):
    """Seconds between upward crossings of the middle, in the second half."""
    late = trace[len(trace) // 2 :]
    middle = 0.5 * (late.min() + late.max())
    up = np.flatnonzero((late[:-1] < middle) & (late[1:] >= middle))
    return 0.1 * float(np.mean(np.diff(up)))


heights = {key: float(np.ptp(trace[1200:])) for key, trace in traces.items()}
periods = {key: period(trace) for key, trace in traces.items()}
for key in traces:
    print(f"{key[0]}, {key[1]} uM: height {heights[key]:.2f} uM, period {periods[key]:.1f} s")

# %% [markdown]
# ## A ring of them
#
# Gap junctions let IP3 through, and only where two cells differ by more than a threshold. One
# cell is stimulated; the wave starts there and runs both ways (Stimberg et al. 2019, figure 5).

# %%
middle = CELLS // 2
ring = ast.AstrocyteNetwork(ast.StimbergRing(), ast.ThresholdCoupling(), ast.ring(CELLS), CELLS)
kick = tp.stimuli.PulseTrain(
    np.where(np.arange(CELLS) == middle, 1.0, 0.0), 20.0 * SECOND, 50.0 * SECOND, count=2
)


@eqx.filter_jit
def wave(ring):
    return tp.simulate(ring, ast.drive(bias=kick), t1=60.0 * SECOND, dt=50.0, save_every=100.0)


solution = wave(ring)
tp.plots.calcium_raster(solution).figure

# %%
calcium = np.asarray(solution.ys["calcium"])
arrival = 0.1 * np.argmax(calcium > 0.5, axis=0)
reached = [middle - k for k in range(3)]
print("arrives at", [f"{arrival[k]:.1f} s" for k in reached])

# %% [markdown]
# ## What the junctions do
#
# A derivative through the whole wave: the calcium of the neighbour, while the wave is arriving
# there, with respect to the strength and to the threshold of every junction.

# %%
when = int(10 * arrival[middle - 1]) - 5


@eqx.filter_grad
def neighbour(ring):
    return wave(ring).ys["calcium"][when, middle - 1]


slopes = neighbour(ring).coupling
print(f"d calcium / d strength:  {float(slopes.strength):.3g} uM per uM/ms")
print(f"d calcium / d threshold: {float(slopes.threshold):.3g} uM per uM")

# %% [markdown]
# ## Conclusion
#
# The same equations carry a signal in amplitude or in frequency; coupled, they carry a wave,
# which comes sooner through stronger junctions and later across a higher threshold.

# %%
low, high = levels["frequency"]
assert len(points["amplitude"]) == len(points["frequency"]) == 2
assert periods["frequency", low] > 1.3 * periods["frequency", high]
low, high = levels["amplitude"]
assert heights["amplitude", high] > 1.2 * heights["amplitude", low]
assert arrival[reached[0]] < arrival[reached[1]] < arrival[reached[2]]
np.testing.assert_allclose(calcium[:400], calcium[:400, ::-1], atol=1e-3)
assert slopes.strength > 0.0 > slopes.threshold
print("Calcium speaks in amplitude, in frequency and in waves.")
