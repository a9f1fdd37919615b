"""Feature maps learnt from a pretrained encoder: its attention first, then its sentence embeddings.

Both stages run every layer of the checkpoint over a batch of sentences. In the first, each map sees
the checkpoint's own queries and keys and imitates its attention weights and what they bring home
(Zhang et al. 2024, arXiv 2402.04347, for the weights). In the second, the maps stand in for softmax
in every layer, and hidden states and sentence embeddings are those to be kept.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from tripartite.attention import AbstractPositiveFeatureMap, BertEncoder, LearnedGaussian
from tripartite.attention.encoder import join_heads
from tripartite.core.files import whole_file

# Relative to the other terms of a loss; the embeddings are what is asked for.
COSINE_WEIGHT, PAIRS_WEIGHT = 10.0, 1000.0
LLOYD = 4  # moves of the centres


class Batch(NamedTuple):
    """Sentences of about one length: token numbers, and which of them are no padding."""

    ids: Int[Array, "sentences tokens"]
    mask: Bool[Array, "sentences tokens"]


class Teacher(NamedTuple):
    """An encoder whose layers are stacked, so that they compile once, and its token embedding."""

    encoder: BertEncoder
    layers: Any

    @classmethod
    def of(cls, encoder: BertEncoder) -> "Teacher":
        layers = jax.tree.map(lambda *leaves: jnp.stack(leaves), *encoder.layers)
        return cls(eqx.tree_at(lambda e: e.layers, encoder, ()), layers)

    def read(self, batch: Batch) -> Float[Array, "sentences tokens width"]:
        """The hidden states before the first layer, as in `BertEncoder`."""
        return jax.vmap(self.encoder)(*batch)


def softmax_weights(q: Array, k: Array, mask: Array) -> Float[Array, "heads queries tokens"]:
    return jax.nn.softmax(jnp.where(mask[None, None, :], q @ k.swapaxes(1, 2), -jnp.inf), axis=-1)


def circuit_weights(
    maps: AbstractPositiveFeatureMap, q: Array, k: Array, mask: Array
) -> Float[Array, "heads queries tokens"]:
    """`Q~ . K~` over its sum, of every head; a feature's largest exponent goes to the queries."""
    of_q = jax.vmap(lambda one, q, k: one.log_queries(q, k))(maps, q, k)
    of_k = jax.vmap(lambda one, k: one.log_keys(k))(maps, k)
    of_k = jnp.where(mask[None, :, None], of_k, -1e30)
    largest = jax.lax.stop_gradient(jnp.max(of_k, axis=1, keepdims=True))
    of_q = of_q + largest
    of_q = of_q - jax.lax.stop_gradient(jnp.max(of_q, axis=-1, keepdims=True))
    weights = jnp.exp(of_q) @ jnp.exp(of_k - largest).swapaxes(1, 2)
    return weights / jnp.sum(weights, axis=-1, keepdims=True)


def attention_loss(maps: Any, teacher: Teacher, batch: Batch) -> Array:
    """Of each layer, on the checkpoint's own states: relative entropy of the attention weights,
    mean over heads and tokens, and the squared error of what attention adds to the hidden state
    over its square; both summed over layers."""

    def layer(x: Array, now: tuple) -> tuple[Array, tuple]:
        block, features = now

        def sentence(x: Array, mask: Array) -> tuple[Array, tuple]:
            found = []

            def attend(q: Array, k: Array, v: Array, mask: Array) -> Array:
                exact, own = softmax_weights(q, k, mask), circuit_weights(features, q, k, mask)
                ratio = jnp.log(exact + 1e-9) - jnp.log(own + 1e-9)
                entropy = jnp.sum(jnp.where(mask[None, :, None], exact * ratio, 0.0), (1, 2))
                lost = join_heads((own - exact) @ v) @ block.gather.weight.T
                kept = join_heads(exact @ v) @ block.gather.weight.T
                squares = [jnp.sum(jnp.where(mask[:, None], y * y, 0.0)) for y in (lost, kept)]
                found.append((jnp.mean(entropy), *squares))
                return exact @ v

            return block(x, mask, attend), found[0]

        return jax.vmap(sentence)(x, batch.mask)

    _, (entropy, lost, kept) = jax.lax.scan(layer, teacher.read(batch), (teacher.layers, maps))
    share = jnp.sum(lost, axis=1) / jnp.sum(kept, axis=1)
    return jnp.sum(entropy) / jnp.sum(batch.mask.astype(entropy.dtype)) + jnp.sum(share)


def embedding_loss(maps: Any, teacher: Teacher, batch: Batch) -> Array:
    """With the maps in every layer: 1 - cosine of the sentence embeddings, squared differences of
    the cosines between sentences, and squared errors of hidden states over their variance."""
    truth, exact = hidden_states(None, teacher, batch)
    found, own = hidden_states(maps, teacher, batch)
    shown = batch.mask.astype(truth.dtype)
    weight = (shown / jnp.sum(shown))[None, :, :, None]
    mean = jnp.sum(weight * truth, axis=(1, 2), keepdims=True)
    errors, spread = ((weight * y * y).sum((1, 2, 3)) for y in (found - truth, truth - mean))
    cosine = jnp.mean(1.0 - jnp.sum(exact * own, axis=1))
    pairs = jnp.mean((exact @ exact.T - own @ own.T) ** 2)
    return COSINE_WEIGHT * cosine + PAIRS_WEIGHT * pairs + jnp.mean(errors / spread)


def hidden_states(maps: Any, teacher: Teacher, batch: Batch) -> tuple[Array, Array]:
    """After every layer; and the sentence embeddings: means over tokens, of length 1."""

    def layer(x: Array, now: tuple) -> tuple[Array, Array]:
        block, features = now

        def attend(q: Array, k: Array, v: Array, mask: Array) -> Array:
            if features is None:
                return softmax_weights(q, k, mask) @ v
            return circuit_weights(features, q, k, mask) @ v

        x = jax.vmap(lambda x, mask: block(x, mask, attend))(x, batch.mask)
        return x, x

    last, states = jax.lax.scan(layer, teacher.read(batch), (teacher.layers, maps))
    shown = batch.mask.astype(last.dtype)
    mean = jnp.einsum("st,stw->sw", shown, last) / jnp.sum(shown, axis=1, keepdims=True)
    return states, mean / jnp.linalg.norm(mean, axis=1, keepdims=True)


def placed(
    maps: LearnedGaussian, teacher: Teacher, batches: list[Batch], key: Array
) -> LearnedGaussian:
    """Untrained maps whose neurons are tuned to where the checkpoint's keys are.

    Centres `mu_n` by Lloyd's iteration on the keys of the batches, from keys drawn at random; one
    width A = a of a head, `1/a^2` the mean square of a key's distance to its centre. Then
    `psi_n(k) = exp(-a^2 |k - mu_n|^2 / 2)` and `phi_n(q) = exp(q.mu_n)`: what a query would
    find if every key were at its centre.
    """
    keys = keys_of(teacher, batches)
    layers, heads, count, d = keys.shape
    features = maps.query_weights.shape[2]
    if count < features:
        raise ValueError(f"{features} neurons need as many keys to begin from, got {count}.")
    found = jax.lax.map(
        lambda now: centres(now[0], features, now[1]),
        (keys.reshape(-1, count, d), jax.random.split(key, layers * heads)),
    )
    mu, square = (x.reshape(layers, heads, *x.shape[1:]) for x in found)
    height = -0.5 * square[:, :, None] * jnp.sum(mu**2, axis=-1)
    width = jnp.sqrt(square)[:, :, None, None] * jnp.eye(d, dtype=mu.dtype)[None, None]
    return eqx.tree_at(
        lambda m: (m.query_weights, m.key_weights, m.key_bias, m.width),
        maps,
        (mu, square[:, :, None, None] * mu, height, width),
    )


def keys_of(teacher: Teacher, batches: list[Batch]) -> Float[Array, "layers heads tokens d"]:
    """The keys of every head of the checkpoint, of all tokens that are no padding."""

    @jax.jit
    def keys(teacher: Teacher, batch: Batch) -> Float[Array, "layers sentences heads tokens d"]:
        def layer(x: Array, block: Any) -> tuple[Array, Array]:
            def sentence(x: Array, mask: Array) -> tuple[Array, Array]:
                found = []

                def attend(q: Array, k: Array, v: Array, mask: Array) -> Array:
                    found.append(k)
                    return softmax_weights(q, k, mask) @ v

                return block(x, mask, attend), found[0]

            return jax.vmap(sentence)(x, batch.mask)

        return jax.lax.scan(layer, teacher.read(batch), teacher.layers)[1]

    seen = [jnp.moveaxis(keys(teacher, batch), 2, 3)[:, batch.mask] for batch in batches]
    return jnp.moveaxis(jnp.concatenate(seen, axis=1), 1, 2)


def centres(keys: Float[Array, "tokens d"], count: int, key: Array) -> tuple[Array, Array]:
    """Lloyd's centres, and 1 over the mean squared distance to the nearest."""

    def nearest(mu: Array) -> tuple[Array, Array]:
        squares = jnp.sum(keys**2, 1)[:, None] - 2.0 * keys @ mu.T + jnp.sum(mu**2, 1)[None, :]
        return jnp.argmin(squares, axis=1), jnp.maximum(jnp.min(squares, axis=1), 0.0)

    def move(mu: Array, _: None) -> tuple[Array, None]:
        own = jax.nn.one_hot(nearest(mu)[0], count, dtype=keys.dtype)
        members = jnp.sum(own, axis=0)[:, None]
        return jnp.where(members > 0, own.T @ keys / jnp.maximum(members, 1.0), mu), None

    begin = jax.random.choice(key, keys, (count,), replace=False)
    mu, _ = jax.lax.scan(move, begin, length=LLOYD)
    return mu, 1.0 / jnp.mean(nearest(mu)[1])


class Progress(NamedTuple):
    """A training between two steps: all that it needs to go on, and what it has cost."""

    maps: Any
    optimiser: Any
    steps: Int[Array, ""]
    cpu_s: Float[Array, ""]


def train(
    begin: Any,
    loss: Callable[[Any, Teacher, Batch], Array],
    teacher: Teacher,
    batches: list[Batch],
    rate: float,
    kept: Path,
) -> Progress:
    """Adam over the batches, with a warm-up and a cosine's descent of its rate.

    Every 50 steps the file `kept` is written; where it is there already, training goes on from it.
    """
    steps = len(batches)
    warm = min(50, steps // 10)
    schedule = optax.warmup_cosine_decay_schedule(0.0, rate, warm, steps, rate / 100)
    optimiser = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(schedule, b2=0.99))

    @jax.jit
    def step(maps: Any, state: Any, teacher: Teacher, batch: Batch) -> tuple[Any, Any, Array]:
        value, slope = jax.value_and_grad(loss)(maps, teacher, batch)
        updates, state = optimiser.update(slope, state)
        return optax.apply_updates(maps, updates), state, value

    progress = Progress(begin, optimiser.init(begin), jnp.array(0), jnp.array(0.0))
    if kept.exists():
        with open(kept, "rb") as file:
            progress = eqx.tree_deserialise_leaves(file, progress)
    maps, state, done, before = progress
    began, losses = time.process_time(), []
    for number in range(int(done) + 1, steps + 1):
        maps, state, value = step(maps, state, teacher, batches[number - 1])
        losses.append(float(value))
        if number % 50 == 0 or number == steps:
            cost = before + (time.process_time() - began)
            progress = Progress(maps, state, jnp.array(number), cost)
            with whole_file(kept) as file:
                eqx.tree_serialise_leaves(file, progress)
            print(f"step {number}: loss {np.mean(losses[-50:]):.4f}, {cost:.0f} s", flush=True)
    return progress
