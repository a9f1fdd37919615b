"""Many units of one class: parameters that do not vary stay scalars, shared by all."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.core import AbstractRelaxation, Events, Relaxation, part_name
from tripartite.core.arguments import checked
from tripartite.core.errors import is_concrete, require_count
from tripartite.networks.crossing import AbstractCrossing, Crossing


class Population(AbstractRelaxation):
    """`size` units of one class, evaluated together: made by `population`.

    The state is the unit's with a leading axis, and so is the input; a number, or a part of the
    input without an axis, is the same for all. A parameter that does not vary is stored once, and
    its gradient is one number: copying it for each unit would cost a gradient two to five times
    as much.

    **Arguments:** `unit`: one unit, with an axis on the parameters that vary; `axes`: for each
    array in it, in order, 0 where it varies and `None` where it is shared; `size`; `crossing`: when
    a cell without a spike of its own counts as firing.
    """

    unit: AbstractRelaxation
    axes: tuple[int | None, ...] = eqx.field(static=True)
    size: int = eqx.field(static=True)
    crossing: AbstractCrossing = eqx.field(default_factory=Crossing)

    # Equinox runs this beside the check of the fields, which it does not replace.
    def __check_init__(self) -> None:
        # A projection without edges has synapses of no unit.
        require_count("size", self.size, 0)

    def each(self, function: Callable[..., Any], *args: Any) -> Any:
        """`function(unit, *args)` for every unit: arrays with a leading axis of `size` are spread.

        **Raises:** `ValueError` for an array of another shape than a scalar's or `[size, ...]`.
        """
        arrays, rest = eqx.partition(self.unit, eqx.is_array)
        leaves, structure = jax.tree.flatten(arrays)

        def one(leaves: list[Array], *args: Any) -> Any:
            return function(eqx.combine(jax.tree.unflatten(structure, leaves), rest), *args)

        axes = (list(self.axes), *(jax.tree.map(self._axis, arg) for arg in args))
        return jax.vmap(one, in_axes=axes, axis_size=self.size)(leaves, *args)

    def _axis(self, x: Any) -> int | None:
        shape = jnp.shape(x)
        if shape and shape[0] != self.size:
            raise ValueError(
                f"a population of {self.size} {type(self.unit).__name__} got an array of shape "
                f"{shape}: give one number for all, or one for each."
            )
        return 0 if shape else None

    def init(self) -> Any:
        """Every unit at its own start."""
        return self.each(lambda unit: unit.init())

    def blocks(self) -> Any:
        """The unit's own."""
        return self.unit.blocks()

    def units(self) -> Any:
        """The unit's own."""
        return self.unit.units()

    def input_units(self) -> Any:
        """The unit's own."""
        return self.unit.input_units()

    def ports(self, y: Any) -> dict[str, PyTree[Array]]:
        """The unit's own, one value per unit."""
        return self.each(lambda unit, y: unit.ports(y), y)

    def relax(self, t: Array, y: Any, u: Any) -> Relaxation:
        """Each unit's own."""
        return self.each(lambda unit, y, u: unit.relax(t, y, u), y, u)

    def jump(self, t: Array, before: Any, y: Any, u: Any) -> Any:
        """Each unit's own."""
        return self.each(lambda unit, before, y, u: unit.jump(t, before, y, u), before, y, u)

    def jumping(self) -> tuple[str, ...]:
        """The unit's own."""
        return self.unit.jumping()

    def at_step(self, dt: float | None) -> "Population":
        """With units as they need it. **Raises:** `ValueError` as they do."""
        unit = self.unit.at_step(dt)
        return self if unit is self.unit else eqx.tree_at(lambda p: p.unit, self, unit)

    def events(self, t: Array, y: Any, u: Any) -> Events | None:
        """Each unit's own."""
        return self.each(lambda unit, y, u: unit.events(t, y, u), y, u)

    def occur(self, which: Array, t: Array, y: Any, u: Any) -> Any:
        """Each unit's own."""
        return self.each(lambda unit, which, y, u: unit.occur(which, t, y, u), which, y, u)

    def begin(self, t: Array, y: Any) -> Any:
        """Each unit's own."""
        return self.each(lambda unit, y: unit.begin(t, y), y)

    def located(self) -> bool:
        """Whether the units' events are."""
        return self.unit.located()

    def clocked(self) -> tuple[str, ...]:
        """The unit's own."""
        return self.unit.clocked()

    def flows(self) -> bool:
        """Whether the units do."""
        return self.unit.flows()

    def noisy(self) -> bool:
        """Whether a unit is."""
        return self.unit.noisy()

    def diffusion(self, t: Array, y: Any, u: Any) -> PyTree[Array]:
        """Each unit's own."""
        return self.each(lambda unit, y, u: unit.diffusion(t, y, u), y, u)

    def spread(self, y: Any, kicks: PyTree[Array]) -> Any:
        """Each unit's own."""
        return self.each(lambda unit, y, kicks: unit.spread(y, kicks), y, kicks)


def shared(unit: AbstractRelaxation, size: int) -> Population:
    """`size` units that do not vary."""
    count = len(jax.tree.leaves(eqx.filter(unit, eqx.is_array)))
    return Population(unit, (None,) * count, size)


@checked
def population(
    make: Callable[..., AbstractRelaxation] | AbstractRelaxation,
    n: int,
    *,
    crossing: AbstractCrossing | None = None,
    **per_unit: Any,
) -> Population:
    """`n` units of one class, of which the parameters in `per_unit` differ.

    `population(tp.cells.HodgkinHuxley, 1000, g_sodium=jnp.linspace(80, 120, 1000))`: each unit is
    `make(g_sodium=one of these)`. A number is for all; what is not given keeps its default.

    **Arguments:** `make`: a class, or a function that makes a unit and works on arrays, too; or a
    unit, which all then share; `n`: how many; `crossing`: when a cell without a spike of its own
    counts as firing (default: `Crossing()`).

    **Raises:** `ValueError` for an array whose length is not `n`, a unit without drive and decay,
    or a `make` that mixes the units.
    """
    require_count("n", n, 1)
    crossing = Crossing() if crossing is None else crossing
    if isinstance(make, AbstractRelaxation):
        if per_unit:
            raise ValueError(
                f"{sorted(per_unit)} cannot vary in a {type(make).__name__} that is already made: "
                "give its class instead, or a function that makes it."
            )
        return eqx.tree_at(lambda p: p.crossing, shared(make, n), crossing)
    per_unit = {name: np.asarray(x) if isinstance(x, list) else x for name, x in per_unit.items()}
    varying = {name: x for name, x in per_unit.items() if np.ndim(x)}
    for name, x in varying.items():
        if len(x) != n:
            raise ValueError(f"{name} has {len(x)} values for a population of {n}: give {n}.")
    one = make(**{name: x[0] if name in varying else x for name, x in per_unit.items()})
    if not isinstance(one, AbstractRelaxation):
        raise ValueError(
            f"a population needs units with a drive and a decay (an AbstractRelaxation), got "
            f"{type(one).__name__}."
        )
    many = make(**per_unit)
    return Population(many, _axes(one, many, n), n, crossing)


def _axes(one: Any, many: Any, n: int) -> tuple[int | None, ...]:
    """0 for each array of `many` that has an axis of `n` more than in `one`, else `None`."""
    known = jax.tree.leaves(eqx.filter(one, eqx.is_array))
    rows = jax.tree_util.tree_leaves_with_path(eqx.filter(many, eqx.is_array))
    if len(known) != len(rows):
        raise ValueError("the units of a population must all have the same parts.")
    axes = []
    for a, (path, b) in zip(known, rows, strict=True):
        same = b.shape == a.shape and not (is_concrete(a) and is_concrete(b) and np.any(a != b))
        if not same and b.shape != (n, *a.shape):
            raise ValueError(
                f"{part_name(many, path)} is {a} in one unit and {b} in {n} of them: each unit's "
                "parameters must follow from its own numbers alone."
            )
        axes.append(0 if b.ndim > a.ndim else None)
    return tuple(axes)
