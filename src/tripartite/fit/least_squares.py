"""Fits by least squares, in stages, from one start or from many."""

from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from jaxtyping import Array, PRNGKeyArray

from tripartite.core.arguments import checked
from tripartite.core.errors import require_tolerances
from tripartite.core.progress import Waiting
from tripartite.fit.fitted import Fitted
from tripartite.fit.packing import Constraints, Packing, Where, pack


@checked
def least_squares(
    model: Any,
    residuals: Callable[[Any, Any, Array], Array],
    data: Any,
    *,
    where: Where = None,
    constraints: Constraints = None,
    stages: Sequence[float] = (0.0,),
    iterations: int = 30,
    rtol: float = 1e-4,
    atol: float = 1e-4,
    starts: int | Sequence[Any] | None = None,
    key: PRNGKeyArray | None = None,
    progress: bool | None = None,
) -> Fitted:
    """Lowers the mean square of `residuals(model, data, stage)` by Levenberg and Marquardt.

    With the derivatives of all residuals, in forward mode, a few numbers are fitted in tens of
    solves where a gradient alone takes hundreds. Of a model that fires or oscillates a misfit has a
    minimum for each spike that may slip: begin with stages in which the model is pulled towards the
    record, and take the pull away (`analysis.Nudged`, `CurrentClamp.__call__`):

        residuals=lambda cell, data, rate: clamp(cell, towards=data, rate=rate) - data,
        stages=(10.0, 2.0, 0.5, 0.0)

    What each stage ends at is the next one's start; the last is the fit itself.

    Levenberg, Quart. Appl. Math. 2, 164 (1944); Marquardt, SIAM J. Appl. Math. 11, 431 (1963); by
    `optimistix.LevenbergMarquardt`.

    **Arguments:**

    - `model`, `where`, `constraints`, `starts`, `key`: as in `fit.fit`; starts are taken one after
        another.
    - `residuals`: an array, or a tree of them.
    - `stages`: numbers, the third argument of `residuals`, one after another.
    - `iterations`: at most, for each stage; `rtol`, `atol`: of the free numbers, as optimistix has
        them.
    - `progress`: `False` for no line on a terminal that says for how long it has run.

    **Returns:** `Fitted`; `losses` is `[stages]` or `[stages, starts]`, the mean square at the end
    of each stage, and `steps` is the number of stages.

    **Raises:** `ValueError` for what cannot be fitted, or if the residuals are not finite at any
    end.
    """
    require_tolerances(rtol=rtol, atol=atol)
    if (key is None) == isinstance(starts, int):
        raise ValueError("random starts need a key, and nothing else does: pass both or neither.")
    if not len(stages) or iterations < 1:
        raise ValueError(
            f"there must be at least one stage and one iteration, got {len(stages)} stages and "
            f"{iterations} iterations."
        )
    packing = pack(model, where, constraints)
    begins = packing.begins(starts, key)
    begins = packing.zero()[None] if begins is None else begins
    run = _compiled(packing, residuals, data, tuple(stages), iterations, (rtol, atol))
    found = []
    with Waiting("least squares", progress) as line:
        for number, z in enumerate(begins, 1):
            line.say(f"least squares, start {number} of {len(begins)}")
            found.append(jax.block_until_ready(run(z)))
    ends, losses = (jnp.stack(rows) for rows in zip(*found, strict=True))
    return _fitted(packing, ends, np.asarray(losses), starts is not None)


def _compiled(
    packing: Packing,
    residuals: Callable[[Any, Any, Array], Array],
    data: Any,
    stages: tuple[float, ...],
    iterations: int,
    tolerances: tuple[float, float],
) -> Callable[[Array], tuple[Array, Array]]:
    """From a start to its end and the mean square after each stage."""
    optimiser = optimistix.LevenbergMarquardt(*tolerances)

    # optimistix keeps numbers of its own in the default dtype, which z has to share.
    dtype, own = jnp.result_type(float), packing.zero().dtype

    def misfit(z: Array, stage: Array) -> Any:
        found = residuals(packing.unpack(z.astype(own)), data, stage.astype(own))
        return jax.tree.map(lambda x: x.astype(dtype), found)

    def one(z: Array, stage: Array) -> tuple[Array, Array]:
        options = {"args": stage, "max_steps": iterations, "throw": False}
        end = optimistix.least_squares(
            misfit, optimiser, z, options={"jac": "fwd"}, **options
        ).value
        # A stage that came to nothing leaves the next one where it began.
        end = jnp.where(jnp.all(jnp.isfinite(end)), end, z)
        rows = jnp.concatenate([jnp.ravel(x) for x in jax.tree.leaves(misfit(end, stage))])
        return end, jnp.mean(rows**2)

    @eqx.filter_jit
    def run(z: Array) -> tuple[Array, Array]:
        end, losses = jax.lax.scan(one, z.astype(dtype), jnp.asarray(stages, dtype))
        return end.astype(own), losses

    return run


def _fitted(packing: Packing, ends: Array, losses: np.ndarray, many: bool) -> Fitted:
    last = np.where(np.isfinite(losses[:, -1]), losses[:, -1], np.inf)
    least = int(np.argmin(last))
    if not np.isfinite(last[least]):
        raise ValueError(
            f"the residuals are not finite where the fit ended ({losses[:, -1]}): start nearer, or "
            "constrain the parameters."
        )
    return Fitted(
        model=packing.unpack(ends[least]),
        loss=float(last[least]),
        values=packing.values(ends[least]),
        losses=losses.T if many else losses[0],
        steps=losses.shape[1],
        why="steps",
        every=packing.each_values(ends),
        every_loss=last,
    )
