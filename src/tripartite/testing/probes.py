"""Where the conformance check looks: states at poles, rescaled units, coefficients' own states."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from tripartite.core import (
    AbstractDynamics,
    AbstractRelaxation,
    parameters_of,
    prefix_leaves,
    units,
)
from tripartite.stimuli import AbstractStimulus
from tripartite.summary import walk_parameters

# One odd factor per base quantity: time, voltage, current, length, concentration. Chosen without
# small rational relations, so that no wrong dimension is hidden by a coincidence.
_FACTORS = (1.7, 0.61, 2.3, 1.0, 3.1)


def sample_states(model: AbstractDynamics, seed: int) -> list[PyTree]:
    """The initial state, states where a rate may have a pole, and random ones around them.

    A leaf is set to every value that a parameter of its own unit has, to zero and to -40 and -55
    (the Hodgkin-Huxley poles); the others stay at their initial values.
    """
    y = model.init()
    leaves, structure = jax.tree.flatten(y)
    spread = _state_units(model, y)
    values: dict[str, set[float]] = {}
    for _, info, value in walk_parameters(model):
        if eqx.is_inexact_array(value):
            values.setdefault(info.unit, set()).update(np.ravel(value).tolist())
    rng = np.random.default_rng(seed)
    states = [y]
    for i, (leaf, unit) in enumerate(zip(leaves, spread, strict=True)):
        known = set().union(*values.values()) if unit is None else values.get(unit, set())
        poles = sorted({0.0, *known, *((-40.0, -55.0) if unit in ("mV", None) else ())})
        if unit == "1":
            poles = [0.0, 1.0]
        for pole in poles[:40]:
            one = list(leaves)
            one[i] = jnp.full_like(leaf, pole)
            states.append(jax.tree.unflatten(structure, one))
    for _ in range(8):
        moved = [x * (1 + 0.1 * jnp.asarray(rng.standard_normal(x.shape), x.dtype)) for x in leaves]
        states.append(jax.tree.unflatten(structure, moved))
    return states


def _state_units(model: AbstractDynamics, y: PyTree) -> tuple[str | None, ...]:
    declared = model.units()
    if declared is None:
        return (None,) * len(jax.tree.leaves(y))
    return prefix_leaves(declared, y)


def unit_factor(text: str) -> float:
    """The factor of a unit under the rescaling (lengths, and so areas, keep theirs)."""
    time, voltage, current, _, concentration = units.Unit(text).dimension
    t, v, i, _, c = _FACTORS
    return t**time * v**voltage * i**current * c**concentration


def rescaled(model: Any) -> Any:
    """The model in other units: every declared parameter multiplied by its unit's factor."""
    if isinstance(model, eqx.Module):
        new = model
        declared = {name: (info, value) for name, info, value in parameters_of(model)}
        for name, (info, value) in declared.items():
            scaled = value * jnp.asarray(unit_factor(info.unit), value.dtype)
            new = eqx.tree_at(lambda m, n=name: getattr(m, n), new, scaled)
        parts = {
            field.name: getattr(model, field.name)
            for field in dataclasses.fields(model)
            if field.name not in declared and not field.metadata.get("static", False)
        }
        for name, value in parts.items():
            if jax.tree.leaves(value):
                new = eqx.tree_at(lambda m, n=name: getattr(m, n), new, rescaled(value))
        return new
    if isinstance(model, dict):
        return {key: rescaled(value) for key, value in model.items()}
    if isinstance(model, tuple):
        return tuple(rescaled(value) for value in model)
    return model


def holds_stimulus(model: Any) -> bool:
    """Whether some part of the model is a stimulus (a replayed record, for example)."""

    def is_stimulus(x: Any) -> bool:
        return isinstance(x, AbstractStimulus)

    return any(map(is_stimulus, jax.tree.leaves(model, is_leaf=is_stimulus)))


def rescaling_problems(model: AbstractDynamics, states: list[PyTree], u: Any) -> Iterator[str]:
    """A sentence for each derivative, noise or jump that does not follow a change of units."""
    other = rescaled(model)
    y0 = states[0]
    t = jnp.asarray(0.37, jax.tree.leaves(y0)[0].dtype)
    factors = [unit_factor(unit or "1") for unit in _state_units(model, y0)]
    u2 = _rescaled_input(model, u)
    eps = float(jnp.finfo(t.dtype).eps)
    seen = set()
    for y in [states[0], *states[-8:]]:
        leaves, structure = jax.tree.flatten(y)
        y2 = jax.tree.unflatten(
            structure, [x * jnp.asarray(f, x.dtype) for x, f in zip(leaves, factors, strict=True)]
        )
        for what, exponent, before, after in (
            (
                "vector_field",
                1,
                model.vector_field(t, y, u),
                other.vector_field(t * _FACTORS[0], y2, u2),
            ),
            (
                "diffusion",
                0.5,
                model.spread(y, model.diffusion(t, y, u)),
                other.spread(y2, other.diffusion(t * _FACTORS[0], y2, u2)),
            ),
            ("jump", 0, model.jump(t, y0, y, u), other.jump(t * _FACTORS[0], y0, y2, u2)),
        ):
            scale = 1.0 + max(float(jnp.max(jnp.abs(x))) for x in jax.tree.leaves(before))
            rows = zip(
                jax.tree_util.tree_leaves_with_path(before),
                jax.tree.leaves(after),
                factors,
                strict=True,
            )
            for (path, a), b, factor in rows:
                expected = a * jnp.asarray(factor / _FACTORS[0] ** exponent, a.dtype)
                # Some hundred roundings, amplified by exponentials of rescaled arguments.
                if float(jnp.max(jnp.abs(b - expected))) > 1e5 * eps * scale:
                    seen.add(
                        f"{what}{jax.tree_util.keystr(path)} does not follow a change of units: a "
                        "unit is wrong, or a constant with a unit (a time step, a voltage) is "
                        "written into the code."
                    )
    yield from sorted(seen)


def _rescaled_input(model: AbstractDynamics, u: Any) -> Any:
    declared = model.input_units()
    if u is None or declared is None:
        return u
    spread = prefix_leaves(declared, u)
    leaves, structure = jax.tree.flatten(u)
    return jax.tree.unflatten(
        structure, [x * unit_factor(unit) for x, unit in zip(leaves, spread, strict=True)]
    )


def own_state_notes(model: AbstractRelaxation, y: PyTree, u: Any) -> Iterator[str]:
    """Names the states whose drive or decay depends on a state of their own block."""
    t = jnp.zeros((), jax.tree.leaves(y)[0].dtype)

    def coefficients(state: PyTree) -> tuple[list[Any], list[Any]]:
        found = model.relax(t, state, u)
        return jax.tree.leaves(found.drive), jax.tree.leaves(found.decay)

    blocks = prefix_leaves(model.blocks(), y)
    jacobians = jax.jit(jax.jacfwd(coefficients))(y)
    for i, (path, _) in enumerate(jax.tree_util.tree_leaves_with_path(y)):
        for name, jacobian in zip(("drive", "decay"), jacobians, strict=True):
            own = [
                j
                for j, leaf in enumerate(jax.tree.leaves(jacobian[i]))
                if blocks[j] == blocks[i] and blocks[i] is not None and bool(jnp.any(leaf != 0))
            ]
            if own:
                yield (
                    f"the {name} of {jax.tree_util.keystr(path) or 'y'} contains a state of its "
                    "own block: second order only with the midpoint (on by default)."
                )
