"""How values are summed along edges: the layout that was measured to be fastest for them."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.core import constant

# Beyond this ratio of the largest fan-in to the mean, padding costs more than scattering.
_HEAVY = 3.0

# From this share of joined pairs on, a dense matrix costs less than a table of edges.
_DENSE = 0.2


class Sums(eqx.Module):
    """Adds up one value per edge into one per target: built from the target of each edge.

    - `"rows"`: the edges lie in order, equally many for each target: a reshape.
    - `"padded"`: a table `[targets, largest fan-in]` of edges, padded with one past the last.
    - `"scatter"`: unsorted additions, where some targets have many more edges than the mean.

    Per edge and step, in ns (a 2-core x86 machine): a table 1.4, scattering 1.8, sorted segments
    4.7; with a gradient 5.9, 12 and 16.
    """

    kind: str = eqx.field(static=True)
    targets: int = eqx.field(static=True)
    index: Array | None = constant()

    def __call__(self, x: Array) -> Array:
        """From `[edges]` to `[targets]`."""
        if self.index is None:
            return jnp.sum(x.reshape(self.targets, -1), axis=1)
        if self.kind == "padded":
            return jnp.sum(_extended(x)[self.index], axis=1)
        return jnp.zeros((self.targets,), x.dtype).at[self.index].add(x, mode="drop")


class Fans(eqx.Module):
    """Adds up the weighted signals of the cells before each cell: `sum over edges of w s[pre]`.

    Where a fifth of all pairs is joined or more, this is a dense matrix times a vector: 0.33 ns for
    each pair, joined or not, against 1.4 for each edge of a table.
    """

    sums: Sums
    dense: bool = eqx.field(static=True)
    sources: int = eqx.field(static=True)
    pre: Array = constant()
    post: Array | None = constant()

    def lay(self, weight: Array) -> Array:
        """The weights, `[edges]` or one, as they are read: once for a solve, not at every step."""
        if self.post is not None:
            empty = jnp.zeros((self.sums.targets, self.sources), weight.dtype)
            return empty.at[self.post, self.pre].add(weight)
        if jnp.ndim(weight) == 0 or self.sums.index is None:
            return weight if jnp.ndim(weight) == 0 else weight.reshape(self.sums.targets, -1)
        return _extended(weight)[self.sums.index] if self.sums.kind == "padded" else weight

    def __call__(self, laid: Array, signal: Array) -> Array:
        """From the weights as laid, and the signals `[n_pre]`, to `[targets]`."""
        one, shape = jnp.ndim(laid) == 0, (self.sums.targets,)
        if self.dense:
            if one:
                return jnp.broadcast_to(laid * jnp.sum(signal), shape)
            return jnp.matmul(laid, signal, precision="highest")
        if self.sums.kind == "padded":
            # The padding hears a cell that never says anything: its weight has no gradient.
            signal = _extended(signal)
        heard = signal[self.pre]
        if self.sums.kind == "scatter":
            return self.sums(laid * heard)
        return laid * jnp.sum(heard, axis=1) if one else jnp.sum(laid * heard, axis=1)


def settled(x: Array) -> Array:
    """The same numbers, computed before they are read along edges.

    The compiler would otherwise fuse what makes a cell's spike, its last half step and its reset,
    into the gather, and do it again for each edge: five times as slow. It keeps out of a branch.
    """
    sound = x[0] == x[0]
    return jax.lax.cond(sound, lambda x: x, lambda x: jnp.full_like(x, jnp.nan), x)


def _extended(x: Array) -> Array:
    return jnp.concatenate([x, jnp.zeros((1,), x.dtype)])


def sums(target: np.ndarray, targets: int) -> Sums:
    """The layout for edges with these targets; -1 leaves an edge out."""
    kind, table = _table(target, targets)
    index = None if table is None else jnp.asarray(table, jnp.int32)
    return Sums(kind, targets, index)


def fans(pre: np.ndarray, post: np.ndarray, n_pre: int, n_post: int) -> Fans:
    """The layout of edges from `pre` to `post`."""
    kind, table = _table(post, n_post)
    index = None if table is None else jnp.asarray(table, jnp.int32)
    summed = Sums(kind, n_post, index)
    dense = len(pre) >= _DENSE * n_pre * n_post
    if dense:
        # With all pairs in order the weights are the matrix as they stand.
        complete = kind == "rows" and np.array_equal(pre, np.tile(np.arange(n_pre), n_post))
        placed = None if complete else jnp.asarray(post, jnp.int32)
        return Fans(summed, dense, n_pre, jnp.asarray(pre, jnp.int32), placed)
    heard = np.append(pre, n_pre)[table] if kind == "padded" else pre
    heard = heard.reshape(n_post, -1) if kind == "rows" else heard
    return Fans(summed, dense, n_pre, jnp.asarray(heard, jnp.int32), None)


def _table(target: np.ndarray, targets: int) -> tuple[str, np.ndarray | None]:
    """The kind of layout, and what it reads. Nothing here may be traced."""
    edges, kept = len(target), np.nonzero(target >= 0)[0]
    fan = np.bincount(target[kept], minlength=targets)
    largest = int(fan.max())
    even = 0 < len(kept) == edges == largest * targets
    if even and np.array_equal(target, np.repeat(np.arange(targets), largest)):
        return "rows", None
    if largest * targets > _HEAVY * len(kept):
        return "scatter", np.where(target < 0, targets, target)
    order = kept[np.argsort(target[kept], kind="stable")]
    row = target[order]
    table = np.full((targets, largest), edges)
    table[row, np.arange(len(order)) - (np.cumsum(fan) - fan)[row]] = order
    return "padded", table
