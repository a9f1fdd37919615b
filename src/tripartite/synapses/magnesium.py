"""The voltage-dependent block of NMDA receptors by magnesium."""

import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.synapses.base import require_range

_JAHR = "Jahr & Stevens 1990, J Neurosci 10, 3178"


class MagnesiumBlock(AbstractParametrised):
    """The unblocked fraction `B(v) = 1 / (1 + [Mg] / half * exp(-steepness v))`.

    Jahr and Stevens, J Neurosci 10, 3178 (1990).

    **Arguments:** `magnesium` outside the cell, uM; `half`, the concentration that blocks half at
    0 mV, uM; `steepness` in 1/mV.

    **Raises:** `ValueError` if magnesium is negative or another value not positive.
    """

    magnesium: Parameter = parameter(1000.0, "uM", source="physiological, 1 mM")
    half: Parameter = parameter(3570.0, "uM", positive=True, source=_JAHR)
    steepness: Parameter = parameter(0.062, "1/mV", positive=True, source=_JAHR)

    def __check_init__(self) -> None:
        require_range(
            "MagnesiumBlock", "magnesium", self.magnesium, 0.0, float("inf"),
            "a concentration is not negative",
        )  # fmt: skip

    def __call__(self, v: Array) -> Array:
        """B at `v` (mV), a pure number."""
        # Beyond e^60 nothing is left to block, and single precision would overflow.
        binding = jnp.exp(jnp.minimum(-self.steepness * v, 60.0))
        return 1.0 / (1.0 + self.magnesium / self.half * binding)
