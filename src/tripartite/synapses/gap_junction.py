"""The electrical synapse: a conductance between two cells, equal in both directions."""

from jaxtyping import Array

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.synapses.base import require_weight


class GapJunction(AbstractParametrised):
    """An ohmic conductance between two membranes: what leaves one enters the other.

    `I_a = weight (v_b - v_a) = -I_b`. To each side the other is a battery: a Norton pair with the
    other's voltage as its reversal. Between cells of unequal size `weight` has to be a whole
    cell's (nS); per area it conserves charge only between membranes of one area.

    **Arguments:** `weight` in nS (or mS/cm2), not negative.

    **Raises:** `ValueError` for a negative weight.
    """

    weight: Parameter = parameter(1.0, "nS")

    def __check_init__(self) -> None:
        require_weight("GapJunction", self.weight)

    def conductance(self, v_other: Array) -> tuple[Array, Array]:
        """The Norton pair `(g, E)` that a cell sees: `weight`, and the other's voltage (mV)."""
        return self.weight, v_other

    def current(self, v: Array, v_other: Array) -> Array:
        """`weight (v_other - v)`, the current into the cell at `v` (mV): pA (or uA/cm2)."""
        return self.weight * (v_other - v)
