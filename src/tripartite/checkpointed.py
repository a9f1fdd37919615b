"""A long solve in segments, each written to a file, so that a killed one goes on where it was."""

import dataclasses
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from tripartite.core import archive
from tripartite.core.describe import described, differences
from tripartite.core.errors import concrete_float, is_concrete
from tripartite.core.files import Location, remove_parts
from tripartite.core.progress import Waiting
from tripartite.solvers import FixedSteps

_KIND = "run"
_SHOWN = 4


class Progress(NamedTuple):
    """How far a run has come: steps taken, the state and the solver's, and the records so far."""

    steps: int
    state: Any
    times: np.ndarray
    records: Any


class Segments(NamedTuple):
    """A solve in segments: `steps` of them in all, `size` in each, a record after every `every`."""

    steps: int
    size: int
    every: int


def segments(every: Any, dt: float | None, adjoint: Any, save: dict[str, Any]) -> Segments:
    """The segments of a solve of which a checkpoint is written every `every` ms.

    **Raises:** `ValueError` without a fixed step, for an adjoint that is not ours, or for an
    `every` that is no positive number of ms.
    """
    if every is None:
        raise ValueError("checkpoint= needs every=, the ms between two of them: every=1000.0.")
    if dt is None:
        raise ValueError(
            "checkpoint= needs fixed steps, which can be taken up again bit for bit: pass dt=, for "
            "example dt=0.05."
        )
    if not isinstance(adjoint, FixedSteps):
        raise ValueError(
            f"checkpoint= takes the steps of solvers.FixedSteps, got {type(adjoint).__name__}: "
            "leave adjoint= out."
        )
    asked = concrete_float("every", every)
    if asked <= 0:
        raise ValueError(f"every must be positive, got {asked} ms.")
    # Whole records, so that those of two segments follow each other at equal distances.
    record = save["steps"]
    size = record * max(1, -(-round(asked / dt) // record))
    return Segments(adjoint.steps, min(size, adjoint.steps), record)


def solve(
    path: Location,
    parts: Segments,
    call: dict[str, Any],
    probe: Any,
    save: dict[str, Any],
    line: Waiting,
) -> diffrax.Solution:
    """The solution that `diffeqsolve(**call)` finds, in segments, going on from the file if any.

    A segment that fails ends the solve, and is not written.

    **Arguments:** `call`: the arguments of `diffeqsolve` without `saveat`; `probe` and `save`: what
    is recorded, and when, as `SubSaveAt` takes it; `line`: says how far it is.

    **Raises:** `ValueError` if the file is damaged or is that of another solve, or inside of `jit`.
    """
    if not all(map(is_concrete, jax.tree.leaves((call, probe)))):
        raise ValueError("checkpoint= writes files: call simulate outside of jit, vmap and grad.")
    content = archive.read(path, _KIND) if Path(path).exists() else None
    about, start = _about(parts, call, probe), _start(call)
    progress = Progress(0, start, np.zeros(0), None)
    if content is not None:
        progress = _resumed(path, content, about, parts, start, probe, call)
    remove_parts(path)
    result = diffrax.RESULTS.successful
    while progress.steps < parts.steps:
        line.say(f"solve, {100 * progress.steps // parts.steps} % done")
        segment = _segment(parts, progress, call, probe, save)
        result, progress = segment.result, _joined(parts, progress, segment)
        if not _succeeded(segment):
            break
        _write(path, about, progress)
    return _solution(parts, progress, call, result)


@eqx.filter_jit
def _start(call: dict[str, Any]) -> Any:
    """The state and the solver's, before the first step."""
    after = call["t0"] + call["dt0"]
    inner = call["solver"].init(call["terms"], call["t0"], after, call["y0"], call["args"])
    return jax.tree.map(jnp.asarray, (call["y0"], inner))


def _segment(
    parts: Segments, progress: Progress, call: dict[str, Any], probe: Any, save: dict[str, Any]
) -> diffrax.Solution:
    steps = min(parts.size, parts.steps - progress.steps)
    first = jnp.asarray(progress.steps, jnp.int32)
    y0, inner = progress.state
    subs = {"record": diffrax.SubSaveAt(fn=probe, **save), "end": diffrax.SubSaveAt(t1=True)}
    changed = {
        "y0": y0,
        "solver_state": inner,
        "adjoint": dataclasses.replace(call["adjoint"], steps=steps, first=first),
        "max_steps": steps,
        "saveat": diffrax.SaveAt(subs=subs, solver_state=True),
    }
    return diffrax.diffeqsolve(**(call | changed))


def _joined(parts: Segments, progress: Progress, segment: diffrax.Solution) -> Progress:
    """The progress with the segment's steps and records."""
    ts: Any = segment.ts
    ys: Any = segment.ys
    # The state at its start is the last record of the segment before it.
    skip = 1 if progress.steps else 0
    new = jax.tree.map(lambda x: np.asarray(x)[skip:], (ts["record"], ys["record"]))
    if progress.steps:
        old = (progress.times, progress.records)
        new = jax.tree.map(lambda *pieces: np.concatenate(pieces), old, new)
    state = (jax.tree.map(lambda x: x[0], ys["end"]), segment.solver_state)
    steps = min(progress.steps + parts.size, parts.steps)
    return Progress(steps, state, *new)


def _succeeded(segment: diffrax.Solution) -> bool:
    ys: Any = segment.ys
    finite = all(
        bool(jnp.all(jnp.isfinite(x)))
        for x in jax.tree.leaves(ys["end"])
        if eqx.is_inexact_array(x)
    )
    return finite and bool(segment.result == diffrax.RESULTS.successful)


def _solution(
    parts: Segments, progress: Progress, call: dict[str, Any], result: Any
) -> diffrax.Solution:
    """As `diffeqsolve` would have returned it."""
    adjoint, t0 = call["adjoint"], call["t0"]
    # As FixedSteps counts to the end of a solve in one piece, down to the last bit.
    reached = t0 + jnp.asarray(adjoint.dt * progress.steps, t0.dtype)
    times = jnp.asarray(progress.times)
    if progress.steps % parts.every:
        times = times.at[-1].set(reached)
    state, inner = progress.state
    steps = dict.fromkeys(("num_steps", "num_accepted_steps"), progress.steps)
    return diffrax.Solution(
        t0=t0,
        t1=call["t1"],
        ts={"record": times, "end": reached[None]},  # pyright: ignore[reportArgumentType]
        ys={
            "record": jax.tree.map(jnp.asarray, progress.records),
            "end": jax.tree.map(lambda x: x[None], state),
        },
        interpolation=None,
        stats={**steps, "num_rejected_steps": 0, "max_steps": parts.steps},
        result=result,
        solver_state=inner,
        controller_state=None,
        made_jump=None,
        event_mask=None,
    )


def _about(parts: Segments, call: dict[str, Any], probe: Any) -> dict[str, str]:
    """All that the numbers depend on, in words."""
    dt, (model, stimulus) = call["adjoint"].dt, call["args"]
    device = jax.devices()[0]
    return {
        "t0": f"{call['t0']} ms",
        "t1": f"{call['t1']} ms",
        "dt": f"{dt!r} ms",
        "every": f"{parts.size} steps",
        "save_every": f"{parts.every} steps",
        **described(model, "model"),
        **described(stimulus, "stimulus"),
        **described(call["y0"], "y0"),
        **described(call["solver"], "solver"),
        **described(probe, "record"),
        "gradient": str(call["adjoint"].gradient),
        **{name: version(name) for name in ("tripartite", "jax", "jaxlib", "diffrax")},
        "device": f"{device.platform} {device.device_kind}",
    }


def _write(path: Location, about: dict[str, str], progress: Progress) -> None:
    kept = {"state": progress.state, "times": progress.times, "record": progress.records}
    arrays = {
        f"{what}{jax.tree_util.keystr(where)}": np.asarray(_data(leaf))
        for what, tree in kept.items()
        for where, leaf in jax.tree_util.tree_leaves_with_path(tree)
    }
    archive.write(path, _KIND, {"about": about, "steps": progress.steps}, arrays)


def _resumed(
    path: Location,
    content: archive.Content,
    about: dict[str, str],
    parts: Segments,
    start: Any,
    probe: Any,
    call: dict[str, Any],
) -> Progress:
    """The progress in the file. **Raises:** `ValueError` if it is that of another run."""
    old, steps = content.header.get("about"), content.header.get("steps")
    if not isinstance(old, dict) or type(steps) is not int or not 0 < steps <= parts.steps:
        raise archive.damaged(path, "it does not say what was run, and how far")
    if old != about:
        found = differences(old, about)
        more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise ValueError(
            f"{path} is the checkpoint of another run: {'; '.join(found[:_SHOWN])}{more}. Call "
            "simulate as before to go on with it, or delete the file to begin anew."
        )
    rows = steps // parts.every + 1 + (1 if steps % parts.every else 0)
    one = eqx.filter_eval_shape(probe, call["t0"], call["y0"], call["args"])
    times = jax.ShapeDtypeStruct((), call["t0"].dtype)

    def stored(what: str, tree: Any, lead: tuple[int, ...]) -> Any:
        def take(where: Any, leaf: Any) -> Any:
            name = f"{what}{jax.tree_util.keystr(where)}"
            like = jax.eval_shape(_data, leaf)
            found = content.arrays.get(name)
            if found is None or (found.shape, found.dtype) != ((*lead, *like.shape), like.dtype):
                raise archive.damaged(path, f"it has no array {name} of the run's shape")
            return found if lead else _undata(found, leaf)

        return jax.tree_util.tree_map_with_path(take, tree)

    state = stored("state", start, ())
    return Progress(steps, state, stored("times", times, (rows,)), stored("record", one, (rows,)))


def _is_key(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _data(x: Any) -> Any:
    return jax.random.key_data(x) if _is_key(x) else x


def _undata(found: np.ndarray, like: Any) -> Any:
    data = jnp.asarray(found)
    return jax.random.wrap_key_data(data, impl=jax.random.key_impl(like)) if _is_key(like) else data
