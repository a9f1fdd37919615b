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
# # Spike times, delays and where a sound comes from
#
# A rate counts spikes; cells may care when they come. Here you will
#
# - give two kinds of neuron the same number of spikes at different times, and see them disagree on
#   which pattern is worth an answer;
# - build a bank of coincidence detectors with a delay for each line, and find the direction of a
#   sound from 20 microseconds between the ears;
# - train a delay by its gradient.
#
# It runs in under a minute on two cores. With `FULL = True` more directions and cycles are tried.

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
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import tripartite as tp

FULL = False

jax.config.update("jax_enable_x64", True)
DIRECTIONS, CYCLES = (25, 100) if FULL else (7, 40)
nets = tp.networks
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# ## The same count, early and late
#
# Five spikes on each of two lines within 100 ms: evenly, or one line early and the other late.

# %%
uniform = np.linspace(2.0, 98.0, 5)
early, late = np.linspace(1.0, 19.0, 5), np.linspace(81.0, 99.0, 5)
inputs = nets.population(tp.cells.SpikeSource, 4, times=np.array([uniform, uniform, early, late]))
to = nets.Edges(np.array([0, 1, 2, 3]), np.array([0, 0, 1, 1]))
leaky = nets.population(tp.cells.LIF, 2, rest=0.0, reset=0.0, threshold=0.7, refractory=0.1)
network = nets.Network(
    {"in": inputs, "leaky": leaky, "axon": nets.population(tp.cells.HodgkinHuxley(), 2)},
    [
        nets.Projection("in", "leaky", tp.synapses.ExponentialCurrent(0.3 / 5.0), to),
        nets.Projection("in", "axon", tp.synapses.ExponentialCurrent(4.4), to),
    ],
)
record = {"leaky.spike": None, "leaky.v": None, "axon.v": None}
found = tp.simulate(network, t1=120.0, dt=0.02, record=record)
leaky_fired = np.asarray(found.ys["leaky.spike"]).sum(axis=0).astype(int)
axon_fired = [len(t) for t in tp.analysis.spike_times(found.ts, found.ys["axon.v"])]

figure, axes = plt.subplots(2, 2, sharex=True, sharey="row", figsize=(9, 4.5), layout="constrained")
for column, name in enumerate(("even", "early and late")):
    axes[0, column].plot(found.ts, found.ys["leaky.v"][:, column], color="#0072B2")
    axes[1, column].plot(found.ts, found.ys["axon.v"][:, column], color="#E69F00")
    axes[0, column].set_title(f"{name}: {leaky_fired[column]} and {axon_fired[column]} spikes")
    axes[1, column].set_xlabel("time (ms)")
axes[0, 0].set_ylabel("leaky integrator (1)")
axes[1, 0].set_ylabel("axon (mV)")
plt.show()

# %% [markdown]
# The slow integrator answers volleys and misses the even train. The axon forgets within
# milliseconds and answers whatever comes together: of a volley only the first.
#
# ## A bank of delays
#
# A sound from the left reaches the left ear up to 0.66 ms earlier. Each of 29 cells hears both
# ears through delays that cancel one difference in time (Jeffress 1948); it fires where spikes
# coincide.

# %%
best = 0.05 * np.arange(-14, 15)
delays = 0.5 + 0.5 * best[:, None] * np.array([1.0, -1.0])
wires = nets.Edges(np.tile([0, 1], 29), np.repeat(np.arange(29), 2))
detector = tp.cells.LIF(leak=5.0, rest=0.0, reset=0.0, threshold=1.0, refractory=0.3)
kick = tp.synapses.ExponentialCurrent(14.0, decay=0.1)


@jax.jit
def counts(times):
    lines = nets.Projection("ears", "bank", kick, wires, delay=delays.ravel())
    ears = nets.population(tp.cells.SpikeSource, 2, times=times)
    bank = nets.Network({"ears": ears, "bank": nets.population(detector, 29)}, [lines])
    solution = tp.simulate(bank, t1=2.0 * CYCLES + 4.0, dt=0.02, record={"bank.spike": None})
    return jnp.sum(solution.ys["bank.spike"], axis=0)


def heard(difference, key):
    """One spike a cycle of 500 Hz in each ear, with 0.1 ms of jitter; the left one leads."""
    cycle = 1.5 + 2.0 * jnp.arange(0.0, CYCLES)
    half = 0.5 * difference * jnp.asarray([-1.0, 1.0])
    return cycle[None, :] + half[:, None] + 0.1 * jax.random.normal(key, (2, CYCLES))


truth = np.linspace(-0.6, 0.6, DIRECTIONS)
keys = jax.random.split(jax.random.key(0), DIRECTIONS)
fired = np.array([counts(heard(d, key)) for d, key in zip(truth, keys, strict=True)])
weight = fired**4.0
read = weight @ best / weight.sum(axis=1)
error = 1000.0 * float(np.sqrt(np.mean((read - truth) ** 2)))

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
image = axes[0].pcolormesh(1000 * best, 1000 * truth, fired, shading="nearest")
figure.colorbar(image, ax=axes[0], label="spikes")
axes[0].set(xlabel="a cell's own difference (us)", ylabel="difference of the sound (us)")
axes[1].plot(1000 * truth, 1000 * read, "o")
axes[1].plot(1000 * truth, 1000 * truth, color="0.5", linestyle=":")
axes[1].set(xlabel="true (us)", ylabel="read (us)", title=f"error {error:.0f} us")
plt.show()

# %% [markdown]
# ## A delay that is trained
#
# A delay between two steps arrives in two shares, so that a voltage has a derivative with respect
# to it. Two lines reach a cell; one is late. Gradient descent on its delay alone lets the
# responses coincide, where the voltage is highest.

# %%
pair = nets.Edges(np.array([0, 1]), np.array([0, 0]))
source = nets.population(tp.cells.SpikeSource, 2, times=np.array([[10.0], [10.0]]))
quiet = tp.cells.LIF(rest=0.0, reset=0.0, threshold=1e3, leak=0.5)
soft = tp.synapses.ExponentialCurrent(1.0, decay=2.0)


@jax.jit
def height(delay):
    line = nets.Projection(
        "in", "out", soft, pair, delay=jnp.stack([jnp.asarray(6.0), delay]), max_delay=10.0
    )
    network = nets.Network({"in": source, "out": nets.population(quiet, 1)}, [line])
    v = tp.simulate(network, t1=30.0, dt=0.1, record={"out.v": 0}).ys["out.v"]
    return jax.nn.logsumexp(20.0 * v) / 20.0


optimiser = optax.adam(0.15)
delay = jnp.asarray(2.93)
state = optimiser.init(delay)
path = []
for _ in range(60):
    slope = jax.grad(lambda d: -height(d))(delay)
    move, state = optimiser.update(slope, state)
    delay = delay + move
    path.append(float(delay))
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(path)
ax.axhline(6.0, color="0.5", linestyle=":")
ax.set(xlabel="step", ylabel="trained delay (ms)")
plt.show()

# %% [markdown]
# ## Conclusion
#
# Which pattern is loud depends on the membrane that listens; delays turn time into place, to tens
# of microseconds; and a delay is a parameter like any other.

# %%
assert leaky_fired[0] == 0 and leaky_fired[1] == 2
assert axon_fired[0] > axon_fired[1]
assert error < 60.0
assert abs(path[-1] - 6.0) < 0.5
print("When a spike comes is what it says.")
