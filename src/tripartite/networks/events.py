"""Spikes delivered one by one: at 1 to 100 Hz only a few cells in a thousand fire in a step."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from tripartite.core import constant

# Rows padded to more than this many times the edges waste memory.
_PADDING = 3.0

# Beyond one cell in so many, all edges are added up instead.
_SHARE = 64

_BITS = 32


class Fired(NamedTuple):
    """Who said something in a step.

    `signal`, `[cells]`, zero for most; `ids`, the first few of the others, then nonsense; `number`,
    how many others there are, which may be more than `ids` has room for.
    """

    signal: Array
    ids: Array
    number: Array


def fired(signal: Array) -> Fired:
    """Looks for the cells whose signal is not zero: 4,000 cells in some 5 us.

    32 cells to a word; the running number of bits says in which word the k-th of them is, and
    the bits of that word in which place.
    """
    words = _packed(jax.lax.stop_gradient(signal) != 0)
    room = max(16, signal.size // _SHARE)
    running = jnp.cumsum(jax.lax.population_count(words).astype(jnp.int32))
    rank = jnp.arange(room, dtype=jnp.int32)
    method = "compare_all" if words.size <= 256 else "scan_unrolled"
    word = jnp.searchsorted(running, rank, side="right", method=method).astype(jnp.int32)
    word = jnp.minimum(word, words.size - 1)
    before = jnp.where(word > 0, running[jnp.maximum(word - 1, 0)], 0)
    # Of each bit of the word, how many up to it are set.
    masks = (jnp.uint32(2) << jnp.arange(_BITS, dtype=jnp.uint32)) - jnp.uint32(1)
    upto = jax.lax.population_count(words[word][:, None] & masks[None, :]).astype(jnp.int32)
    bit = jnp.sum(upto <= (rank - before)[:, None], axis=1, dtype=jnp.int32)
    return Fired(signal, word * _BITS + bit, running[-1])


def _packed(flags: Bool[Array, " cells"]) -> Array:
    words = -(-flags.size // _BITS)
    bits = jnp.pad(flags, (0, words * _BITS - flags.size)).reshape(words, _BITS)
    shifted = bits.astype(jnp.uint32) << jnp.arange(_BITS, dtype=jnp.uint32)[None, :]
    return jnp.sum(shifted, axis=1, dtype=jnp.uint32)


class Rows(eqx.Module):
    """For each cell of `pre` its edges, in a row, padded with one edge past the last.

    **Arguments:** `row`, `[n_pre]`: the first for all cells without edges; `edge` and `post`,
    `[rows, largest fan-out]`; `targets`, how many cells there are to reach, which is also the
    padding of `post`.
    """

    targets: int = eqx.field(static=True)
    row: Array = constant()
    edge: Array = constant()
    post: Array = constant()

    def lay(self, weight: Array) -> Array:
        """The weights, `[edges]` or one, as they are read."""
        if jnp.ndim(weight) == 0:
            return weight
        return jnp.append(weight, jnp.zeros((), weight.dtype))[self.edge]

    def add(self, laid: Array, found: Fired) -> Array:
        """The weighted sum at each target, one cell that fired after the other."""
        sums = jnp.zeros((self.targets + 1,), found.signal.dtype)

        def one(k: Array, sums: Array) -> Array:
            cell = found.ids[k]
            row = self.row[cell]
            amount = found.signal[cell] * (laid if jnp.ndim(laid) == 0 else laid[row])
            return sums.at[self.post[row]].add(amount, mode="promise_in_bounds")

        return jax.lax.fori_loop(0, found.number, one, sums)[:-1]


def rows(pre: np.ndarray, post: np.ndarray, n_pre: int, targets: int) -> Rows | None:
    """The rows of edges from `pre` to `post`; `None` where they would be mostly padding."""
    edges = len(pre)
    fan = np.bincount(pre, minlength=n_pre)
    senders, widest = np.flatnonzero(fan), int(fan.max())
    if widest * len(senders) > _PADDING * edges:
        return None
    row = np.zeros(n_pre, np.int32)
    row[senders] = 1 + np.arange(len(senders))
    order = np.argsort(pre, kind="stable")
    place = np.arange(edges) - (np.cumsum(fan) - fan)[pre[order]]
    edge = np.full((1 + len(senders), widest), edges, np.int32)
    edge[row[pre[order]], place] = order
    onto = np.append(post, targets).astype(np.int32)[edge]
    return Rows(targets, jnp.asarray(row), jnp.asarray(edge), jnp.asarray(onto))
