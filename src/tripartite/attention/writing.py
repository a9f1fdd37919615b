"""From the heads of a text to the circuits that read it: tokens written one after the other."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from tripartite.attention.features import OneProcessPerToken
from tripartite.attention.fixed_point import require_positive
from tripartite.attention.pieces import (
    AttentionState,
    Encoder,
    HeadRates,
    Piece,
    empty,
    forget_hidden,
    query_rates,
    write_piece,
)
from tripartite.attention.reading import Imperfections, ReadingCircuit
from tripartite.core import astype

Heads = Float[Array, "tokens heads d"]


def reading_circuit(
    encoder: Encoder,
    q: Heads,
    k: Heads,
    v: Float[Array, "tokens heads d_v"],
    *,
    mask: Bool[Array, " tokens"] | None,
    causal: bool,
    imperfections: Imperfections,
    process_key: Array,
    taus: tuple[Array, Array],
) -> ReadingCircuit:
    """Writes every token and shows the queries: the circuit at the moment when reading begins.

    **Arguments:** `process_key` draws what one process is like; `taus` are tau_n and tau_s in ms;
    the rest as for `linear_time`.

    **Raises:** `ValueError` (under `jit`, an Equinox run-time error) where nothing was written,
    or calcium does not sum to something positive.
    """
    k, v = forget_hidden(k, mask), forget_hidden(v, mask)
    queries, keys, positive = _coded(encoder, q, k)
    shown = jnp.ones(k.shape[:1], bool) if mask is None else mask
    imperfections = astype(imperfections, encoder.dtype)
    held = imperfections.held(v.astype(encoder.dtype), shown)
    heads, _, features = keys.shape
    start = empty(heads, features, v.shape[2], positive, encoder.dtype)
    memory = _written(start, Piece(keys, jnp.swapaxes(held, 0, 1), shown), positive, causal)
    exponents = memory.exponents if causal else memory.exponents[:, None]
    rates, _ = _at_each(queries, exponents, positive)
    calcium = memory.calcium if causal else memory.calcium[:, None]
    # The same processes in every precision.
    normal = jax.random.normal(process_key, (heads, 1, v.shape[2], features), jnp.float32)
    normal = normal.astype(encoder.dtype)
    # In the gauge lambda = M: the mean over processes is then the normaliser.
    entry = imperfections.entry(normal) * (features * rates * calcium)[:, :, None, :]
    total = jnp.min(jnp.sum(rates * calcium, axis=-1), axis=0)
    entry = require_positive("total calcium", entry, total, mask, causal)
    weights = memory.synapses if causal else memory.synapses[:, None]
    tau_n, tau_s = (tau.astype(encoder.dtype) for tau in taus)
    return ReadingCircuit(
        rates,
        jnp.swapaxes(weights, 2, 3),
        entry,
        tau_n,
        tau_s,
        imperfections.tau_diffusion,
        imperfections.saturation,
    )


def _coded(encoder: Encoder, q: Array, k: Array) -> tuple[HeadRates, HeadRates, bool]:
    """Exponents of the features (or features), and whether they are exponents."""
    if not isinstance(encoder.features, OneProcessPerToken):
        return encoder.queries(q, k), encoder.keys(k), encoder.positive
    # Its features by their exponents: one query's largest must not be that of a later token.
    q, k = (x.astype(encoder.dtype) * encoder.scale for x in (q, k))
    scores = jnp.einsum("thd,shd->hts", q, k)
    own = jnp.where(jnp.eye(k.shape[0], dtype=bool), 0.0, -jnp.inf).astype(encoder.dtype)
    return scores, jnp.broadcast_to(own[None], (k.shape[1], *own.shape)), True


def _written(start: AttentionState, tokens: Piece, positive: bool, causal: bool) -> AttentionState:
    """The memory when all is written or, causal, after each token (heads, then tokens)."""
    if not causal:
        return write_piece(start, tokens, positive, hold=False)

    def token(state: AttentionState, now: Piece) -> tuple[AttentionState, AttentionState]:
        one = Piece(now.keys[:, None], now.values[:, None], _one(now.shown))
        state = write_piece(state, one, positive, hold=False)
        return state, state

    first = Piece(jnp.swapaxes(tokens.keys, 0, 1), jnp.swapaxes(tokens.values, 0, 1), tokens.shown)
    _, states = jax.lax.scan(token, start, first)
    return jax.tree.map(lambda x: jnp.swapaxes(x, 0, 1), states)


def _one(shown: Array | None) -> Array | None:
    return None if shown is None else shown[None]


def _at_each(queries: HeadRates, exponents: Array, positive: bool) -> tuple[HeadRates, Array]:
    """`query_rates` with the exponents that each query finds, shape (heads, queries or 1, m)."""
    moved = queries + exponents if positive else queries
    return query_rates(moved, jnp.zeros_like(exponents[:, 0]), positive, hold=False)
