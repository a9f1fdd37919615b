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
# # Attention from astrocytes
#
# A circuit of neurons, tripartite synapses and diffusing astrocyte calcium comes to rest where a
# transformer's attention would have its output (Kozachkov, Kastanenka and Krotov, *PNAS* 120, 2023,
# e2219150120; the continuous circuit: arXiv 2311.08135, appendix C). Here you will
#
# - watch one query being read: calcium spreads, synapses relax, neurons reach the attention output;
# - compare the circuit's attention weights with softmax's, for several feature maps;
# - put the circuit in the place of every attention of a vision transformer that reads digits;
# - see what is exact, and what is an approximation with a rate.
#
# It runs in under a minute on two cores. With `FULL = True` the sizes are for a GPU or a TPU.

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

import tripartite as tp

FULL = False

jax.config.update("jax_enable_x64", True)

PICTURES, DRAWS = (1797, 64) if FULL else (128, 8)
BLUE, ORANGE, GREEN, RED, INK = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#222222"
plt.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
at = tp.attention

# %% [markdown]
# ## One query, read
#
# Eight tokens with keys and values. Queries and keys are divided by d^(1/4) each, so that their
# product is the usual score. The feature map decides how a key becomes the rates of presynaptic
# neurons; `OneProcessPerToken` gives each token a neuron of its own, and each synapse its process.

# %%
TOKENS, D, VALUES = 8, 16, 3
keys = jax.random.split(jax.random.key(7), 3)
q, k = (jax.random.normal(key, (TOKENS, D)) / D**0.25 for key in keys[:2])
v = jax.random.normal(keys[2], (TOKENS, VALUES))

features = at.OneProcessPerToken()
circuit = at.AttentionCircuit(VALUES, TOKENS, tau_p=VALUES * TOKENS * 0.5, gauge=float(TOKENS))

# Every token is presented for 40 ms; Hebb's rule stores it at the end.
y, memory = at.write(circuit, features.keys(k), v, dt=0.5)

# %% [markdown]
# To read, each process starts with the calcium that its synapse lets in. Calcium then spreads until
# all processes hold the mean. It is the *decay rate* of the synapses, so it divides what they hold:
# that is the softmax's normaliser.

# %%
query = features.queries(q, k)[0]
start = y._replace(p=circuit.calcium(memory, query))
presented = circuit.reading(memory, query)
shown = tp.simulate(circuit, presented, t1=10.0, y0=start, dt=0.05, record="state")
ts, calcium, synapses, neurons = (
    np.asarray(x).reshape(len(shown.ts), -1) for x in (shown.ts, shown.ys.p, shown.ys.s, shown.ys.x)
)
softmax = at.softmax_attention(q, k, v)

figure, axes = plt.subplots(3, sharex=True, figsize=(9, 6.5), layout="constrained")
for ax, traces, name, colour in zip(
    axes,
    (calcium, synapses, neurons),
    ("calcium", "synapses", "neurons"),
    (ORANGE, BLUE, GREEN),
    strict=True,
):
    ax.plot(ts[:, 0], traces, color=colour, linewidth=0.9)
    ax.set_ylabel(name)
    ax.grid(alpha=0.25)
axes[0].axhline(float(jnp.mean(start.p)), color=INK, linewidth=0.8, linestyle=":")
for target in softmax[0]:
    axes[2].axhline(float(target), color=INK, linewidth=0.8, linestyle=":")
axes[0].set_title("dotted: the mean of the calcium, and softmax attention's output")
axes[2].set_xlabel("time (ms)")
plt.show()

# %% [markdown]
# ## All queries, integrated
#
# `circuit_attention` writes every token and reads every query by a circuit of its own. Its resting
# point in closed form is `fixed_point`.

# %%
run = at.circuit_attention(features, q, k, v, dt=0.1)
rest = at.fixed_point(features, q, k, v)
integrated_gap = float(jnp.max(jnp.abs(run.output - softmax)))
closed_gap = float(jnp.max(jnp.abs(rest - softmax)))
print(f"{run.states} states; away from softmax attention: {integrated_gap:.0e}, {closed_gap:.0e}")

# %% [markdown]
# ## The weights
#
# With the identity as values, the output *is* the attention weights. One process per token gives
# softmax's own. Positive random features estimate them, from 64 features badly, from 4,096 better.
# `EluPlusOne` does not try to: it is an attention of its own.

# %%
identity = jnp.eye(TOKENS)
maps = {
    "one process per token": features,
    "64 random features": at.PositiveRandom(64, D, key=jax.random.key(1)),
    "4,096 random features": at.PositiveRandom(4096, D, key=jax.random.key(1)),
    "elu + 1": at.EluPlusOne(),
}
weights = {"softmax": at.softmax_attention(q, k, identity)}
weights |= {name: at.fixed_point(phi, q, k, identity) for name, phi in maps.items()}

figure, axes = plt.subplots(1, len(weights), figsize=(12, 2.9), layout="constrained")
for ax, (name, weight) in zip(axes, weights.items(), strict=True):
    picture = ax.imshow(weight, vmin=0.0, vmax=float(weights["softmax"].max()), cmap="viridis")
    ax.set_title(name, fontsize=9)
    ax.set_xlabel("token")
axes[0].set_ylabel("query")
figure.colorbar(picture, ax=axes, shrink=0.8, label="weight")
plt.show()

# %% [markdown]
# ## A transformer that reads digits
#
# The package carries 1,797 handwritten digits and a small vision transformer for them: sixteen
# patches as tokens, two layers, four heads. Its attention is left open. Into that place goes the
# circuit's fixed point: in every layer and every head.

# %%
images, labels = tp.proofs.load_digits()
held_out = tp.proofs.split_digits(labels).test[:PICTURES]
model = tp.proofs.load_digits_transformer()


def logits(attend_one_head):
    def attend(q, k, v):
        return jax.vmap(attend_one_head)(q, k, v)

    return jax.jit(jax.vmap(lambda image: model(image, attend)))(images[held_out])


def accuracy(found):
    return float(jnp.mean(jnp.argmax(found, axis=-1) == labels[held_out]))


def with_features(phi):
    return logits(lambda q, k, v: at.fixed_point(phi, q, k, v))


truth = logits(at.softmax_attention)
exact = with_features(at.OneProcessPerToken())
digits_gap = float(jnp.max(jnp.abs(exact - truth)))
changed = int(jnp.sum(jnp.argmax(exact, -1) != jnp.argmax(truth, -1)))
print(f"softmax reads {accuracy(truth):.1%}, the circuit {accuracy(exact):.1%} of the held out")
print(f"logits differ by {digits_gap:.0e} at most; {changed} predictions changed")

# %%
sizes = (8, 64, 512)
d_head = model.blocks[0].query.out_features // model.blocks[0].heads
random = [
    with_features(at.PositiveRandom(m, d_head, key=jax.random.key(0), orthogonal=True))
    for m in sizes
]
scale = float(jnp.sqrt(jnp.mean(truth**2)))
errors = [float(jnp.sqrt(jnp.mean((found - truth) ** 2))) / scale for found in random]

figure, axes = plt.subplots(1, 2, figsize=(10, 3.2), layout="constrained")
axes[0].loglog(sizes, errors, "o-", color=RED)
axes[0].set_ylabel("relative error of the logits")
axes[1].semilogx(sizes, [100 * accuracy(found) for found in random], "o-", color=BLUE)
axes[1].axhline(100 * accuracy(truth), color=INK, linestyle=":", label="softmax")
axes[1].set_ylabel("digits read (%)")
axes[1].legend(frameon=False)
for ax in axes:
    ax.set_xlabel("random features m")
    ax.grid(alpha=0.25)
plt.show()

# %% [markdown]
# ## How fast random features converge
#
# The relative error of one weight is sqrt((exp(|q + k|^2) - 1) / m). So the error falls as
# m^(-1/2) while queries and keys are short, and hardly at all when they are as long as in an
# ordinary transformer.


# %%
def output_error(length, m, key):
    """Relative error of the output; E|q + k|^2 is `length`."""
    of_q, of_k, of_v, of_w = jax.random.split(key, 4)
    spread = jnp.sqrt(length / (2.0 * 64))
    q, k = (spread * jax.random.normal(one, (32, 64)) for one in (of_q, of_k))
    v = jax.random.normal(of_v, (32, 8))
    target = at.softmax_attention(q, k, v)
    found = at.fixed_point(at.PositiveRandom(m, 64, key=of_w), q, k, v)
    return jnp.linalg.norm(found - target) / jnp.linalg.norm(target)


features_tried = (64, 256, 1024)
draws = jax.random.split(jax.random.key(5), DRAWS)
output_errors = jax.jit(jax.vmap(output_error, in_axes=(None, None, 0)), static_argnums=1)
slopes = {}
figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
for length, colour in ((1.0, GREEN), (4.0, ORANGE), (16.0, RED)):
    logs = [float(jnp.mean(jnp.log(output_errors(length, m, draws)))) for m in features_tried]
    means = np.exp(logs)
    slopes[length] = float(np.polyfit(np.log(features_tried), np.log(means), 1)[0])
    label = f"E|q + k|^2 = {length:g}: slope {slopes[length]:.2f}"
    ax.loglog(features_tried, means, "o-", color=colour, label=label)
ax.set_xlabel("random features m")
ax.set_ylabel("relative error of the output")
ax.grid(alpha=0.25)
ax.legend(frameon=False, fontsize=8)
plt.show()

# %% [markdown]
# ## Conclusion
#
# With one process per token the circuit's resting point *is* softmax attention, in a transformer as
# on random input. With random features it approximates it, at a rate that holds only while queries
# and keys are short.

# %%
assert closed_gap < 1e-13 and integrated_gap < 1e-8
assert digits_gap < 1e-9 and changed == 0 and accuracy(truth) > 0.9
assert errors[-1] < 0.5 * errors[0]
assert abs(slopes[1.0] + 0.5) < 0.1 and slopes[16.0] > -0.25
print("The fixed point of the circuit is attention.")
