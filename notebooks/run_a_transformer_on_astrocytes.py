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
# # Run a transformer on astrocytes
#
# `swap_attention` puts neuron-astrocyte circuits in the place of every attention of a trained
# transformer. Each circuit comes to rest at the normalised attention of its feature map (arXiv
# 2311.08135, appendix C); the map decides what that is. With a vision transformer that reads
# digits, which the package ships, you will
#
# - swap its attention for circuits with one process per token, and find the same logits;
# - count what fewer hidden neurons cost, when their features are drawn at random;
# - teach small circuits the attention they replace, and find how far that goes.
#
# It runs in under a minute on two cores. `FULL = True` takes all pictures and trains longer.

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

PICTURES, STEPS = (1797, 2000) if FULL else (360, 200)
SIZES = (4, 16, 64, 256)
BLUE, ORANGE, INK = "#0072B2", "#E69F00", "#222222"
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
at, proofs = tp.attention, tp.proofs

# %%
model = proofs.load_digits_transformer()
digits = proofs.load_digits()
split = proofs.split_digits(digits.labels)
images, labels = (x[split.test][:PICTURES] for x in (digits.images, digits.labels))
sizes = model.attentions
print(sizes)


@eqx.filter_jit
def logits(swapped, images):
    return jax.vmap(swapped)(images)


def accuracy(answers):
    return float(jnp.mean(jnp.argmax(answers, axis=1) == labels))


own = logits(model, images)

# %% [markdown]
# ## One process per token
#
# As many hidden neurons as tokens, and one astrocyte process for each synapse: the circuit *is*
# softmax attention, and the logits differ by round-off of float32 alone.

# %%
exact = logits(at.swap_attention(model, at.OneProcessPerToken()), images)
gap = float(jnp.max(jnp.abs(exact - own)))
print(f"largest difference of a logit: {gap:.1e}; accuracy {accuracy(exact):.3f}")

# %% [markdown]
# ## Fewer hidden neurons, at random
#
# Positive random features estimate softmax's weights with an error that falls as 1 / sqrt(m).


# %%
def error(answers):
    return float(jnp.sqrt(jnp.mean((answers - own) ** 2) / jnp.mean(own**2)))


def random_maps(m):
    return at.PositiveRandom(m, sizes[0].d_head, key=jax.random.key(0))


random_answers = {m: logits(at.swap_attention(model, random_maps(m)), images) for m in SIZES}
for m, answers in random_answers.items():
    print(f"m = {m:4d}: error {error(answers):.3f}, accuracy {accuracy(answers):.3f}")

# %% [markdown]
# ## Small circuits that learn
#
# Sixteen hidden neurons for each head, twice d_head, whose features are exponentials of affine
# maps, one of queries and one of keys. They are trained on the pictures to learn from, until the
# logits are close to the original's; the pictures of the figure were never among them. All other
# weights stay as they are.

# %%
M = 16


def start(key):
    """A map for each head of each layer, its arrays with an axis of heads."""
    maps = []
    for size, one in zip(sizes, jax.random.split(key, len(sizes)), strict=True):
        make = eqx.filter_vmap(lambda k, d=size.d_head: at.LearnedExponential(d, M, key=k))
        maps.append(make(jax.random.split(one, size.heads)))
    return maps


def loss(maps, images):
    """What is missing to the original's logits, mean square."""
    found = jax.vmap(at.swap_attention(model, maps))(images)
    return jnp.mean((found - jax.vmap(model)(images)) ** 2)


optimiser = optax.adam(optax.cosine_decay_schedule(1e-2, STEPS))


@eqx.filter_jit
def train(maps, key):
    def step(carry, key):
        maps, state = carry
        batch = digits.images[split.train][jax.random.choice(key, len(split.train), (64,))]
        value, grads = jax.value_and_grad(loss)(maps, batch)
        updates, state = optimiser.update(grads, state)
        return (optax.apply_updates(maps, updates), state), value

    keys = jax.random.split(key, STEPS)
    (maps, _), values = jax.lax.scan(step, (maps, optimiser.init(maps)), keys)
    return maps, values


untrained = start(jax.random.key(1))
maps, losses = train(untrained, jax.random.key(2))
learned = logits(at.swap_attention(model, maps), images)
before = error(logits(at.swap_attention(model, untrained), images))
print(f"error {before:.3f} before, {error(learned):.3f} after; accuracy {accuracy(learned):.3f}")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9.0, 3.4), layout="constrained")
left.loglog(SIZES, [error(random_answers[m]) for m in SIZES], "o-", color=BLUE, label="random")
left.loglog([M], [error(learned)], "s", color=ORANGE, label="learned")
left.set(xlabel="hidden neurons of a head, m", ylabel="error of the logits (1)")
left.legend(frameon=False)
right.semilogy(np.asarray(losses), color=ORANGE)
right.set(xlabel="step of training", ylabel="mean square error of a logit (1)")
plt.show()

# %% [markdown]
# One process per token is exact; random features come near only with many neurons; a few that
# learned come nearer than as many that were drawn.

# %%
# Two layers in float32, whose logits are of order ten: some hundred roundings of 6e-8 each.
assert gap < 1e-4
assert accuracy(exact) == accuracy(own)
assert error(learned) < 0.5 * error(random_answers[M])
assert abs(accuracy(learned) - accuracy(own)) < 0.03
