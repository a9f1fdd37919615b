"""What a cell is to the rest of the library: dynamics with a membrane potential."""

import abc
from typing import Any

from jaxtyping import Array, PyTree

from tripartite.core import AbstractRelaxation, Membrane


class AbstractCell(AbstractRelaxation):
    """A relaxation driven by a `Membrane` (or a plain current, or nothing), with a voltage."""

    @abc.abstractmethod
    def voltage(self, y: PyTree[Array]) -> Array:
        """The membrane potential (mV), a read-only function of the state."""

    def ports(self, y: PyTree[Array]) -> dict[str, Array]:
        """`{"v": voltage}` in mV."""
        return {"v": self.voltage(y)}

    def input_units(self) -> Any:
        """A current density and a conductance density."""
        return Membrane("uA/cm2", "mS/cm2")
