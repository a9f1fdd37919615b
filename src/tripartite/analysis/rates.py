"""Firing rates against the current."""

from collections.abc import Sequence
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.analysis.spikes import spike_mask
from tripartite.core import AbstractDynamics
from tripartite.core.arguments import checked
from tripartite.simulate import simulate


@checked
def f_i_curve(
    model: AbstractDynamics,
    currents: Array | Sequence[float],
    *,
    t1: float = 500.0,
    dt: float = 0.02,
    y0: PyTree[Array] | None = None,
    carry: bool = False,
    threshold: float = 0.0,
    solver: diffrax.AbstractSolver | None = None,
) -> np.ndarray:
    """The sustained firing rate (Hz) under each constant current.

    The rate is (number of spikes - 1) over the time from the first to the last, and 0 if there are
    fewer than two or the last came more than two mean intervals before the end: firing that stopped
    is not sustained. Where rest and firing coexist the answer depends on the start: `carry=True`
    starts each current where the one before ended, which follows the firing branch.

    **Arguments:** `currents` `[n]` in the cell's unit; `t1`, `dt` in ms; `y0` the (first) state to
    start from; `threshold` in mV; `solver` as in `simulate`.

    **Raises:** `ValueError` if `currents` is not a one-dimensional array.
    """
    currents = jnp.asarray(currents, jnp.result_type(float))
    if currents.ndim != 1:
        raise ValueError(f"currents must have shape [n], got {currents.shape}.")
    start = model.init() if y0 is None else y0

    def one(y: PyTree[Array], current: Array) -> tuple[PyTree[Array], Array]:
        solution: Any = simulate(
            model, current, t1=t1, dt=dt, y0=y, save_every=dt, solver=solver, throw=False
        )
        mask = spike_mask(solution.ys["v"], threshold=threshold, rearm=threshold - 20.0)
        return solution.stats["y1"], _rate(solution.ts, mask)

    if carry:
        run = eqx.filter_jit(lambda y, c: jax.lax.scan(one, y, c)[1])
    else:
        run = eqx.filter_jit(lambda y, c: jax.vmap(lambda i: one(y, i)[1])(c))
    return np.asarray(run(start, currents))


def _rate(ts: Array, mask: Array) -> Array:
    count = jnp.sum(mask).astype(ts.dtype)
    first = jnp.min(jnp.where(mask, ts, jnp.inf))
    last = jnp.max(jnp.where(mask, ts, -jnp.inf))
    interval = (last - first) / jnp.maximum(count - 1.0, 1.0)
    sustained = (count >= 2.0) & (ts[-1] - last <= 2.0 * interval)
    return jnp.where(sustained, 1000.0 / jnp.where(sustained, interval, 1.0), 0.0)
