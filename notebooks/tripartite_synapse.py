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
# # The tripartite synapse
#
# Around many synapses an astrocyte wraps a process. Transmitter that spills over binds to it,
# calcium rises inside, and the astrocyte releases a transmitter of its own, which changes the
# synapse for minutes. Here you will
#
# - build one: a terminal, an astrocyte and a listening cell, in ten lines;
# - see a synapse that depresses turn into one that facilitates, after the astrocyte has spoken;
# - take the gradient of what was released with respect to every parameter of all three;
# - train the synapse, so that the astrocyte speaks, or stays silent, as you wish.
#
# It runs in under a minute on two cores. With `FULL = True` the training is longer.

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
import optax

import tripartite as tp

FULL = False

jax.config.update("jax_enable_x64", True)
STEPS = 200 if FULL else 25
nets = tp.networks
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})

# %% [markdown]
# ## One synapse, one astrocyte
#
# A source fires ten spikes within a second, is silent for five, and fires the same ten again.

# %%
burst = 100.0 * np.arange(10)
times = np.concatenate([500.0 + burst, 6500.0 + burst])

terminal = tp.synapses.TsodyksMarkram(tp.synapses.Exponential(0.1), dilution=0.001)
synapse = tp.synapses.TripartiteSynapse(terminal)  # at full modulation it releases nothing
astrocyte = tp.astrocytes.GliotransmitterRelease(tp.astrocytes.StimbergFigure2())
around = nets.Ensheathed("astro", np.array([0]))
network = nets.Network(
    {
        "pre": nets.population(tp.cells.SpikeSource, 1, times=times[None]),
        "post": nets.population(tp.cells.LIF, 1),
        "astro": nets.population(astrocyte, 1),
    },
    [nets.Projection("pre", "post", synapse, nets.one_to_one(1), astrocytes=around)],
)
record = {
    "pre->post.x": 0,
    "pre->post.bound": 0,
    "astro.calcium": 0,
    "astro.gliotransmitter": 0,
}
found = tp.simulate(network, t1=8000.0, dt=1.0, record=record)

# %%
figure, axes = plt.subplots(4, sharex=True, figsize=(9, 7), layout="constrained")
labels = ("vesicles ready (1)", "receptors bound (1)", "calcium (uM)", "gliotransmitter (uM)")
for ax, port, label in zip(axes, record, labels, strict=True):
    ax.plot(found.ts / 1000.0, found.ys[port], color="#0072B2")
    ax.set_ylabel(label)
    for t in times / 1000.0:
        ax.axvline(t, color="0.8", linewidth=0.6, zorder=0)
axes[-1].set_xlabel("time (s)")
plt.show()

# %% [markdown]
# ## Depression becomes facilitation
#
# What the terminal lets go at a spike is what it had ready less what it has left. In the first
# burst each spike releases less than the one before. By the second, the astrocyte's transmitter
# has lowered the utilisation, and the same ten spikes release more and more.

# %%
x, at = np.asarray(found.ys["pre->post.x"]), times.astype(int)
released = (1.0 - (1.0 - x[at - 1]) * np.exp(-0.002) - x[at]).reshape(2, 10)
figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(1 + np.arange(10), released.T, "o-", label=["before", "after the astrocyte has spoken"])
ax.set(xlabel="spike in the burst", ylabel="fraction released (1)")
ax.legend(frameon=False)
plt.show()

# %% [markdown]
# ## A gradient of everything
#
# The network above jumps: at spikes, and when the astrocyte releases. For training the same
# synapse has a smooth form, whose release at a rise of calcium moves as a parameter moves it. Two
# cells, one driven, and the calcium at the end as a function of the whole network:

# %%
rate = tp.synapses.SmoothSpikes(0.1, threshold=-20.0, slope=6.0)
smooth = tp.synapses.SmoothTripartiteSynapse(
    tp.synapses.MeanFieldTsodyksMarkram(tp.synapses.Exponential(0.1), trigger=rate, dilution=0.01)
)
glia = tp.astrocytes.SmoothRelease(tp.astrocytes.StimbergFigure2(), width=0.02)
model = nets.Network(
    {
        "cells": nets.population(tp.cells.MorrisLecar, 2),
        "astro": nets.population(glia, 1),
    },
    [
        nets.Projection(
            "cells",
            "cells",
            smooth,
            nets.Edges(np.array([0]), np.array([1])),
            astrocytes=nets.Ensheathed("astro", np.array([0])),
        )
    ],
    astrocyte_step=None,
)
drive = {"cells": jnp.array([400.0, 0.0])}


@eqx.filter_jit
def calcium(model):
    solution = tp.simulate(
        model, drive, t1=600.0, dt=0.5, save_every=10.0, record={"astro.calcium": 0}
    )
    return solution.ys["astro.calcium"]


def last(model):
    return calcium(model)[-1]


slopes = eqx.filter_grad(last)(model)
rows = [
    ("agonist (IP3 made by bound receptors)", slopes.populations["astro"].unit.astrocyte.agonist),
    ("clearance of transmitter", slopes.projections["cells->cells"].synapse.terminal.clearance),
    ("leak of the neurons", slopes.populations["cells"].unit.channels[-1].conductance),
]
for name, value in rows:
    print(f"d calcium / d {name}: {float(np.sum(value)):.3g}")

# %% [markdown]
# ## Training
#
# Let only the astrocyte's sensitivity be trained, by gradient descent on its logarithm, so that
# calcium at the end is 30 % higher than it was.

# %%
target = 1.3 * float(last(model))


def where(m):
    return m.populations["astro"].unit.astrocyte.agonist


start = where(model)
optimiser = optax.adam(0.1)


@eqx.filter_jit
def update(log_gain, state):
    def loss(log_gain):
        changed = eqx.tree_at(where, model, start * jnp.exp(log_gain))
        return (last(changed) / target - 1.0) ** 2

    value, slope = jax.value_and_grad(loss)(log_gain)
    move, state = optimiser.update(slope, state)
    return log_gain + move, state, value


log_gain, losses = jnp.zeros(()), []
state = optimiser.init(log_gain)
for _ in range(STEPS):
    log_gain, state, value = update(log_gain, state)
    losses.append(float(value))
trained = eqx.tree_at(where, model, start * jnp.exp(log_gain))

figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
axes[0].semilogy(losses)
axes[0].set(xlabel="step", ylabel="loss (1)")
ts = 10.0 * np.arange(len(calcium(model)))
for name, m in (("before", model), ("trained", trained)):
    axes[1].plot(ts, calcium(m), label=name)
axes[1].axhline(target, color="0.5", linestyle=":")
axes[1].set(xlabel="time (ms)", ylabel="calcium (uM)")
axes[1].legend(frameon=False)
plt.show()

# %% [markdown]
# ## Conclusion
#
# The astrocyte's word turns a depressing synapse into a facilitating one, and every parameter of
# the three partners has a gradient to be trained by.

# %%
before, after = released
assert before[0] > 2.0 * before[4] and after[2] > after[0]
assert all(np.all(np.isfinite(np.asarray(value))) for _, value in rows)
assert rows[0][1] > 0.0 > float(rows[1][1])
assert losses[-1] < 0.05 * losses[0]
print("Three partners, one differentiable synapse.")
