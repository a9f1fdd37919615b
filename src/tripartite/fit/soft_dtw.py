"""Soft dynamic time warping."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tripartite.core.arguments import checked
from tripartite.core.errors import as_numbers, is_concrete


@checked
def soft_dtw(x: Float[Array, "n *d"], y: Float[Array, "m *d"], gamma: Any = 1.0) -> Array:
    """The soft minimum, over all ways to warp one series onto the other, of its squared distance.

        r(i, j) = |x_i - y_j|^2 + softmin(r(i-1, j), r(i, j-1), r(i-1, j-1)),
        softmin(a) = -gamma log sum over k of e^(-a_k / gamma)

    Cuturi and Blondel, Proc. ICML 2017, PMLR 70, 894, algorithm 1. Smooth for
    gamma > 0, and at gamma -> 0 dynamic time warping itself. It may be negative, and is not zero
    between equal series: subtract `(soft_dtw(x, x) + soft_dtw(y, y)) / 2` for a divergence that is
    zero there. Computed one anti-diagonal after another, in logarithms throughout, so that neither
    the value nor its gradient overflows however small gamma is: O(n m) time, O(n) memory forwards.

    **Arguments:** `x`, `y`: series of numbers or of vectors, time first; `gamma` in the square of
    their unit.

    **Raises:** `ValueError` for an empty series, series of different width, or a gamma that is not
    positive.
    """
    if is_concrete(gamma) and not np.all(as_numbers("gamma", gamma) > 0):
        raise ValueError(f"gamma must be positive, got {gamma}: for a hard minimum take it small.")
    for name, series in (("x", x), ("y", y)):
        if is_concrete(series):
            as_numbers(name, series)
    if x.ndim not in (1, 2) or x.ndim != y.ndim or x.shape[1:] != y.shape[1:]:
        raise ValueError(
            f"x and y must be two series of numbers or of vectors of one width, time first, got "
            f"shapes {x.shape} and {y.shape}."
        )
    if 0 in (x.shape[0], y.shape[0]):
        raise ValueError("soft_dtw needs series of at least one sample.")
    x, y = (s[:, None] if s.ndim == 1 else s for s in (x, y))
    return _warped(x, y, jnp.asarray(gamma, x.dtype))


@jax.jit
def _warped(x: Array, y: Array, gamma: Array) -> Array:
    n, m = x.shape[0], y.shape[0]
    # Beyond the table's edge. Differences of such numbers stay finite.
    far = jnp.asarray(jnp.finfo(x.dtype).max / 8.0, x.dtype)
    rows = jnp.arange(n)

    def diagonal(carry: tuple[Array, Array], k: Array) -> tuple[tuple[Array, Array], None]:
        # Entry i of a diagonal k is r(i, k - i), from 0; `last` and `before` are k - 1 and k - 2.
        last, before = carry
        columns = k - rows
        inside = (columns >= 0) & (columns < m)
        cost = jnp.sum((x - y[jnp.clip(columns, 0, m - 1)]) ** 2, axis=1)
        above = jnp.concatenate([far[None], last[:-1]])
        across = jnp.concatenate([far[None], before[:-1]])
        came = _softmin(jnp.stack([above, last, across]), gamma)
        came = jnp.where((rows == 0) & (k == 0), 0.0, came)
        return (jnp.where(inside, cost + came, far), last), None

    nowhere = jnp.broadcast_to(far, (n,))
    (final, _), _ = jax.lax.scan(diagonal, (nowhere, nowhere), jnp.arange(n + m - 1))
    return final[-1]


def _softmin(ways: Array, gamma: Array) -> Array:
    least = jax.lax.stop_gradient(jnp.min(ways, axis=0))
    return least - gamma * jnp.log(jnp.sum(jnp.exp(-(ways - least[None]) / gamma), axis=0))
