"""Gap junctions: IP3 that passes between two astrocytes."""

import abc

from jaxtyping import Array

from tripartite.astrocytes.metabolism import beyond_threshold
from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.units import per_second


class AbstractCoupling(AbstractParametrised):
    """A gap junction: from two IP3 levels to the flux between them.

    The flux is an odd function of the difference, so that what one cell gains the other loses.
    """

    @abc.abstractmethod
    def flux(self, difference: Array) -> Array:
        """IP3 that flows into the cell with less (uM/ms), odd in the `difference` (uM)."""

    def __call__(self, here: Array, there: Array) -> Array:
        """IP3 that flows into `here` from `there` (uM/ms), from the IP3 of both (uM)."""
        return self.flux(there - here)


class LinearCoupling(AbstractCoupling):
    """`J = F (I_there - I_here)`: diffusion through open junctions.

    Ullah, Jung and Cornell-Bell, Cell Calcium 39, 197 (2006). **Arguments:** `permeability` (F),
    1/ms.
    """

    permeability: Parameter = parameter(0.05 * per_second, "1/ms", source="Ullah et al. 2006")

    def flux(self, difference: Array) -> Array:
        return self.permeability * difference


class ThresholdCoupling(AbstractCoupling):
    """`J = F/2 (1 + tanh((|d| - theta) / omega)) sign(d)`: junctions that open beyond a threshold.

    Goldberg, De Pitta, Volman, Berry and Ben-Jacob, PLoS Comput. Biol. 6, e1000909 (2010), with
    the values of Stimberg et al. (2019).

    **Arguments:** `strength` (F), uM/ms; `threshold` (theta) and `scale` (omega), uM.

    **Raises:** `ValueError` if `scale` is not positive.
    """

    strength: Parameter = parameter(0.09 * per_second, "uM/ms", source="Stimberg et al. 2019")
    threshold: Parameter = parameter(0.3, "uM", source="Stimberg et al. 2019")
    scale: Parameter = parameter(0.05, "uM", positive=True, source="Stimberg et al. 2019")

    def flux(self, difference: Array) -> Array:
        return beyond_threshold(difference, self.strength, self.threshold, self.scale)


def LallouetteCoupling() -> ThresholdCoupling:
    """The junction of Lallouette et al. (2014): 2 uM/s beyond 0.3 uM."""
    return ThresholdCoupling(2.0 * per_second)
