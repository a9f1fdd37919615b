"""The fixed point of many heads, in time and memory linear in the number of tokens."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from tripartite.attention.features import AbstractFeatureMap
from tripartite.attention.fixed_point import require_positive, require_written
from tripartite.attention.pieces import (
    AttentionState,
    Encoder,
    HeadRates,
    Piece,
    Read,
    empty,
    first_exponents,
    forget_hidden,
    read_piece,
    read_while_writing,
    summed_in,
    write_piece,
)
from tripartite.core.arguments import checked
from tripartite.core.errors import require_axes, require_counts

# Tokens in a piece. A causal one costs its square; a longer one saves states in a gradient.
_CAUSAL, _WHOLE = 128, 512

Heads = Float[Array, "tokens heads d"]
# From the logarithm of the total calcium to the share of the output that is reached.
Reached = Callable[[Array], Array]


@checked
def linear_time(
    features: AbstractFeatureMap,
    q: Heads,
    k: Heads,
    v: Float[Array, "tokens heads d_v"],
    *,
    per_head: bool = False,
    mask: Bool[Array, " tokens"] | None = None,
    causal: bool = False,
    scale: float = 1.0,
    reached: Reached | None = None,
    piece: int | None = None,
) -> Float[Array, "queries heads d_v"]:
    """`fixed_point` of many heads at once, in pieces: O(L m d) time, O(L d) memory.

    Sums are kept in float32 at least. Positive maps neither overflow nor vanish, whatever the
    size of their exponents.

    **Arguments:**

    - `features`: a map of one head, used for all; or, with `per_head`, one whose arrays have a
        leading axis of heads.
    - `q`, `k`, `v`: tokens first, then heads; `scale` is multiplied into q and k.
    - `mask`, `causal`: as for `fixed_point`.
    - `reached`: of each query, from the logarithm of its total calcium, the share of the fixed
        point that is read; by default all.
    - `piece`: tokens in a piece, by default 128 (causal) or 512.

    **Raises:** `ValueError` as `fixed_point` does (sizes are the caller's to check); under `jit`,
    what concerns values is an Equinox run-time error.
    """
    require_axes("tokens heads d", q=q, k=k, v=v)
    require_counts(piece=piece)
    dtype = summed_in(v.dtype)
    encoder = Encoder(features, per_head, scale, dtype)
    k, v = forget_hidden(k, mask), forget_hidden(v, mask)
    of_queries, of_keys = (lambda q: encoder.queries(q, q)), encoder.keys
    if not features.tokenwise():
        q, k = (jnp.swapaxes(x, 0, 1) for x in (encoder.queries(q, k), encoder.keys(k)))
        of_queries = of_keys = partial(jnp.swapaxes, axis1=0, axis2=1)
    run = _causal if causal else _whole
    size = piece or (_CAUSAL if causal else _WHOLE)
    coders = _Coders(of_queries, of_keys, encoder.positive, dtype)
    output, calcium = run(coders, q, k, v, mask, size, reached)
    output = require_written(output, mask, causal)
    if not encoder.positive:
        amounts = jnp.min(calcium, axis=1)
        output = require_positive("total calcium", output, amounts, None, causal)
    return output


class _Coders(NamedTuple):
    """From a piece of tokens to exponents (or features), heads first."""

    queries: Callable[[Array], HeadRates]
    keys: Callable[[Array], HeadRates]
    positive: bool
    dtype: Any

    def piece(self, k: Array, v: Array, shown: Array | None) -> Piece:
        """What is to be written."""
        return Piece(self.keys(k), jnp.swapaxes(v.astype(self.dtype), 0, 1), shown)

    def empty(self, k: Array, v: Array) -> AttentionState:
        """Before anything is written."""
        heads, _, features = jax.eval_shape(self.keys, k[:1]).shape
        return empty(heads, features, v.shape[2], self.positive, self.dtype)


def _whole(
    coders: _Coders, q: Array, k: Array, v: Array, mask: Array | None, size: int, reached: Any
) -> tuple[Array, Array]:
    """All tokens are written, then every query is read."""
    hold = reached is None

    def write(state: AttentionState, now: tuple) -> tuple[AttentionState, None]:
        return write_piece(state, coders.piece(*now), coders.positive, hold), None

    def read(state: AttentionState, now: tuple) -> tuple[AttentionState, tuple[Array, Array]]:
        found = read_piece(state, coders.queries(now[0]), coders.positive, hold)
        return state, _output(found, found.log_factor, reached, v.dtype)

    state, _ = _over_pieces(write, coders.empty(k, v), (k, v), mask, size)
    return _over_pieces(read, state, (q,), None, size)[1]


def _causal(
    coders: _Coders, q: Array, k: Array, v: Array, mask: Array | None, size: int, reached: Any
) -> tuple[Array, Array]:
    """Each token is written, then its query is read."""
    hold = reached is None

    def token(state: AttentionState, now: tuple) -> tuple[AttentionState, tuple[Array, Array]]:
        query, *rest = now
        queries, piece = coders.queries(query), coders.piece(*rest)
        after, found = read_while_writing(state, piece, queries, coders.positive, hold)
        gauge = found.log_factor
        if reached is not None and coders.positive:
            gauge = first_exponents(state, piece, queries)
        return after, _output(found, gauge, reached, v.dtype)

    return _over_pieces(token, coders.empty(k, v), (q, k, v), mask, size)[1]


def _output(read: Read, gauge: Array, reached: Reached | None, dtype: Any) -> tuple[Array, Array]:
    """`drive / calcium`, tokens first, and the calcium."""
    # Divided by itself held constant, lest the derivative of 1/calcium overflow where it is small.
    held = jax.lax.stop_gradient(read.calcium)
    silent = held == 0.0
    held, calcium = (jnp.where(silent, 1.0, x) for x in (held, read.calcium))
    output = (read.drive / held[:, :, None]) / (calcium / held)[:, :, None]
    if reached is not None:
        share = reached(jnp.log(calcium) + (read.log_factor - gauge))
        output = output * share[:, :, None]
    return jnp.swapaxes(output.astype(dtype), 0, 1), read.calcium.T


def _over_pieces(
    step: Callable[..., Any],
    state: AttentionState,
    tokens: tuple[Array, ...],
    mask: Array | None,
    size: int,
) -> tuple[AttentionState, Any]:
    """Scans `step(state, (piece of tokens..., piece of mask))` over pieces of equal size."""
    step = jax.checkpoint(step, prevent_cse=False)
    length = tokens[0].shape[0]
    if length <= size:
        return step(state, (*tokens, mask))
    count = -(-length // size)
    size = _divisor(length, size) or -(-length // count)
    count = -(-length // size)
    padding = count * size - length
    if padding:
        mask = jnp.ones(length, bool) if mask is None else mask
        tokens = tuple(jnp.pad(x, ((0, padding), (0, 0), (0, 0))) for x in tokens)
        mask = jnp.pad(mask, (0, padding))
    pieces = jax.tree.map(lambda x: x.reshape(count, size, *x.shape[1:]), (*tokens, mask))
    state, found = jax.lax.scan(step, state, pieces)
    flat = jax.tree.map(lambda x: x.reshape(count * size, *x.shape[2:])[:length], found)
    return state, flat


def _divisor(length: int, size: int) -> int | None:
    """The largest size of equal pieces without padding, if one is not far below `size`."""
    return next((s for s in range(size, size // 2, -1) if length % s == 0), None)
