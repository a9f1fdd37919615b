"""Astrocytes of one kind, joined by gap junctions."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, PyTree

from tripartite.astrocytes.base import AbstractAstrocyte, AstrocyteDrive, as_drive
from tripartite.astrocytes.coupling import AbstractCoupling
from tripartite.core import AbstractRelaxation, Relaxation, has_jump
from tripartite.core.arguments import checked, require_fields
from tripartite.core.errors import is_concrete, require_axes, require_count


class GapJunctions(NamedTuple):
    """One entry per junction, in either direction: the indices of the two cells it joins."""

    here: Int[Array, " junctions"]
    there: Int[Array, " junctions"]

    def require_pairs(self, unit: str) -> None:
        """**Raises:** `ValueError` for ends of unequal length, or a `unit` joined to itself."""
        if not all(is_concrete(x) for x in self):
            return
        here, there = (np.asarray(x) for x in self)
        if here.ndim != 1 or here.shape != there.shape:
            raise ValueError(
                "junctions need two index arrays of one length, got shapes "
                f"{here.shape} and {there.shape}."
            )
        if np.any(here == there):
            raise ValueError(f"{unit} {here[here == there][0]} is joined to itself: leave it out.")

    def require_within(self, count: int, whose: str) -> None:
        """**Raises:** `ValueError` for a junction of a unit that is not among `count`."""
        if not all(is_concrete(x) for x in self):
            return
        joined = np.concatenate([np.asarray(x) for x in self])
        if joined.size and (joined.min() < 0 or joined.max() >= count):
            raise ValueError(
                f"{whose} {joined.min()} to {joined.max()}, and there are {count}, counted from 0."
            )


def ring(count: int) -> GapJunctions:
    """Each of `count` cells joined to the next, and the last to the first.

    **Raises:** `ValueError` for fewer than three cells.
    """
    require_count("count", count, 3)
    here = jnp.arange(count)
    return GapJunctions(here, jnp.roll(here, -1))


@checked
def exchange(coupling: AbstractCoupling, junctions: GapJunctions, ip3: Array) -> Array:
    """The IP3 that flows into each cell through its junctions (uM/ms), from the IP3 of all (uM).

    The flux of a junction is computed once, added to one cell and taken from the other: nothing is
    gained or lost but by rounding.
    """
    require_axes("cells", ip3=ip3)
    here, there = junctions
    flux = coupling(ip3[here], ip3[there])
    return jnp.zeros_like(ip3).at[here].add(flux).at[there].add(-flux)


class AstrocyteNetwork(AbstractRelaxation):
    """`count` astrocytes of one kind, and the gap junctions between them.

    The state is the cell's, with a leading axis. The input is the cell's: an `AstrocyteDrive` of
    numbers, or of arrays with one value per cell, or one plain number or array.

    **Arguments:**

    - `astrocyte`: any with IP3 of its own, and without jump or noise; its parameters are shared.
    - `coupling`: what passes through a junction.
    - `junctions`: `GapJunctions`, such as `ring(50)`.
    - `count`: the number of cells.

    **Raises:** `ValueError` for an astrocyte without IP3 of its own, with a jump or with noise; for
    junctions of unequal length, of a cell with itself, or of a cell that is not there.
    """

    astrocyte: AbstractAstrocyte
    coupling: AbstractCoupling
    junctions: GapJunctions
    count: int = eqx.field(static=True)

    def __check_init__(self) -> None:
        require_fields(self)
        require_count("count", self.count, 1)
        if not isinstance(self.junctions, GapJunctions):
            raise ValueError(
                f"junctions must be GapJunctions, such as ring(3), got {self.junctions!r}."
            )
        self.astrocyte.ip3(self.astrocyte.init())
        if has_jump(self.astrocyte) or self.astrocyte.noisy():
            raise ValueError(
                f"AstrocyteNetwork solves without jumps or noise, got "
                f"{type(self.astrocyte).__name__}: leave its jump or its noise out."
            )
        self.junctions.require_pairs("cell")
        self.junctions.require_within(self.count, "junctions name cells")

    def init(self) -> Any:
        """Every cell at its own start."""
        return jax.tree.map(
            lambda x: jnp.broadcast_to(x, (self.count, *x.shape)), self.astrocyte.init()
        )

    def blocks(self) -> Any:
        """The cell's own."""
        return self.astrocyte.blocks()

    def units(self) -> Any:
        """The cell's own."""
        return self.astrocyte.units()

    def input_units(self) -> Any:
        """The cell's own."""
        return self.astrocyte.input_units()

    def ports(self, y: Any) -> dict[str, PyTree[Array]]:
        """The cell's own, one value per cell."""
        return jax.vmap(self.astrocyte.ports)(y)

    def coupling_flux(self, y: Any) -> Array:
        """The IP3 that flows into each cell through its junctions, `[count]` in uM/ms."""
        return exchange(self.coupling, self.junctions, jax.vmap(self.astrocyte.ip3)(y))

    def relax(self, t: Array, y: Any, u: Any) -> Relaxation:
        """Each cell's own, with what its neighbours give it."""
        like = jax.tree.leaves(y)[0]
        given = as_drive(u, like)
        for name, value in zip(given._fields, given, strict=True):
            if jnp.shape(value) not in ((), like.shape):
                raise ValueError(
                    f"{name} has shape {jnp.shape(value)} and the network {self.count} cells: give "
                    "one number, or one for each cell."
                )
        entering = given.coupling + self.coupling_flux(y)
        parts = given._replace(coupling=entering)
        drive = AstrocyteDrive(*(jnp.broadcast_to(x, like.shape) for x in parts))
        return jax.vmap(self.astrocyte.relax, in_axes=(None, 0, 0))(t, y, drive)
