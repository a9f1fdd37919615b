"""How a solve is done: its solver, its steps, what it saves and how it is differentiated."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray, PyTree

from tripartite.core import AbstractDynamics, AbstractRelaxation, has_jump
from tripartite.core.errors import concrete_float, is_concrete
from tripartite.failures import state_names
from tripartite.solvers import (
    GRADIENTS,
    AbstractExponential,
    AllAtOnceExponential,
    AtEvents,
    ClassicalRK4,
    EventController,
    Exponential,
    FixedSteps,
    Jumping,
    Noisy,
    SymmetricExponential,
    flows_of,
    is_mapped,
    padded_field,
    scanned,
    term_for,
    without_idle_midpoint,
)
from tripartite.stimuli import AbstractStimulus

# So many records at most where `save_every` is not given.
_RECORDS = 20_000
# And at least this often in an adaptive solve (ms): a spike is about 1 ms wide.
_GRID = 0.1


class Plan(eqx.Module):
    """What `simulate` picked, in words: `print(solution.stats["plan"])`."""

    solver: str = eqx.field(static=True)
    steps: str = eqx.field(static=True)
    gradient: str = eqx.field(static=True)

    def __str__(self) -> str:
        return f"solver: {self.solver}\nsteps: {self.steps}\ngradient: {self.gradient}"


def fixed(
    solver: diffrax.AbstractSolver | None,
    model: AbstractDynamics,
    stimulus: AbstractStimulus,
    y0: PyTree[Array],
    span: tuple[float, float],
    dt: float,
    save_every: float | None,
    adjoint: diffrax.AbstractAdjoint | str | None,
    key: PRNGKeyArray | None,
) -> tuple[dict[str, Any], dict[str, Any], Plan]:
    """The arguments of `diffeqsolve` for steps of `dt` ms, those of the record, and the plan."""
    dtype = time_dtype(y0)
    steps = _count(span, dt, dtype)
    every = max(1, -(-steps // _RECORDS))
    if save_every is not None:
        every = _whole(concrete_float("save_every", save_every) / dt)
    if every < 1:
        raise ValueError(
            f"save_every must be a whole number of steps, got {save_every} ms with dt = {dt} ms: "
            f"give a multiple of {dt} ms."
        )
    if solver is None:
        solver = SymmetricExponential() if isinstance(model, AbstractRelaxation) else ClassicalRK4()
    terms = term_for(model, solver)
    _check_bound(terms, solver, (model, stimulus), y0, jnp.asarray(span[0], dtype), dt)
    described_solver = repr(solver)
    if isinstance(solver, AbstractExponential):
        start = jnp.asarray(span[0], dtype)
        solver = without_idle_midpoint(solver, terms, start, y0, (model, stimulus))
    complete = _between_steps(solver, model, key)
    if adjoint is None and is_mapped((model, stimulus, y0, key)):
        adjoint = GRADIENTS[0]
    if not isinstance(adjoint, diffrax.AbstractAdjoint):
        if adjoint not in (None, *GRADIENTS):
            raise ValueError(
                f"adjoint must be one of {GRADIENTS}, a diffrax adjoint or None, got {adjoint!r}."
            )
        adjoint = FixedSteps(steps, dt, adjoint)
    gradient = type(adjoint).__name__
    if isinstance(adjoint, FixedSteps):
        args = (model, stimulus)
        times = (jnp.asarray(t, dtype) for t in span)
        kept = eqx.filter_eval_shape(complete.init, terms, *times, y0, args)
        gradient += f", {adjoint.choose(complete, y0, kept)}"
    options = {
        "terms": terms,
        "solver": complete,
        "stepsize_controller": diffrax.ConstantStepSize(),
        "adjoint": adjoint,
        "dt0": jnp.asarray(dt, dtype),
        "max_steps": steps,
    }
    save = {"t0": True, "steps": min(every, steps), "t1": True}
    described = f"{steps} of {dt:g} ms, a record after every {every}"
    described += f"; {model.apart()}" if model.apart() else ""
    return options, save, Plan(described_solver, described, gradient)


def alike(solver: diffrax.AbstractSolver | None) -> bool:
    """Whether all states move alike, however they are arranged, and none has a limit to report."""
    if solver is None:
        return True
    return isinstance(solver, AbstractExponential) and isinstance(solver.flow, Exponential)


def _check_bound(terms: Any, solver: Any, args: Any, y0: Any, t0: Array, dt: float) -> None:
    """**Raises:** `ValueError` if dt * decay is beyond a flow's limit at the very start."""
    if not isinstance(solver, AbstractExponential):
        return
    flows = flows_of(solver.flow, y0)
    limits = [flow.limit for flow in flows]
    if min(limits) == float("inf"):
        return
    names = state_names(args[0], y0)
    decays = jax.tree.leaves(terms.vf(t0, y0, args).decay)
    for name, decay, flow in zip(names, decays, flows, strict=True):
        product = jnp.max(decay) * dt
        if is_concrete(product) and float(product) > flow.limit:
            raise ValueError(
                f"dt = {dt:g} ms times the decay of {name} is {float(product):.3g} at the start, "
                f"and {type(flow).__name__}() is good up to {flow.limit:g}: take "
                f"dt <= {dt * flow.limit / float(product):.2g} ms, or solvers.Exponential() for "
                "that state."
            )


def adaptive(
    solver: diffrax.AbstractSolver | None,
    model: AbstractDynamics,
    stimulus: AbstractStimulus,
    y0: PyTree[Array],
    span: tuple[float, float],
    save_every: float | None,
    tolerances: tuple[float, float],
    max_steps: int,
    adjoint: diffrax.AbstractAdjoint | str | None,
) -> tuple[dict[str, Any], dict[str, Any], Plan]:
    """The arguments of `diffeqsolve` for steps under error control, of the record, and the plan."""
    if isinstance(solver, AbstractExponential):
        raise ValueError(
            f"{type(solver).__name__} takes fixed steps: pass dt=, or choose a solver with an "
            "error estimate such as diffrax.Tsit5()."
        )
    if isinstance(adjoint, str):
        raise ValueError(
            f"adjoint={adjoint!r} is a way to differentiate fixed steps: pass dt= as well, or give "
            "one of diffrax's adjoints."
        )
    dtype = time_dtype(y0)
    solver = diffrax.Tsit5() if solver is None else solver
    adjoint = adjoint or diffrax.RecursiveCheckpointAdjoint()
    options = {
        "terms": term_for(model, solver),
        "solver": solver,
        "stepsize_controller": _clipped(_pid(tolerances, dtype), stimulus, span, dtype),
        "adjoint": adjoint,
        "dt0": None,
        "max_steps": max_steps,
    }
    described = f"adaptive, {_told(tolerances)}, clipped to the stimulus's jumps"
    save = {"ts": _grid(span, save_every, dtype)}
    return options, save, Plan(repr(solver), described, type(adjoint).__name__)


def located(
    solver: diffrax.AbstractSolver | None,
    model: AbstractDynamics,
    stimulus: AbstractStimulus,
    y0: PyTree[Array],
    span: tuple[float, float],
    save_every: float | None,
    tolerances: tuple[float, float],
    max_steps: int,
    adjoint: diffrax.AbstractAdjoint | str | None,
    max_spikes: int,
) -> tuple[dict[str, Any], dict[str, Any], Plan]:
    """As `adaptive`, and each event is located; the options also hold the state to start from."""
    exact = solver is None and model.flows() and stimulus.flat()
    options, save, plan = adaptive(
        solver, model, stimulus, y0, span, save_every, tolerances, max_steps, adjoint
    )
    dtype, terms, inner = time_dtype(y0), options["terms"], options["solver"]
    start = jnp.asarray(span[0], dtype)
    if exact:
        inner = AllAtOnceExponential(midpoint=False)
        terms = term_for(model, inner)
        # One step to the next event or jump, whatever its length: it is exact.
        options["dt0"] = jnp.asarray(span[1] - span[0], dtype)
    stopping = AtEvents(scanned(inner, options["adjoint"]), terms)
    # Where v runs away, no step need be shorter than time itself can tell.
    shortest = 8 * float(jnp.finfo(dtype).eps) * max(abs(span[0]), abs(span[1]))
    controller = EventController(_pid(tolerances, dtype, shortest))
    course = stopping.start(start, model.begin(start, y0), (model, stimulus), max_spikes)
    options |= {
        "terms": diffrax.ODETerm(padded_field),
        "solver": stopping,
        "stepsize_controller": _clipped(controller, stimulus, span, dtype),
        "y0": course,
    }
    steps = "one between any two events or jumps, exact" if exact else plan.steps
    return options, save, Plan(repr(inner), f"{steps}; events located", plan.gradient)


def _told(tolerances: tuple[float, float]) -> str:
    known = [f"{float(x):g}" if is_concrete(x) else "traced" for x in tolerances]
    return f"rtol {known[0]}, atol {known[1]}"


def _grid(span: tuple[float, float], save_every: float | None, dtype: Any) -> Array:
    """The times of the records of an adaptive solve."""
    begin, end = span
    if save_every is not None and concrete_float("save_every", save_every) <= 0:
        raise ValueError(f"save_every must be positive, got {save_every} ms.")
    spacing = max(_GRID, (end - begin) / _RECORDS) if save_every is None else save_every
    intervals = max(1, int(np.floor((end - begin) / spacing * (1 + 1e-12))))
    ts = begin + spacing * np.arange(intervals + 1)
    if ts[-1] < end - 1e-9 * spacing:
        ts = np.append(ts, end)
    return jnp.asarray(np.minimum(ts, end), dtype)


def time_dtype(y0: PyTree[Array]) -> Any:
    """Time takes the state's precision, so that no vector field has to cast it."""
    dtypes = {leaf.dtype for leaf in jax.tree.leaves(y0) if eqx.is_inexact_array(leaf)}
    if len(dtypes) != 1:
        raise ValueError(
            "the state must have floating-point leaves of one dtype, got "
            f"{sorted(map(str, dtypes))}: make it from the parameters, or cast it with "
            "tripartite.astype."
        )
    return dtypes.pop()


def _between_steps(
    solver: diffrax.AbstractSolver, model: AbstractDynamics, key: PRNGKeyArray | None
) -> diffrax.AbstractSolver:
    """The solver with what the model does around each step: its noise, then its jump."""
    if key is not None:
        solver = Noisy(solver, key)
    return Jumping(solver) if has_jump(model) else solver


def _count(span: tuple[float, float], dt: float, dtype: Any) -> int:
    begin, end = span
    if dt <= 0:
        raise ValueError(f"dt must be positive, got {dt} ms.")
    spacing = float(np.spacing(np.asarray(max(abs(begin), abs(end)), dtype)))
    if dt < 2 * spacing:
        raise ValueError(
            f"dt = {dt} ms is below the spacing of {np.dtype(dtype).name} numbers at {end} ms, "
            f"{spacing:.3g} ms: take a larger dt, solve in pieces from t0 = 0, or use float64."
        )
    steps = _whole((end - begin) / dt)
    if steps < 1:
        raise ValueError(
            f"t1 - t0 = {end - begin} ms must be a whole number of steps of dt = {dt} ms: take "
            f"dt = {(end - begin) / max(1, round((end - begin) / dt)):.12g} or move t1."
        )
    return steps


def _whole(ratio: float) -> int:
    """`ratio` if it is a whole number to about nine digits, else 0."""
    nearest = round(ratio)
    return nearest if abs(ratio - nearest) <= 1e-9 * max(1.0, abs(ratio)) else 0


@eqx.filter_jit
def _jumps(stimulus: AbstractStimulus) -> Array:
    """The times of the jumps, compiled as the solve is.

    A product and a sum, fused or not, may differ in the last bit, and then a step that starts at a
    jump reads the input from before it.
    """
    return stimulus.jumps()


def _pid(
    tolerances: tuple[float, float], dtype: Any, shortest: float | None = None
) -> diffrax.PIDController:
    rtol, atol = (jnp.asarray(x, dtype) for x in tolerances)
    return diffrax.PIDController(rtol=rtol, atol=atol, dtmin=shortest, force_dtmin=True)


def _clipped(
    controller: diffrax.AbstractAdaptiveStepSizeController[Any, Any],
    stimulus: AbstractStimulus,
    span: tuple[float, float],
    dtype: Any,
) -> diffrax.AbstractStepSizeController:
    """The controller, of steps that do not pass over a jump of the stimulus."""
    jumps = jnp.asarray(_jumps(stimulus), dtype)
    if is_concrete(jumps):
        inside = np.unique(np.asarray(jumps))
        jumps = jnp.asarray(inside[(inside > span[0]) & (inside < span[1])], dtype)
    else:
        jumps = jnp.sort(jumps)
    if jumps.size == 0:
        return controller
    return diffrax.ClipStepSizeController(controller, jump_ts=jumps)
