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
# # A grid world, remembered by attention
#
# An animal walks about, meets a stimulus at every place, and is to say what comes next, also on
# edges it has never taken. Whittington, Warren and Behrens (*ICLR* 2022, arXiv 2112.04035) show
# that a transformer does it if its position encodings follow the animal's actions,
# e(t+1) = sigma(e(t) W_a), and that what it then has inside looks like the hippocampus.
# Here you will
#
# - see it done without any training, by rotations: every new edge to a known place foreseen;
# - look at its memory neurons, which are place cells, and at its positions, which make grid cells;
# - train the transitions W_a from random rotations, by the error of prediction alone (TEM-t);
# - check that training found the geometry: one position for a place, whatever the path.
#
# It runs in under a minute on one core. With `FULL = True` the world is that of the paper's authors
# (their smallest: 8 x 8 places, 45 stimuli), and training takes longer.

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

SIDE, STIMULI, LENGTH = (8, 45, 128) if FULL else (4, 16, 40)
NEURONS, BATCH, UPDATES = (48, 32, 8000) if FULL else (16, 32, 400)
BLUE, RED, INK = "#0072B2", "#D55E00", "#222222"
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
MOVES = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]])


# %% [markdown]
# ## Walks
#
# A step is *zero-shot* if its place is known and the edge to it has not been taken. Whoever learns
# sequences by heart cannot foresee it; who knows the geometry can.


# %%
def walk(rng, side, length):
    """Places, actions, and which steps come to a known place, and which by a new edge."""
    place, nodes, actions = rng.integers(0, side, 2), [], []
    for _ in range(length):
        nodes.append(place[0] * side + place[1])
        allowed = [a for a in range(4) if np.all((place + MOVES[a]) // side == 0)]
        actions.append(rng.choice(allowed))
        place = place + MOVES[actions[-1]]
    known, zero_shot = np.zeros((2, length), bool)
    visited, taken = {nodes[0]}, set()
    for t in range(1, length):
        edge = (nodes[t - 1], actions[t - 1])
        known[t] = nodes[t] in visited
        zero_shot[t] = known[t] and edge not in taken
        visited.add(nodes[t])
        taken.add(edge)
    return np.array(nodes), np.array(actions), known, zero_shot


# %% [markdown]
# ## Without training
#
# Nine plane waves as position, turned by every move; a memory neuron for every place that is new;
# a softmax among them. That is all.

# %%
WORLD, STEPS = 11, 2000
angles = np.radians([0.0, 60.0, 120.0])
waves = [
    2 * np.pi / period * np.array([np.cos(a), np.sin(a)])
    for period in (4.3, 6.1, 8.7)
    for a in angles
]
position, memory = tp.memory.RecurrentPosition.rotations(waves, MOVES), tp.memory.PlaceMemory()


@eqx.filter_jit
def explore(position, memory, actions, stimuli):
    def step(contents, now):
        e, x = now
        expected = memory.read(contents, e)
        contents = memory.write(contents, e, x)
        return contents, (expected, memory.neurons(contents, e))

    empty = memory.empty(WORLD**2 + 4, 2 * len(waves), stimuli.shape[1])
    return jax.lax.scan(step, empty, (position.walk(actions[:-1]), stimuli))


rng = np.random.default_rng(0)
nodes, actions, known, zero_shot = walk(rng, WORLD, STEPS)
stimulus_at = rng.integers(0, 45, WORLD**2)
shown = jax.nn.one_hot(stimulus_at[nodes], 45)
contents, (expected, neurons) = explore(position, memory, jnp.asarray(actions), shown)
right = np.argmax(expected, axis=-1) == stimulus_at[nodes]
by_hand = right[zero_shot].mean()
print(f"{zero_shot.sum()} new edges to known places, {by_hand:.1%} foreseen (chance: 2.2%)")
visited = len(set(nodes))
print(f"{int(contents.taken)} memory neurons for {visited} places visited")

# %%
maps = np.zeros((WORLD**2, neurons.shape[1]))
for node in set(nodes):
    maps[node] = np.asarray(neurons)[nodes == node][-1]
rows = np.repeat(np.arange(40), 40)
columns = np.tile(np.arange(40), 40)
bands = np.cos(np.stack([rows, columns], -1) @ np.array(waves[-3:]).T).reshape(40, 40, 3)
grid = bands.sum(-1)
scores = [
    float(tp.memory.grid_score(jnp.asarray(m), 8.7 * 2 / 3**0.5)) for m in (grid, bands[..., 0])
]

figure, axes = plt.subplots(1, 5, figsize=(12, 2.6), layout="constrained")
for ax, one in zip(axes[:3], (0, 30, 60), strict=True):
    ax.imshow(maps[:, one].reshape(WORLD, WORLD), cmap="magma")
    ax.set_title(f"memory neuron {one}", fontsize=9)
for ax, m, score, name in zip(
    axes[3:], (grid, bands[..., 0]), scores, ("three bands", "one band"), strict=True
):
    ax.imshow(m, cmap="magma")
    ax.set_title(f"{name}: grid score {score:.2f}", fontsize=9)
for ax in axes:
    ax.set_xticks([])
    ax.set_yticks([])
plt.show()

# %% [markdown]
# ## With training
#
# The same walk, the transitions unknown: random rotations to start with, one for each action, and
# a start position. Every step attends to the past by position (z-scored, the gain growing with the
# log of the number of memories) and mixes the stimuli met there. The loss is the cross-entropy of
# what comes, on known places. Every walk has its own stimuli, so nothing about a world can be
# learnt but its geometry.


# %%
class TEMTransformer(eqx.Module):
    position: tp.memory.RecurrentPosition
    log_gain: jax.Array

    def __call__(self, actions, stimuli):
        e = self.position.walk(actions[:-1])
        e = (e - e.mean(-1, keepdims=True)) / jnp.sqrt(e.var(-1, keepdims=True) + 1e-6)
        step = jnp.arange(len(e))
        gain = jnp.exp(self.log_gain) * jnp.log(2.0 + step)
        scores = gain[:, None] * (e @ e.T) / e.shape[1]
        past = jnp.where(step[:, None] > step[None, :], scores, -1e9)
        return jax.nn.softmax(past, axis=-1) @ stimuli


def fresh(key):
    turn, begin = jax.random.split(key)
    m = jax.random.normal(turn, (4, NEURONS, NEURONS)) / NEURONS**0.5
    turns = jax.vmap(jax.scipy.linalg.expm)(0.5 * (m - m.swapaxes(1, 2)))
    start = jax.random.normal(begin, (NEURONS,))
    return TEMTransformer(tp.memory.RecurrentPosition(turns, start), jnp.log(5.0))


def batch(rng, size):
    walks = [walk(rng, SIDE, LENGTH) for _ in range(size)]
    nodes, actions, known, zero_shot = (jnp.asarray(np.array(x)) for x in zip(*walks, strict=True))
    return nodes, actions, known, zero_shot


def met(key, nodes):
    """Stimuli of a new world for every walk."""
    of_node = jax.random.randint(key, (len(nodes), SIDE**2), 0, STIMULI)
    return jnp.take_along_axis(of_node, nodes, axis=1)


def predictions(model, actions, seen):
    return jax.vmap(model)(actions, jax.nn.one_hot(seen, STIMULI))


def loss(model, nodes, actions, known, key):
    seen = met(key, nodes)
    p = 0.99 * predictions(model, actions, seen) + 0.01 / STIMULI
    logs = jnp.log(jnp.take_along_axis(p, seen[..., None], axis=-1))[..., 0]
    return -jnp.sum(jnp.where(known, logs, 0.0)) / jnp.sum(known)


@eqx.filter_jit
def accuracy(model, nodes, actions, zero_shot, key):
    seen = met(key, nodes)
    right = jnp.argmax(predictions(model, actions, seen), -1) == seen
    return jnp.sum(right & zero_shot) / jnp.sum(zero_shot)


optimiser = optax.chain(
    optax.clip_by_global_norm(1.0), optax.adam(optax.cosine_decay_schedule(3e-3, UPDATES))
)


@eqx.filter_jit
def update(model, state, nodes, actions, known, key):
    value, slope = eqx.filter_value_and_grad(loss)(model, nodes, actions, known, key)
    change, state = optimiser.update(slope, state, model)
    return eqx.apply_updates(model, change), state, value


# %%
rng, keys = np.random.default_rng(1), jax.random.split(jax.random.key(1), UPDATES + 2)
walks = [batch(rng, BATCH) for _ in range(200 if FULL else 40)]
unseen = batch(rng, 128)
model = fresh(keys[-1])
state = optimiser.init(eqx.filter(model, eqx.is_inexact_array))
curve = []
for step in range(UPDATES):
    nodes, actions, known, _ = walks[step % len(walks)]
    model, state, value = update(model, state, nodes, actions, known, keys[step])
    if step % 20 == 0 or step == UPDATES - 1:
        found = accuracy(model, unseen[0], unseen[1], unseen[3], keys[-2])
        curve.append((step, float(value), float(found)))
before, trained = curve[0][2], curve[-1][2]
print(f"zero-shot on unseen walks: {before:.1%} untrained, {trained:.1%} after {UPDATES} updates")

# %% [markdown]
# Did it find the geometry? Then a place has one position, whatever the path to it, and other places
# have others. The cosines of positions on walks it has not seen tell.


# %%
def cosines(model, nodes, actions):
    """Of positions of the same place, and of different places, on the same walk."""
    e = np.asarray(jax.vmap(lambda a: model.position.walk(a[:-1]))(actions))
    e = e - e.mean(-1, keepdims=True)
    e = e / np.linalg.norm(e, axis=-1, keepdims=True)
    products = e @ e.swapaxes(1, 2)
    same = np.asarray(nodes)[:, :, None] == np.asarray(nodes)[:, None, :]
    later = np.tri(LENGTH, k=-1, dtype=bool)
    return products[same & later], products[~same & later]


same_before, _ = cosines(fresh(keys[-1]), unseen[0], unseen[1])
same, other = cosines(model, unseen[0], unseen[1])
print(f"same place: {same_before.mean():.2f} untrained, {same.mean():.2f} trained")
print(f"different places, trained: {other.mean():.2f}")

steps, losses, accuracies = np.array(curve).T
figure, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
axes[0].semilogy(steps, losses, color=RED)
axes[0].set_ylabel("loss (nats)")
axes[1].plot(steps, 100 * accuracies, color=BLUE)
axes[1].axhline(100 / STIMULI, color=INK, linestyle=":", label="chance")
axes[1].set_ylabel("zero-shot (%)")
axes[1].legend(frameon=False)
for ax in axes:
    ax.set_xlabel("update")
    ax.grid(alpha=0.25)
plt.show()

# %% [markdown]
# ## Conclusion
#
# Attention over positions that follow actions foresees every new edge to a known place: by
# rotations made by hand at once, and by learnt transitions after some hundred updates.

# %%
assert by_hand >= 0.99 and int(contents.taken) == visited
assert scores[0] > 1.0 and scores[1] < 0.2
assert before < 0.5 and trained > 0.95
assert same.mean() > 0.9 and other.mean() < 0.3
print("Positions that follow actions, and attention over the past, are a map.")
