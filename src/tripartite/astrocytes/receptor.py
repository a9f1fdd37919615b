"""The IP3 receptor: opened by IP3 and calcium at once, closed by calcium slowly."""

import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.numerics import hill
from tripartite.core.units import per_second

_SOURCE = "Nadkarni & Jung 2003"


class IP3Receptor(AbstractParametrised):
    """The receptor reduced to one gate h, the share that calcium has not closed.

        m = I / (I + d1)  C / (C + d5)
        dh/dt = O_2 (Q - (Q + C) h),   Q = d2 (I + d1) / (I + d3)

    Li and Rinzel, J. Theor. Biol. 166, 461 (1994). The defaults are those of Nadkarni and Jung,
    Phys. Rev. Lett. 91, 268101 (2003). C is calcium in the cytosol and I is IP3.

    **Arguments:**

    - `d1`, `d2`, `d3`, `d5`: dissociation constants, uM: of IP3, of inactivating calcium, of IP3
        with calcium bound, of activating calcium.
    - `binding` (O_2): rate at which inactivating calcium binds, 1/(uM ms).

    **Raises:** `ValueError` if a parameter is not positive or not finite.
    """

    d1: Parameter = parameter(0.13, "uM", positive=True, source=_SOURCE)
    d2: Parameter = parameter(1.049, "uM", positive=True, source=_SOURCE)
    d3: Parameter = parameter(0.9434, "uM", positive=True, source=_SOURCE)
    d5: Parameter = parameter(0.08234, "uM", positive=True, source=_SOURCE)
    binding: Parameter = parameter(0.2 * per_second, "1/(uM ms)", positive=True, source=_SOURCE)

    def opening(self, calcium: Array, h: Array, ip3: Array) -> Array:
        """`m^3 h^3`, the share of receptors that are open, from calcium and IP3 (uM)."""
        return (hill(ip3, self.d1, 1) * hill(calcium, self.d5, 1) * h) ** 3

    def relax_gate(self, calcium: Array, ip3: Array) -> tuple[Array, Array]:
        """Drive and decay (1/ms) of h, from calcium and IP3 (uM)."""
        half = self.d2 * (ip3 + self.d1) / (ip3 + self.d3)
        return self.binding * half, self.binding * (half + jnp.maximum(calcium, 0.0))
