"""One verb over diffrax: solver choice, recording, progress and failure report."""

from collections.abc import Callable
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray, PyTree

from tripartite import checkpointed, planning
from tripartite.core import AbstractDynamics, part_name
from tripartite.core.arguments import checked
from tripartite.core.errors import (
    concrete_float,
    is_concrete,
    require_counts,
    require_finite,
    require_tolerances,
)
from tripartite.core.files import Location
from tripartite.core.progress import Waiting
from tripartite.failures import check_result, state_names
from tripartite.solvers import Course, is_mapped, products_reached, spikes_of
from tripartite.stimuli import AbstractStimulus, as_stimulus

Record = Callable[[PyTree[Array]], PyTree[Array]] | dict[str, Any] | str | None


class _Probe(eqx.Module):
    """What is recorded: a function of `(t, y, args)` as diffrax wants it."""

    model_ports: bool = eqx.field(static=True)
    # Not static: a method of a model carries its parameters.
    functions: Any

    def __call__(self, t: Array, y: PyTree[Array], args: Any) -> PyTree[Array]:
        y = args[0].unpack(y.y if isinstance(y, Course) else y)
        if self.functions is None:
            return args[0].ports(y) if self.model_ports else y
        if callable(self.functions):
            return self.functions(y)
        return {name: function(y) for name, function in self.functions}


@checked
def simulate(
    model: AbstractDynamics,
    stimulus: Any = None,
    *,
    t1: float,
    t0: float = 0.0,
    y0: PyTree[Array] | None = None,
    dt: float | None = None,
    save_every: float | None = None,
    record: Record = None,
    solver: diffrax.AbstractSolver | None = None,
    rtol: float = 1e-6,
    atol: float = 1e-6,
    max_steps: int = 1_000_000,
    max_spikes: int = 1000,
    adjoint: diffrax.AbstractAdjoint | str | None = None,
    key: PRNGKeyArray | None = None,
    progress: bool | None = None,
    throw: bool = True,
    checkpoint: Location | None = None,
    every: float | None = None,
) -> diffrax.Solution:
    """Solves a model from `t0` to `t1` and records it.

    `dt=None`: adaptive steps with error control, clipped to the stimulus's jumps (Tsit5). Spikes
    of cells with a reset are located in time, in `stats["spikes"]` (a `core.Spikes`).
    `dt=...`: fixed steps with the symmetric exponential sweep, counted in integers.

    **Arguments:**

    - `model`: any dynamics of this library or of your own.
    - `stimulus`: a number, an array (one per unit), a `tripartite.stimuli` object, or nothing; for
        a network `{population: stimulus}`.
    - `t0`, `t1`: ms.
    - `y0`: the state to start from; by default `model.init()`.
    - `dt`: the fixed step in ms; `t1 - t0` must be a whole number of them.
    - `save_every`: ms between records; by default every step, or 0.1 ms in an adaptive solve,
        thinned to at most 20,000 records.
    - `record`: nothing for the model's own ports (`sol.ys["v"]`); `"state"` for everything; a
        function of the state; `{name: function}`; for a network also `{"exc.v": indices}`.
    - `solver`: any diffrax solver, or one of `tripartite.solvers`.
    - `rtol`, `atol`: tolerances of an adaptive solve (`atol` in each state's unit).
    - `max_steps`: bound on an adaptive solve's steps.
    - `max_spikes`: room for the spikes of a solve that locates them; it fails if it has more.
    - `adjoint`: how it is differentiated: one of diffrax's adjoints, or, with `dt`, the name of
        one of the ways of `solvers.FixedSteps`: `"by steps"`, `"nested"` (2 sqrt(steps) states in
        memory) or `"linearised"`. By default what is fastest for the model (`stats["plan"]` says
        which), and diffrax's recursive checkpointing for adaptive steps.
    - `key`: a JAX key, for a model with noise of its own (a `diffusion`) and for no other.
    - `progress`: on a terminal a solve of more than two seconds says how long it has run (and with
        `checkpoint`, how far it is); `False`, or `TRIPARTITE_PROGRESS=0` in the environment, for
        silence. `True` prints the percentage, anywhere, from within the solve, which costs some.
    - `throw`: raise if the solve fails; otherwise compare `sol.result` with
        `tripartite.RESULTS.successful`.
    - `checkpoint`, `every`: with `dt`, a file that is written whole after every `every` ms (rounded
        up to whole records) with the state and the records so far. The same call, after a kill,
        goes on from there, and its numbers are those of a run that was never killed, bit for bit.

    **Returns:** diffrax's `Solution`: `ts` in ms, `ys` the record (time first), `result`,
    `stats["y1"]`, the state at `t1`, from which another call can go on, and `stats["plan"]`, which
    solver, steps and gradient were picked.

    **Raises:** `ValueError` for input that cannot be solved; `core.errors.SolveError` for a solve
    that failed, naming the state, its unit and the time.
    """
    require_counts(max_steps=max_steps, max_spikes=max_spikes)
    require_tolerances(rtol=rtol, atol=atol)
    span = begin, end = _span(t0, t1)
    model = _ready(model, dt, mapped=is_mapped((model, stimulus, y0, key)))
    _check_needs(model, dt, key)
    y0 = model.init() if y0 is None else y0
    dtype = planning.time_dtype(y0)
    y0 = _checked(model, y0, dtype)
    stimulus = as_stimulus(_by_name(model, stimulus), dtype)
    solved = model.packed() if dt is not None and planning.alike(solver) else model
    _check_shapes(model, solved, stimulus, y0, jnp.asarray(begin, dtype))
    start = solved.pack(y0)
    if dt is None:
        common = (stimulus, y0, span, save_every, (rtol, atol), max_steps, adjoint)
        if model.located():
            options, save, plan = planning.located(solver, model, *common, max_spikes)
        else:
            options, save, plan = planning.adaptive(solver, model, *common)
    else:
        step = concrete_float("dt", dt)
        options, save, plan = planning.fixed(
            solver, solved, stimulus, start, span, step, save_every, adjoint, key
        )
    call: dict[str, Any] = {
        "t0": jnp.asarray(begin, dtype),
        "t1": jnp.asarray(end, dtype),
        "y0": start,
        "args": (solved, stimulus),
        "throw": False,
        "progress_meter": diffrax.TextProgressMeter() if progress else diffrax.NoProgressMeter(),
        **options,
    }
    with _waiting(progress, call) as line:
        solution = _solved(call, _probe(model, record), save, dt, checkpoint, every, line)
        reached = products_reached(options["solver"], solution.solver_state, start)
        solution = _flattened(solution, plan, solved)
        return check_result(solution, model, stimulus, y0, reached, throw=throw)


def _span(t0: float, t1: float) -> tuple[float, float]:
    """**Raises:** `ValueError` for times that are not known, or out of order."""
    begin, end = concrete_float("t0", t0), concrete_float("t1", t1)
    if end <= begin:
        raise ValueError(f"t1 must be after t0, got t0 = {begin} ms and t1 = {end} ms.")
    return begin, end


def _waiting(progress: bool | None, call: dict[str, Any]) -> Waiting:
    """The line on a terminal: not while tracing, nor where diffrax prints."""
    known = all(map(is_concrete, jax.tree.leaves(call)))
    return Waiting("solve", None if progress is None and known else False)


def _solved(
    call: dict[str, Any],
    probe: _Probe,
    save: dict[str, Any],
    dt: float | None,
    checkpoint: Location | None,
    every: float | None,
    line: Waiting,
) -> diffrax.Solution:
    """The solve in one piece, or in segments that are written to a file."""
    if checkpoint is not None:
        parts = checkpointed.segments(every, dt, call["adjoint"], save)
        return checkpointed.solve(checkpoint, parts, call, probe, save, line)
    if every is not None:
        raise ValueError("every= is the time between checkpoints: pass checkpoint=, their file.")
    subs = {"record": diffrax.SubSaveAt(fn=probe, **save), "end": diffrax.SubSaveAt(t1=True)}
    saveat = diffrax.SaveAt(subs=subs, solver_state=dt is not None)
    return diffrax.diffeqsolve(**call, saveat=saveat)


def _ready(model: AbstractDynamics, dt: float | None, *, mapped: bool) -> AbstractDynamics:
    """The model as this solve needs it."""
    model = model.mapped() if mapped else model
    return model.at_step(None if dt is None else concrete_float("dt", dt))


def _checked(model: AbstractDynamics, y0: PyTree[Array], dtype: Any) -> PyTree[Array]:
    """`y0` with plain numbers made arrays, if it has the model's structure and is finite."""
    expected = jax.tree.structure(eqx.filter_eval_shape(model.init))
    if jax.tree.structure(y0) != expected:
        raise ValueError(
            f"y0 must have the structure of {type(model).__name__}.init(), {expected}, got "
            f"{jax.tree.structure(y0)}."
        )
    for path, leaf in jax.tree_util.tree_leaves_with_path(y0):
        require_finite(f"y0{jax.tree_util.keystr(path)}", leaf, "start from finite values")
    return jax.tree.map(lambda x: jnp.asarray(x, dtype) if isinstance(x, int | float) else x, y0)


def _check_shapes(
    model: AbstractDynamics,
    solved: AbstractDynamics,
    stimulus: AbstractStimulus,
    y0: PyTree[Array],
    t: Array,
) -> None:
    """**Raises:** `ValueError` for mixed dtypes, or a derivative not of the state's shape."""
    for what, tree in (("model", model), ("stimulus", stimulus)):
        for x in filter(eqx.is_inexact_array, jax.tree.leaves(tree)):
            if x.dtype != t.dtype:
                raise ValueError(
                    f"the {what} holds {x.dtype} numbers and the state {t.dtype} ones: cast one "
                    "of them with tripartite.astype."
                )
    name = type(model).__name__
    try:
        given = eqx.filter_eval_shape(stimulus, t)
        slopes = eqx.filter_eval_shape(
            lambda y: solved.unpack(solved.vector_field(t, solved.pack(y), stimulus(t))), y0
        )
    except (TypeError, ValueError) as error:
        remedy = _extra_axis(model, jax.tree.leaves(y0))
        raise ValueError(
            f"{name} does not run on this state and stimulus ({error}): {remedy}."
        ) from error
    rows = zip(state_names(model, y0), jax.tree.leaves(y0), jax.tree.leaves(slopes), strict=True)
    for label, x, slope in rows:
        if slope.shape != jnp.shape(x):
            shapes = sorted({str(x.shape) for x in jax.tree.leaves(given)})
            raise ValueError(
                f"{name}: {label} has shape {jnp.shape(x)} and its derivative {slope.shape}, with "
                f"a stimulus of shape {', '.join(shapes)}: {_extra_axis(model, [x])}."
            )


def _extra_axis(model: AbstractDynamics, states: list[Array]) -> str:
    """Where the axis may come from: the parameters of a shape that none of the states has."""
    known = {(), *map(jnp.shape, states)}
    odd = [
        f"{part_name(model, path)} of shape {x.shape}"
        for path, x in jax.tree_util.tree_leaves_with_path(model)
        if eqx.is_inexact_array(x) and x.shape not in known
    ]
    if len(odd) > 3:
        odd = [*odd[:3], f"{len(odd) - 3} more parameters"]
    return (
        f"{' and '.join(odd) or 'y0 or the stimulus'} {'have' if len(odd) > 1 else 'has'} an axis "
        "that the state has not; to run several at once, map simulate over them with "
        "eqx.filter_vmap"
    )


def _check_needs(model: AbstractDynamics, dt: float | None, key: PRNGKeyArray | None) -> None:
    name, clocked = type(model).__name__, model.clocked()
    if dt is None and clocked:
        one = len(clocked) == 1
        raise ValueError(
            f"{' and '.join(clocked)} {'jumps' if one else 'jump'} between steps (a reset or a "
            f"clock) and {'needs' if one else 'need'} a fixed step: pass dt=, for example dt=0.05."
        )
    if model.noisy() and (key is None or dt is None):
        raise ValueError(
            f"{name} is noisy (it defines a diffusion) and needs a key and a fixed step: pass "
            "key=jax.random.key(0) and dt=, for example dt=0.05."
        )
    if key is not None and not model.noisy():
        raise ValueError(
            f"{name} has no noise of its own, so that key= would do nothing: leave it out, define "
            "a diffusion, or pass a noisy stimulus (stimuli.ornstein_uhlenbeck)."
        )


def _by_name(model: AbstractDynamics, stimulus: Any) -> Any:
    """A model of several parts takes one stimulus for each: a dictionary, empty for none."""
    names = model.inputs()
    if not names:
        return stimulus
    if stimulus is None:
        return {}
    known = ", ".join(map(repr, names))
    if not isinstance(stimulus, dict):
        raise ValueError(
            f"{type(model).__name__} takes a dictionary of stimuli, one for each part that has "
            f"one, got {type(stimulus).__name__}: pass {{name: stimulus}}; it has {known}."
        )
    for name in stimulus:
        if name not in names:
            raise ValueError(
                f"{type(model).__name__} has no part {name!r} to stimulate: it has {known}."
            )
    return stimulus


def _probe(model: AbstractDynamics, record: Record) -> _Probe:
    if record is None:
        return _Probe(True, None)
    if record == "state":
        return _Probe(False, None)
    if isinstance(record, dict):
        found = {name: x if callable(x) else model.probe(name, x) for name, x in record.items()}
        return _Probe(False, tuple(found.items()))
    if callable(record):
        return _Probe(False, record)
    raise ValueError(
        'record must be None (the model\'s own ports), "state", a function of the state or a '
        f"dictionary of such functions, got {record!r}."
    )


def _flattened(
    solution: diffrax.Solution, plan: planning.Plan, model: AbstractDynamics
) -> diffrax.Solution:
    """`ts` and `ys` of the record alone; state and time reached, and spikes, go to `stats`."""
    ts: Any = solution.ts
    ys: Any = solution.ys
    final = jax.tree.map(lambda x: x[0], ys["end"])
    stats = solution.stats | {"reached": ts["end"][0], "plan": plan}
    if isinstance(final, Course):
        stats |= {"y1": final.y, "spikes": spikes_of(final, model.parts())}
    else:
        stats |= {"y1": model.unpack(final)}
    return eqx.tree_at(
        lambda s: (s.ts, s.ys, s.stats, s.solver_state),
        solution,
        (ts["record"], ys["record"], stats, None),
        is_leaf=lambda x: x is None,
    )
