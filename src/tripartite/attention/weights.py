"""Attention weights of every pair: for masks of queries, dropout, and one process per token."""

import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from tripartite.attention.features import OneProcessPerToken
from tripartite.attention.fixed_point import raise_if
from tripartite.attention.pieces import Encoder, HeadRates, nothing, query_rates

Allowed = Bool[Array, "heads queries tokens"]
Weights = Float[Array, "heads queries tokens"]


def pair_weights(
    encoder: Encoder,
    q: Float[Array, "queries heads d"],
    k: Float[Array, "tokens heads d"],
    allowed: Allowed,
    *,
    in_time: bool = False,
) -> tuple[Weights, Float[Array, "heads queries"]]:
    """The normalised weights, and the logarithm of each query's total calcium.

    **Arguments:** `allowed`, `False` where a query may not read a token, its first axis of size 1
    or of the heads; `in_time`: that calcium is wanted, in the gauge of a circuit that has written
    what the query may read.

    **Raises:** `ValueError` (under `jit`, an Equinox run-time error) where a query may read
    nothing, or its features do not sum to something positive.
    """
    unread = ~jnp.any(allowed, axis=(0, 2)) | jnp.any(~jnp.any(allowed, axis=2), axis=0)
    q = raise_if(
        q,
        unread,
        "every token is masked for query {index} of at least one head: it has nothing to attend "
        "to. Leave each query at least one token.",
    )
    if isinstance(encoder.features, OneProcessPerToken):
        weights, gauge = _by_scores(encoder, q, k, allowed)
    else:
        weights, gauge = _by_features(encoder, q, k, allowed, in_time)
    total = jnp.sum(weights, axis=-1)
    weights = raise_if(
        weights,
        ~jnp.all(total > 0, axis=0),
        "the total calcium of query {index} is not positive: its features sum to zero (or below, "
        "or to NaN) over the tokens it may read. Scale q and k down, or take a positive feature "
        "map or more features.",
    )
    held = jax.lax.stop_gradient(total)[:, :, None]
    weights = (weights / held) / (total[:, :, None] / held)
    return weights, jnp.log(total) + gauge


def _by_scores(encoder: Encoder, q: Array, k: Array, allowed: Allowed) -> tuple[Weights, Array]:
    """One process per token: the features of a query are the exponentials of its scores."""
    q, k = (x.astype(encoder.dtype) * encoder.scale for x in (q, k))
    scores = jnp.where(allowed, jnp.einsum("thd,shd->hts", q, k), nothing(encoder.dtype))
    top = jnp.max(scores, axis=-1, keepdims=True)
    weights = jnp.where(allowed, jnp.exp(scores - top), 0.0)
    return weights, jnp.zeros(top.shape[:2], top.dtype)


def _by_features(
    encoder: Encoder, q: Array, k: Array, allowed: Allowed, in_time: bool
) -> tuple[Weights, Array]:
    queries, keys = encoder.queries(q, k), encoder.keys(k)
    if not encoder.positive:
        weights = jnp.where(allowed, queries @ jnp.swapaxes(keys, 1, 2), 0.0)
        return weights, jnp.zeros(weights.shape[:2], weights.dtype)
    seen = jnp.any(allowed, axis=1)[:, :, None]
    keys = jnp.where(seen, keys, nothing(keys.dtype))
    largest = jax.lax.stop_gradient(jnp.max(keys, axis=1))
    rates, top = query_rates(queries, largest, True, True)
    products = rates @ jnp.swapaxes(jnp.exp(keys - largest[:, None, :]), 1, 2)
    fast = jnp.where(allowed, products, 0.0), top
    # What is lost lies below the smallest number: below its root, relative to this.
    faint = jnp.sum(fast[0], axis=-1) < jnp.sqrt(jnp.finfo(keys.dtype).tiny)
    faint = eqxi.unvmap_any(jax.lax.stop_gradient(faint))
    careful = jax.checkpoint(_pair_by_pair)
    weights, top = jax.lax.cond(faint, lambda: careful(queries, keys, allowed), lambda: fast)
    if not in_time:
        return weights, jnp.zeros_like(top)
    return weights, top - _largest_pairs(queries, keys, allowed)


def _pair_by_pair(
    queries: HeadRates, keys: HeadRates, allowed: Allowed
) -> tuple[Weights, Float[Array, "heads queries"]]:
    """One query after the other, with the exponents of each of its pairs."""

    @jax.checkpoint
    def one(now: tuple[Array, Array]) -> tuple[Array, Array]:
        query, may = now
        pairs = jnp.where(may[:, :, None], query[:, None, :] + keys, nothing(keys.dtype))
        top = jax.lax.stop_gradient(jnp.max(pairs, axis=(1, 2)))
        weights = jnp.sum(jnp.exp(pairs - top[:, None, None]), axis=2)
        return jnp.where(may, weights, 0.0), top

    found = jax.lax.map(one, (jnp.swapaxes(queries, 0, 1), jnp.swapaxes(allowed, 0, 1)))
    weights, top = found
    return jnp.swapaxes(weights, 0, 1), top.T


def _largest_pairs(
    queries: HeadRates, keys: HeadRates, allowed: Allowed
) -> Float[Array, "heads queries"]:
    """The largest logarithm among the pairs of each query."""

    def one(now: tuple[Array, Array]) -> Array:
        query, may = now
        largest = jnp.max(jnp.where(may[:, :, None], keys, nothing(keys.dtype)), axis=1)
        return jnp.max(query + largest, axis=-1)

    return jax.lax.map(one, (jnp.swapaxes(queries, 0, 1), jnp.swapaxes(allowed, 0, 1))).T
