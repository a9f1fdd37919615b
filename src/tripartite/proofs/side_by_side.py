"""Several cells under one stimulus and one solver, so that they are compared step by step."""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.cells import AbstractCell
from tripartite.core import AbstractRelaxation, Relaxation


class SideBySide(AbstractRelaxation):
    """Independent cells that share an input. **Arguments:** `cells`, a tuple of cells."""

    cells: tuple[AbstractCell, ...]

    def init(self) -> tuple[PyTree[Array], ...]:
        """Each cell's own."""
        return tuple(cell.init() for cell in self.cells)

    def blocks(self) -> Any:
        """Each cell's own."""
        return tuple(cell.blocks() for cell in self.cells)

    def units(self) -> Any:
        """Each cell's own."""
        return tuple(cell.units() for cell in self.cells)

    def ports(self, y: tuple[PyTree[Array], ...]) -> dict[str, Array]:
        """`v`, one column per cell, mV."""
        return {"v": jnp.stack([c.voltage(s) for c, s in zip(self.cells, y, strict=True)])}

    def relax(self, t: Array, y: tuple[PyTree[Array], ...], u: Any) -> Relaxation:
        """Each cell's own."""
        found = [cell.relax(t, state, u) for cell, state in zip(self.cells, y, strict=True)]
        return Relaxation(tuple(f.drive for f in found), tuple(f.decay for f in found))

    def jump(self, t: Array, before: Any, y: Any, u: Any) -> Any:
        """Each cell's own."""
        rows = zip(self.cells, before, y, strict=True)
        return tuple(cell.jump(t, old, new, u) for cell, old, new in rows)
