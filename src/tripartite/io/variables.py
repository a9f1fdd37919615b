"""The records of a solution one by one: their names, dimensions and units."""

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp

from tripartite.core import AbstractDynamics
from tripartite.core.errors import is_concrete
from tripartite.core.port_units import units_of


class Variable(NamedTuple):
    """One array of numbers over time: `[time]`, `[time, units]` or with more axes."""

    name: str
    dims: tuple[str, ...]
    values: Any
    unit: str | None


def variables(
    solution: diffrax.Solution, model: AbstractDynamics, units: dict[str, str]
) -> list[Variable]:
    """Every array in a solution's record, with the unit that is given or that the model declares.

    **Raises:** `ValueError` for a traced or a mapped solution, or for `units` that name no record.
    """
    leaves = jax.tree_util.tree_leaves_with_path(solution.ys)
    if not all(is_concrete(x) for _, x in leaves):
        raise ValueError("the solution is traced: save it outside of jit, vmap and grad.")
    ts: Any = solution.ts
    times = jnp.shape(ts)
    if len(times) != 1 or any(jnp.shape(x)[:1] != times for _, x in leaves):
        raise ValueError(
            f"a solution has one axis of time, got ts of shape {times}: of a mapped solve, save "
            "one at a time, jax.tree.map(lambda x: x[i], solution)."
        )
    names = [jax.tree_util.keystr(where, simple=True, separator=".") or "y" for where, _ in leaves]
    for name in units:
        if name not in names:
            raise ValueError(f"units names {name!r}, and the solution has {', '.join(names)}.")
    known = _units(solution, model, names) | units
    sizes: dict[str, int] = {}
    for name, (_, x) in zip(names, leaves, strict=True):
        # A part is as large as what was recorded of most of it.
        part, count = _part(name), jnp.shape(x)[1:2]
        sizes[part] = max(sizes.get(part, 0), *count, 0)
    return [
        Variable(name, ("time", *_dims(name, jnp.shape(x)[1:], sizes)), x, known.get(name))
        for name, (_, x) in zip(names, leaves, strict=True)
    ]


def _dims(name: str, shape: tuple[int, ...], sizes: dict[str, int]) -> list[str]:
    """The names of a record's axes: a name stands for one size in all of a dataset."""
    wanted = [_part(name), *(f"{name}_axis_{i}" for i in range(2, len(shape) + 1))][: len(shape)]
    if shape and sizes[wanted[0]] != shape[0]:
        wanted[0] = f"{name}_unit"
    return wanted


def _part(name: str) -> str:
    return f"{name.partition('.')[0]}_unit" if "." in name else "unit"


def _units(
    solution: diffrax.Solution, model: AbstractDynamics, names: list[str]
) -> dict[str, str | None]:
    ready = _ready(solution, model)
    y = eqx.filter_eval_shape(ready.init)
    if jax.tree.structure(y) == jax.tree.structure(solution.ys):
        return dict(zip(names, units_of(ready, lambda y: y, y), strict=True))
    ports = eqx.filter_eval_shape(ready.ports, y)
    if isinstance(solution.ys, dict):
        found: dict[str, str | None] = {}
        for name in solution.ys:
            function = _record(ready, ports, name)
            if function is not None:
                leaves = [n for n in names if n == name or n.startswith(f"{name}.")]
                units = units_of(ready, function, y)
                if len(units) == len(leaves):
                    found |= dict(zip(leaves, units, strict=True))
        return found
    return {}


def _ready(solution: diffrax.Solution, model: AbstractDynamics) -> AbstractDynamics:
    """The model as it was solved: with its delays in steps, so that it has a state."""
    steps = int(solution.stats.get("num_steps", 0))
    ts: Any = solution.ts
    span = float(ts[-1] - ts[0])
    if not steps or not model.jumping():
        return model
    # Of times in float32 the step is known to some six digits.
    return model.at_step(float(f"{span / steps:.6g}"))


def _record(model: AbstractDynamics, ports: Any, name: str) -> Callable[[Any], Any] | None:
    """What a record of this name is, of those that a model has by itself."""
    if isinstance(ports, dict) and name in ports:
        return lambda y: model.ports(y)[name]
    try:
        return model.probe(name, None)
    except ValueError:
        return None
