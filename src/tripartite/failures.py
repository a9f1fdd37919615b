"""What a failed solve says: which state, in which unit, at what time, and what to try."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.core import AbstractDynamics, prefix_leaves
from tripartite.core.errors import SolveError, is_concrete
from tripartite.solvers import Products
from tripartite.stimuli import AbstractStimulus


class RESULTS(diffrax.RESULTS):  # pyright: ignore[reportGeneralTypeIssues]
    """diffrax's results, and three more."""

    non_finite = (
        "A state became infinite or NaN. Try a smaller dt, or adaptive steps (dt=None), and check "
        "the size of the stimulus."
    )
    beyond_flow = (
        "A step times a decay went beyond what its flow is good for. Take a smaller dt, or "
        "solvers.Exponential() for that state."
    )
    spikes_full = (
        "There were more spikes than the buffer has room for: raise max_spikes to at least "
        'stats["spikes"].count.'
    )


def check_result(
    solution: diffrax.Solution,
    model: AbstractDynamics,
    stimulus: AbstractStimulus,
    y0: PyTree[Array],
    reached: Products | None,
    *,
    throw: bool,
) -> diffrax.Solution:
    """Adds our three results to the solution's, and raises if one failed and `throw` is set.

    `reached` is what an exponential solver recorded of dt * decay.

    **Raises:** `SolveError` outside `jit`, with the time; inside, an Equinox run-time error that
    names the state.
    """
    bad = jnp.stack([~jnp.all(jnp.isfinite(x)) for x in jax.tree.leaves(solution.stats["y1"])])
    failed = solution.result != diffrax.RESULTS.successful
    result = RESULTS.promote(solution.result)
    # A solve that stopped early leaves its final state unset: that is not a divergence.
    result = RESULTS.where(~failed & jnp.any(bad), RESULTS.non_finite, result)
    over = _over(reached, len(bad)) & ~failed & ~jnp.any(bad)
    result = RESULTS.where(jnp.any(over), RESULTS.beyond_flow, result)
    full = _full(solution) & ~failed & ~jnp.any(bad)
    result = RESULTS.where(full, RESULTS.spikes_full, result)
    solution = eqx.tree_at(lambda s: s.result, solution, result, is_leaf=_is_result)
    if not throw:
        return solution
    names = state_names(model, y0)
    if is_concrete(bad) and is_concrete(failed) and is_concrete(over):
        if reached is not None and bool(jnp.any(over)):
            raise SolveError(_over_report(model, names, reached, np.asarray(over)))
        if bool(failed) or bool(jnp.any(bad)):
            raise SolveError(_report(solution, model, stimulus, names, np.asarray(bad)))
        if bool(full):
            raise SolveError(_full_report(solution, model))
        return solution
    messages = [f"{name} is infinite or NaN at t1. {RESULTS[RESULTS.non_finite]}" for name in names]
    ys = eqx.branched_error_if(solution.ys, ~failed & jnp.any(bad), jnp.argmax(bad), messages)
    if reached is not None:
        limits = [f"{name}: {RESULTS[RESULTS.beyond_flow]}" for name in names]
        ys = eqx.branched_error_if(ys, jnp.any(over), jnp.argmax(over), limits)
    ys = solution.result.error_if(ys, failed | full)
    return eqx.tree_at(lambda s: s.ys, solution, ys)


def _full(solution: diffrax.Solution) -> Array:
    """Whether there were more spikes than room for them."""
    spikes = solution.stats.get("spikes")
    return jnp.asarray(False) if spikes is None else spikes.count > spikes.times.size


def _full_report(solution: diffrax.Solution, model: AbstractDynamics) -> str:
    spikes = solution.stats["spikes"]
    return (
        f"{type(model).__name__}: {int(spikes.count)} spikes, and room for {spikes.times.size}: "
        f"raise max_spikes to at least {int(spikes.count)}."
    )


def _over(reached: Products | None, leaves: int) -> Array:
    """Which leaves went beyond the limit of their flow."""
    if reached is None:
        return jnp.zeros(leaves, bool)
    limits = [flow.limit for flow in reached.flows]
    return reached.largest > jnp.asarray(limits, reached.largest.dtype)


def _over_report(
    model: AbstractDynamics, names: list[str], reached: Products, over: np.ndarray
) -> str:
    k = int(np.argmax(over))
    flow, product = reached.flows[k], float(reached.largest[k])
    return (
        f"{type(model).__name__}: dt times the decay of {names[k]} reached {product:.3g}, and "
        f"{type(flow).__name__}() is good up to {flow.limit:g}. Take a smaller dt (by a factor of "
        f"{product / flow.limit:.2g}), or solvers.Exponential() for that state."
    )


def _is_result(x: Any) -> bool:
    return isinstance(x, eqx.Enumeration) or type(x).__name__ == "EnumerationItem"


def state_names(model: AbstractDynamics, y0: PyTree[Array]) -> list[str]:
    """`"state .gates['sodium']['m'] (1)"` and so on, one for each leaf of the state."""
    units = model.units()
    leaves = jax.tree_util.tree_leaves_with_path(y0)
    spread = ("unit undeclared",) * len(leaves) if units is None else prefix_leaves(units, y0)
    return [
        f"state {jax.tree_util.keystr(path) or 'y'} ({unit})"
        for (path, _), unit in zip(leaves, spread, strict=True)
    ]


def _report(
    solution: diffrax.Solution,
    model: AbstractDynamics,
    stimulus: AbstractStimulus,
    names: list[str],
    bad: np.ndarray,
) -> str:
    reached = solution.stats["reached"]
    steps = int(solution.stats["num_steps"])
    reason = RESULTS[solution.result]
    if bad.any():
        lost = [name for name, is_bad in zip(names, bad, strict=True) if is_bad]
        last = _last_finite_record(solution)
        return (
            f"{type(model).__name__}: {lost[0]} was last finite at {last:.6g} ms of "
            f"{float(reached):.6g} ms ({steps} steps; {len(lost)} of {len(names)} states lost). "
            f"{reason}"
        )
    y = solution.stats["y1"]
    slopes = model.vector_field(reached, y, stimulus(reached))
    # How fast each state moves against its own size: the fastest one limits the step.
    rates = [
        float(jnp.max(jnp.abs(d) / (1.0 + jnp.abs(x))))
        for d, x in zip(jax.tree.leaves(slopes), jax.tree.leaves(y), strict=True)
    ]
    fastest = int(np.argmax(rates))
    return (
        f"{type(model).__name__}: the solve stopped at {float(reached):.6g} ms after {steps} "
        f"steps, where {names[fastest]} moves fastest. {reason} Check the size of the stimulus, "
        "loosen rtol, or use an implicit solver such as diffrax.Kvaerno5()."
    )


def _last_finite_record(solution: diffrax.Solution) -> float:
    ts = np.asarray(solution.ts)
    finite = np.isfinite(ts)
    for leaf in jax.tree.leaves(solution.ys):
        finite &= np.all(np.isfinite(np.asarray(leaf).reshape(len(ts), -1)), axis=1)
    return float(ts[finite][-1]) if finite.any() else float(ts[0])
