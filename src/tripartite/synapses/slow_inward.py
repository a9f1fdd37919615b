"""The slow inward current that an astrocyte's calcium causes in a neuron nearby."""

import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core import AbstractParametrised, Membrane, Parameter, parameter, units

_NEST = "NEST, astrocyte_lr_1994; Nadkarni & Jung 2003"


class SlowInwardCurrent(AbstractParametrised):
    """`I = scale * ln(y)` for y > 1, else 0, with `y = (calcium - threshold) / concentration`.

    Nadkarni and Jung, Phys Rev Lett 91, 268101 (2003), as in NEST's `astrocyte_lr_1994`. A current
    and no conductance, since it is a fit to recordings under voltage clamp. It is continuous at
    y = 1 and its slope is not: below, and at y = 1 itself, the gradient is zero; above,
    `scale / (calcium - threshold)`.

    **Arguments:** `scale` in pA (or uA/cm2); `threshold` and `concentration` in uM.
    """

    scale: Parameter = parameter(1.0, "pA", source=_NEST)
    threshold: Parameter = parameter(196.69 * units.nanomolar, "uM", source=_NEST)
    concentration: Parameter = parameter(
        1 * units.nanomolar, "uM", positive=True, source=f"{_NEST}: calcium is counted in nM"
    )

    def __call__(self, calcium: Array) -> Array:
        """The current at an astrocyte's `calcium` (uM), pA (or uA/cm2)."""
        y = (calcium - self.threshold) / self.concentration
        above = y > 1.0
        # A logarithm of what is not above would put a NaN into the gradient.
        return jnp.where(above, self.scale * jnp.log(jnp.where(above, y, 1.0)), 0.0)

    def membrane(self, calcium: Array) -> Membrane:
        """The same as what a membrane receives."""
        current = self(calcium)
        return Membrane(current, jnp.zeros_like(current))
