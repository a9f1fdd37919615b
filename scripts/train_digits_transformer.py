"""Train the digits transformer shipped in `tripartite.proofs` and write its weights.

    python scripts/train_digits_transformer.py [--out FILE] [--epochs N]

About three minutes on two CPU cores. The held-out fifth is looked at once, at the end.
"""

import argparse
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from tripartite.proofs.digits import load_digits, split_digits
from tripartite.proofs.digits_transformer import (
    DigitsTransformer,
    save_digits_transformer,
    softmax_attend,
)

ASSET = Path(__file__).parents[1] / "src/tripartite/proofs/assets/digits_transformer.npz"
SEED = 0
BATCH = 64
PEAK_RATE = 3e-3
WEIGHT_DECAY = 0.05
LABEL_SMOOTHING = 0.05
SHIFT = 1.0
DEFORM = 0.2
# A random feature's error grows as exp(|q + k|^2), so longer queries and keys than this cost.
LENGTH_LIMIT = 1.5
LENGTH_PENALTY = 0.1


def logits_and_queries(model, image):
    """The ten logits, and the queries and keys: (layers, 2, heads, tokens, d_head)."""
    seen = []

    def attend(q, k, v):
        seen.append(jnp.stack([q, k]))
        return softmax_attend(q, k, v)

    return model(image, attend), jnp.stack(seen)


def jitter(image, key):
    """Shift, turn, shear and stretch a picture a little (bilinear; dark pixels move in)."""
    to_shift, to_deform = jax.random.split(key)
    offset = SHIFT * jax.random.uniform(to_shift, (2,), minval=-1.0)
    matrix = jnp.eye(2) + DEFORM * jax.random.uniform(to_deform, (2, 2), minval=-1.0)
    grid = jnp.stack(jnp.meshgrid(jnp.arange(8.0), jnp.arange(8.0), indexing="ij")) - 3.5
    source = jnp.einsum("ij,jyx->iyx", matrix, grid) + (offset + 3.5)[:, None, None]
    return jax.scipy.ndimage.map_coordinates(image, list(source), order=1)


def loss(model, images, labels, key):
    moved = jax.vmap(jitter)(images, jax.random.split(key, len(images)))
    logits, queries = jax.vmap(logits_and_queries, in_axes=(None, 0))(model, moved)
    lengths = jnp.sum(queries**2, axis=-1)
    targets = optax.smooth_labels(jax.nn.one_hot(labels, 10), LABEL_SMOOTHING)
    excess = jnp.sum(jax.nn.relu(lengths - LENGTH_LIMIT) ** 2, axis=(1, 2, 3, 4))
    error = optax.softmax_cross_entropy(logits, targets)
    return jnp.mean(error) + LENGTH_PENALTY * jnp.mean(excess)


def train(images, labels, epochs, key):
    """AdamW with a cosine schedule; one epoch is one compiled scan over shuffled batches."""
    steps = len(images) // BATCH
    schedule = optax.warmup_cosine_decay_schedule(0.0, PEAK_RATE, 5 * steps, epochs * steps)
    optimiser = optax.adamw(schedule, weight_decay=WEIGHT_DECAY)
    start, key = jax.random.split(key)
    model = DigitsTransformer(key=start)

    def step(carry, batch):
        model, state, key = carry
        key, draw = jax.random.split(key)
        value, grads = eqx.filter_value_and_grad(loss)(model, images[batch], labels[batch], draw)
        updates, state = optimiser.update(grads, state, model)
        return (eqx.apply_updates(model, updates), state, key), value

    @jax.jit
    def epoch(carry):
        model, state, key = carry
        key, draw = jax.random.split(key)
        order = jax.random.permutation(draw, len(images))[: steps * BATCH].reshape(steps, BATCH)
        carry, values = jax.lax.scan(step, (model, state, key), order)
        return carry, jnp.mean(values)

    carry = (model, optimiser.init(model), key)
    for number in range(epochs):
        carry, value = epoch(carry)
        if (number + 1) % 20 == 0:
            print(f"epoch {number + 1:4d}  loss {float(value):.4f}", flush=True)
    return carry[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ASSET)
    parser.add_argument("--epochs", type=int, default=800)
    chosen = parser.parse_args()
    began = time.perf_counter()
    digits = load_digits()
    split = split_digits(digits.labels)
    model = train(
        digits.images[split.train], digits.labels[split.train], chosen.epochs, jax.random.key(SEED)
    )
    save_digits_transformer(model, chosen.out)
    logits, queries = jax.vmap(logits_and_queries, in_axes=(None, 0))(model, digits.images)
    q, k = queries[:, :, 0], queries[:, :, 1]
    scores = jnp.einsum("plhqd,plhkd->plhqk", q, k)
    spread = jnp.sum((q[..., :, None, :] + k[..., None, :, :]) ** 2, axis=-1)
    right = jnp.argmax(logits, axis=-1) == digits.labels
    print(f"time {time.perf_counter() - began:.0f} s, {chosen.out.stat().st_size} bytes")
    print(f"accuracy {float(jnp.mean(right[split.train])):.4f} on the pictures learnt from")
    print(f"accuracy {float(jnp.mean(right[split.test])):.4f} on the held-out fifth")
    print(f"largest |q.k| {float(jnp.max(jnp.abs(scores))):.2f} over all pictures")
    print(f"|q + k|^2: mean {float(jnp.mean(spread)):.2f}, largest {float(jnp.max(spread)):.2f}")


if __name__ == "__main__":
    main()
