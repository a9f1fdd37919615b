"""The conformance check: one line that tests a model of your own."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, PyTree

from tripartite.core import (
    AbstractDynamics,
    AbstractRelaxation,
    is_declared,
    prefix_leaves,
    units,
)
from tripartite.core.arguments import checked
from tripartite.core.errors import require_count
from tripartite.summary import walk_parameters
from tripartite.testing.probes import (
    holds_stimulus,
    own_state_notes,
    rescaling_problems,
    sample_states,
)
from tripartite.testing.report import Report


@checked
def check(model: AbstractDynamics, u: PyTree[Array] | None = None, *, seed: int = 0) -> Report:
    """Tests a model against everything the library expects of it.

    Structure and dtype of the state, its derivative and its drive and decay; parameters that are
    floating-point arrays with a coherent unit; no number hidden in a static field; value, first
    and second derivatives finite at and around every voltage or concentration that a parameter
    names; decay not negative; `vector_field` equal to `drive - decay * y`; the same result under
    `jit` and `vmap`; and, where the units of the states are declared, a rescaling of the units:
    every parameter, state and input is multiplied by its unit's factor, and the derivative and the
    jump have to follow. That finds a wrong unit and a constant (a time step, say) hidden in code.

    **Arguments:** `model`; `u` an input such as the model expects (default: none); `seed` of the
    random states.

    **Returns:** a `Report`; `report.assert_ok()` raises if there is a problem. Its notes say which
    coefficients contain their own state: allowed, but first order without the midpoint.
    """
    require_count("seed", seed, 0)
    problems = [*_parameter_problems(model)]
    notes: list[str] = []
    structural = list(_structure_problems(model, u))
    problems += structural
    if not structural:
        states = sample_states(model, seed)
        problems += _relaxation_problems(model, states, u)
        problems += _finite_problems(model, states, u)
        problems += _transform_problems(model, states, u)
        if model.units() is None:
            notes.append(
                "the units of the states are not declared (method `units`): rescaling not tested"
            )
        elif holds_stimulus(model):
            notes.append(
                "the model holds a stimulus, whose values have no declared unit: rescaling not "
                "tested"
            )
        elif not problems:
            problems += rescaling_problems(model, states, u)
        if isinstance(model, AbstractRelaxation) and not problems:
            notes += own_state_notes(model, states[0], u)
    return Report(type(model).__name__, tuple(problems), tuple(notes))


def _parameter_problems(model: AbstractDynamics) -> Iterator[str]:
    for path, info, value in walk_parameters(model):
        try:
            units.Unit(info.unit).assert_coherent()
        except ValueError as error:
            yield f"parameter {path}: {error}"
        if not eqx.is_inexact_array(value):
            kind = getattr(value, "dtype", type(value).__name__)
            yield f"parameter {path} is {kind}, not a floating-point array: it has no gradient."
    yield from _hidden_numbers(model, "")


def _hidden_numbers(tree: Any, path: str) -> Iterator[str]:
    """Numbers outside a parameter: static floats, Python numbers, arrays without a unit."""
    if isinstance(tree, eqx.Module):
        for field in dataclasses.fields(tree):
            value, name = getattr(tree, field.name), path + field.name
            if is_declared(field):
                continue
            if isinstance(value, float):
                yield (
                    f"field {name} is a Python float: every new value compiles again and it has no "
                    "gradient. Declare it with `parameter`."
                )
            elif isinstance(value, jax.Array) and not jnp.issubdtype(value.dtype, jnp.inexact):
                yield (
                    f"parameter {name} is {value.dtype}, not a floating-point array: it has no "
                    "gradient. Declare it with `parameter`."
                )
            elif isinstance(value, jax.Array):
                yield f"array {name} has no unit: declare it with `parameter`."
            else:
                yield from _hidden_numbers(value, name + ".")
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from _hidden_numbers(value, f"{path}{key}.")
    elif isinstance(tree, tuple | list):
        for index, value in enumerate(tree):
            yield from _hidden_numbers(value, f"{path}{index}.")


def _structure_problems(model: AbstractDynamics, u: Any) -> Iterator[str]:
    try:
        y = model.init()
    except (TypeError, ValueError, AttributeError) as error:
        yield f"init does not run: {error}"
        return
    t = _time(model)
    dtypes = {str(leaf.dtype) for leaf in jax.tree.leaves(y)}
    wanted = {str(v.dtype) for _, _, v in walk_parameters(model) if eqx.is_inexact_array(v)}
    if len(dtypes | wanted) > 1:
        yield (
            f"the state's dtype {sorted(dtypes)} is not the parameters' {sorted(wanted)}: build "
            "the state from the parameters (jnp.zeros_like(self.tau), for example)."
        )
        return
    try:
        prefix_leaves(model.blocks(), y)
        if model.units() is not None:
            prefix_leaves(model.units(), y)
    except ValueError as error:
        yield str(error)
        return
    results: dict[str, Callable[[], Any]] = {}
    if isinstance(model, AbstractRelaxation):
        results["relax.drive"] = lambda: model.relax(t, y, u).drive
        results["relax.decay"] = lambda: model.relax(t, y, u).decay
    results["vector_field"] = lambda: model.vector_field(t, y, u)
    results["jump"] = lambda: model.jump(t, y, y, u)
    results["diffusion"] = lambda: model.spread(y, model.diffusion(t, y, u))
    for name, compute in results.items():
        try:
            found = compute()
        except (TypeError, ValueError, AttributeError) as error:
            remedy = " Or pass the input that it wants, check(model, u)." if u is None else ""
            yield f"{name} does not run on the state from init(): {error}{remedy}"
            return
        wrong = list(_compare(name, found, y))
        yield from wrong
        if wrong:
            return


def _compare(name: str, found: PyTree, y: PyTree) -> Iterator[str]:
    if jax.tree.structure(found) != jax.tree.structure(y):
        yield (
            f"{name} has the structure {jax.tree.structure(found)}, the state "
            f"{jax.tree.structure(y)}: a state is missing, or one too many."
        )
        return
    leaves = zip(jax.tree_util.tree_leaves_with_path(y), jax.tree.leaves(found), strict=True)
    for (path, x), value in leaves:
        value = jnp.asarray(value)
        if value.dtype != x.dtype or value.shape != x.shape:
            yield (
                f"{name}{jax.tree_util.keystr(path)} is {value.dtype}{list(value.shape)}, its "
                f"state {x.dtype}{list(x.shape)}."
            )


def _time(model: AbstractDynamics) -> jax.Array:
    return jnp.zeros((), jax.tree.leaves(model.init())[0].dtype)


def _relaxation_problems(model: AbstractDynamics, states: list[PyTree], u: Any) -> Iterator[str]:
    if not isinstance(model, AbstractRelaxation):
        return
    t = _time(model)
    eps = float(jnp.finfo(t.dtype).eps)
    seen = set()
    for y in states:
        found = model.relax(t, y, u)
        slope = model.vector_field(t, y, u)
        rows = zip(
            jax.tree_util.tree_leaves_with_path(y),
            *map(jax.tree.leaves, (found.drive, found.decay, slope)),
            strict=True,
        )
        for (path, x), drive, decay, d in rows:
            name = jax.tree_util.keystr(path)
            # Two subtractions of rounded products: a few eps of the terms' size.
            size = np.abs(drive) + np.abs(decay * x)
            if np.any(np.abs(d - (drive - decay * x)) > 16 * eps * size):
                seen.add(f"vector_field{name} differs from drive - decay * y of relax.")
            if np.any(np.asarray(decay) < 0):
                seen.add(
                    f"relax.decay{name} is negative, so the state runs away from its target: check "
                    "its sign, or move the growing part to the drive."
                )
    yield from sorted(seen)


def _finite_problems(model: AbstractDynamics, states: list[PyTree], u: Any) -> Iterator[str]:
    t = _time(model)
    _, rebuild = ravel_pytree(states[0])

    def slope(x: jax.Array) -> jax.Array:
        return ravel_pytree(model.vector_field(t, rebuild(x), u))[0]

    # One direction is enough to meet every pole's derivative: all states move together.
    def along(x: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        ones = jnp.ones_like(x)

        def first(z: jax.Array) -> jax.Array:
            return jax.jvp(slope, (z,), (ones,))[1]

        return slope(x), first(x), jax.jvp(first, (x,), (ones,))[1]

    stacked = jnp.stack([ravel_pytree(y)[0] for y in states])

    def noise(x: jax.Array) -> jax.Array:
        y = rebuild(x)
        return ravel_pytree(model.spread(y, model.diffusion(t, y, u)))[0]

    def along_noise(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return jax.jvp(noise, (x,), (jnp.ones_like(x),))

    kinds = ("value", "first derivative", "second derivative")
    found: list[tuple[str, tuple[str, ...], Any]] = [
        ("vector_field", kinds, jax.jit(jax.vmap(along))(stacked))
    ]
    if model.noisy():
        found.append(("diffusion", kinds[:2], jax.jit(jax.vmap(along_noise))(stacked)))
    for what, orders, rows in found:
        for kind, values in zip(orders, rows, strict=True):
            bad = ~np.isfinite(np.asarray(values))
            if bad.any():
                row, column = np.argwhere(bad)[0]
                name = _leaf_name(states[0], int(column))
                yield (
                    f"the {kind} of {what}{name} is not finite at the state "
                    f"{rebuild(stacked[row])}: guard the pole (see core.numerics)."
                )


def _leaf_name(y: PyTree, column: int) -> str:
    for path, leaf in jax.tree_util.tree_leaves_with_path(y):
        if column < leaf.size:
            return jax.tree_util.keystr(path)
        column -= leaf.size
    return ""


def _transform_problems(model: AbstractDynamics, states: list[PyTree], u: Any) -> Iterator[str]:
    t = _time(model)
    plain = model.vector_field(t, states[0], u)
    batch = jax.tree.map(lambda x: jnp.stack([x, x]), states[0])
    jitted = eqx.filter_jit(lambda m, y: m.vector_field(t, y, u))(model, states[0])
    one = eqx.filter_vmap(lambda m, y: m.vector_field(t, y, u), in_axes=(None, 0))
    mapped = eqx.filter_jit(one)(model, batch)
    eps = float(jnp.finfo(t.dtype).eps)
    for name, other in (("jit", jitted), ("vmap", jax.tree.map(lambda x: x[0], mapped))):
        # Fused and reordered arithmetic: some hundred roundings of the largest term.
        scale = 1.0 + max(float(jnp.max(jnp.abs(x))) for x in jax.tree.leaves(plain))
        worst = jax.tree.map(lambda a, b: float(jnp.max(jnp.abs(a - b))), plain, other)
        if max(jax.tree.leaves(worst)) > 1e3 * eps * scale:
            yield f"vector_field gives another value under {name}."
    total = eqx.filter_grad(
        lambda m: sum(jnp.sum(x) for x in jax.tree.leaves(m.vector_field(t, states[0], u)))
    )
    gradient = eqx.filter_jit(total)(model)
    if not all(bool(jnp.all(jnp.isfinite(x))) for x in jax.tree.leaves(gradient)):
        yield "the gradient of vector_field with respect to a parameter is not finite."
