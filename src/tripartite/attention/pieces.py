"""Writing and reading a piece of a text, every head at once, safely in any precision.

Within, features are held as `exp(exponent_j) * rate_j`: exponent_j is the largest logarithm that
feature j has had among the keys written, so each key's rate is at most 1 and the sum of each
feature's rates at least 1. It is a gauge of the circuit, exactly: what is taken from a feature of
the keys is given to that of the queries, and each query's own largest is left out. The total
calcium of a query that reads what is written is then at least 1, whatever the features.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import equinox as eqx
import equinox.internal as eqxi
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from tripartite.attention.features import AbstractFeatureMap, AbstractPositiveFeatureMap
from tripartite.core import astype

# Heads first: shape (heads, tokens, features).
HeadRates = Float[Array, "heads tokens features"]


class AttentionState(NamedTuple):
    """What has been written so far, all pure numbers; its size does not grow with the text.

    - `synapses`: the Hebbian c, shape (heads, features, d_v).
    - `calcium`: the key sum g that sets the total calcium, shape (heads, features).
    - `exponents`: the logarithm of the factor that both are short of, feature by feature, shape
        (heads, features); zero for a map that is not positive.
    """

    synapses: Float[Array, "heads features d_v"]
    calcium: Float[Array, "heads features"]
    exponents: Float[Array, "heads features"]


class Read(NamedTuple):
    """What the output neurons are driven by: `drive / calcium`, heads first.

    `log_factor` is the logarithm of what both are short of, for each head and query.
    """

    drive: Float[Array, "heads tokens d_v"]
    calcium: Float[Array, "heads tokens"]
    log_factor: Float[Array, "heads tokens"]


class Encoder(eqx.Module):
    """The feature maps of all heads, one for each or one for all of them.

    Gives the logarithms of the features of positive maps, and the features themselves of others,
    heads first, in `dtype`; queries and keys are multiplied by `scale` before.
    """

    features: AbstractFeatureMap
    per_head: bool = eqx.field(static=True)
    scale: float = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)

    @property
    def positive(self) -> bool:
        """Whether what is given are logarithms."""
        return isinstance(self.features, AbstractPositiveFeatureMap)

    def _over_heads(self, function: Callable[..., Array], *tokens: Array) -> HeadRates:
        features = astype(self.features, self.dtype)
        axes = (eqx.if_array(0) if self.per_head else None, *[1] * len(tokens))
        scaled = [x.astype(self.dtype) * self.scale for x in tokens]
        return eqx.filter_vmap(function, in_axes=axes, out_axes=0)(features, *scaled)

    def queries(self, q: Float[Array, "queries heads d"], k: Array) -> HeadRates:
        """Of the queries."""
        return self._over_heads(_log_queries if self.positive else _queries, q, k)

    def keys(self, k: Float[Array, "tokens heads d"]) -> HeadRates:
        """Of the keys."""
        return self._over_heads(_log_keys if self.positive else _keys, k)


def _log_queries(features: Any, q: Array, k: Array) -> Array:
    return features.log_queries(q, k)


def _queries(features: Any, q: Array, k: Array) -> Array:
    return features.queries(q, k)


def _log_keys(features: Any, k: Array) -> Array:
    return features.log_keys(k)


def _keys(features: Any, k: Array) -> Array:
    return features.keys(k)


def summed_in(dtype: Any) -> Any:
    """The precision in which sums are kept: that of the values, but float32 at least."""
    return jnp.dtype(dtype if jnp.dtype(dtype).itemsize >= 4 else jnp.float32)


def forget_hidden(x: Array, mask: Array | None) -> Array:
    """Puts a token that is shown in the place of each that is not, as `forget_masked` does."""
    if mask is None:
        return x
    return jnp.where(mask[:, None, None], x, x[jnp.argmax(mask)][None])


def nothing(dtype: Any) -> Any:
    """The logarithm of a feature that has not been written: finite, and its exponential is 0."""
    return jnp.asarray(jnp.finfo(dtype).min / 4, dtype)


def empty(heads: int, features: int, d_v: int, positive: bool, dtype: Any) -> AttentionState:
    """Before anything is written."""
    start = nothing(dtype) if positive else jnp.zeros((), dtype)
    shape = (heads, features)
    return AttentionState(
        jnp.zeros((*shape, d_v), dtype), jnp.zeros(shape, dtype), jnp.full(shape, start)
    )


class Piece(NamedTuple):
    """The tokens of a piece, heads first: logarithms (or features) of the keys, and values."""

    keys: HeadRates
    values: Float[Array, "heads tokens d_v"]
    shown: Bool[Array, " tokens"] | None


def rates_of(
    state: AttentionState, piece: Piece, positive: bool, hold: bool
) -> tuple[HeadRates, Array, Array]:
    """The keys' rates, the exponents after they are written, and the factor on what was before.

    `hold`: treat exponents as constants, which they are of what does not depend on the gauge.
    """
    keys, shown = piece.keys, None if piece.shown is None else piece.shown[None, :, None]
    if not positive:
        rates, exponents = keys, state.exponents
        fade = jnp.ones_like(exponents)
    else:
        of_shown = keys if shown is None else jnp.where(shown, keys, nothing(keys.dtype))
        exponents = jnp.maximum(state.exponents, jnp.max(of_shown, axis=1))
        exponents = jax.lax.stop_gradient(exponents) if hold else exponents
        rates = jnp.exp(of_shown - exponents[:, None, :])
        fade = jnp.exp(state.exponents - exponents)
    if shown is not None:
        rates = jnp.where(shown, rates, 0.0)
    return rates, exponents, fade


def write_piece(
    state: AttentionState, piece: Piece, positive: bool, hold: bool = True
) -> AttentionState:
    """Hebb's rule for each token, and the key sum."""
    rates, exponents, fade = rates_of(state, piece, positive, hold)
    synapses = state.synapses * fade[:, :, None] + jnp.einsum("hsm,hsn->hmn", rates, piece.values)
    return AttentionState(synapses, state.calcium * fade + jnp.sum(rates, axis=1), exponents)


def query_rates(
    queries: HeadRates, exponents: Array, positive: bool, hold: bool
) -> tuple[HeadRates, Float[Array, "heads tokens"]]:
    """The queries' rates, at most 1, and the logarithm of each one's factor."""
    if not positive:
        return queries, jnp.zeros(queries.shape[:2], queries.dtype)
    exponents = queries + exponents[:, None, :]
    top = jnp.max(exponents, axis=-1)
    top = jax.lax.stop_gradient(top) if hold else top
    return jnp.exp(exponents - top[:, :, None]), top


def read_piece(
    state: AttentionState, queries: HeadRates, positive: bool, hold: bool = True
) -> Read:
    """Every query reads what is written."""
    rates, top = query_rates(queries, state.exponents, positive, hold)
    calcium = jnp.einsum("htm,hm->ht", rates, state.calcium)
    return Read(rates @ state.synapses, calcium, top)


def read_while_writing(
    state: AttentionState, piece: Piece, queries: HeadRates, positive: bool, hold: bool = True
) -> tuple[AttentionState, Read]:
    """Each token is written, then its query is read; a whole piece at once.

    One exponent per feature serves the piece, so keys that come late in it may push those before
    them under the smallest number. Where that would cost a query digits, the piece is read again
    with every pair's own exponents.
    """
    rates, exponents, fade = rates_of(state, piece, positive, hold)
    synapses, calcium = state.synapses * fade[:, :, None], state.calcium * fade
    seen, top = query_rates(queries, exponents, positive, hold)
    size = rates.shape[1]
    weights = jnp.where(jnp.tri(size, dtype=bool)[None], seen @ jnp.swapaxes(rates, 1, 2), 0.0)
    fast = Read(
        seen @ synapses + weights @ piece.values,
        jnp.einsum("htm,hm->ht", seen, calcium) + jnp.sum(weights, axis=-1),
        top,
    )
    written = synapses + jnp.einsum("hsm,hsn->hmn", rates, piece.values)
    after = AttentionState(written, calcium + jnp.sum(rates, axis=1), exponents)
    if not positive:
        return after, fast
    # What is lost lies below the smallest number: below its root, relative to this.
    faint = fast.calcium < jnp.sqrt(jnp.finfo(rates.dtype).tiny)
    faint = eqxi.unvmap_any(jax.lax.stop_gradient(faint))
    careful = jax.checkpoint(partial(_read_pair_by_pair, hold=hold))
    return after, jax.lax.cond(faint, lambda: careful(state, piece, queries), lambda: fast)


def _read_pair_by_pair(state: AttentionState, piece: Piece, queries: HeadRates, hold: bool) -> Read:
    """One query after the other, with the exponents of each of its pairs."""
    size = piece.keys.shape[1]
    shown = jnp.ones(size, bool) if piece.shown is None else piece.shown

    @jax.checkpoint
    def one(now: tuple[Array, Array]) -> Read:
        query, t = now
        allowed = ((jnp.arange(size) <= t) & shown)[None, :]
        pairs = jnp.where(allowed[:, :, None], query[:, None, :] + piece.keys, nothing(query.dtype))
        past = query + state.exponents
        top = jnp.maximum(jnp.max(pairs, axis=(1, 2)), jnp.max(past, axis=1))
        top = jax.lax.stop_gradient(top) if hold else top
        weights = jnp.sum(jnp.exp(pairs - top[:, None, None]), axis=2)
        weights = jnp.where(allowed, weights, 0.0)
        rates = jnp.exp(past - top[:, None])
        drive = jnp.einsum("hm,hmn->hn", rates, state.synapses)
        drive = drive + jnp.einsum("hs,hsn->hn", weights, piece.values)
        calcium = jnp.sum(rates * state.calcium, axis=1) + jnp.sum(weights, axis=1)
        return Read(drive, calcium, top)

    found = jax.lax.map(one, (jnp.swapaxes(queries, 0, 1), jnp.arange(size)))
    return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), found)


def first_exponents(
    state: AttentionState, piece: Piece, queries: HeadRates
) -> Float[Array, "heads tokens"]:
    """The factor of each query when its own token has just been written: the gauge in time."""
    keys = piece.keys
    if piece.shown is not None:
        keys = jnp.where(piece.shown[None, :, None], keys, nothing(keys.dtype))
    so_far = jnp.maximum(state.exponents[:, None, :], jax.lax.cummax(keys, axis=1))
    return jnp.max(queries + so_far, axis=-1)
