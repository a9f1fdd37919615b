"""IP3 made by phospholipase C delta, taken away by a kinase and a phosphatase, or injected."""

import jax.numpy as jnp
from jaxtyping import Array

from tripartite.astrocytes.base import require_not_negative
from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.numerics import hill
from tripartite.core.units import per_second

_SOURCE = "De Pitta et al. 2009"


class IP3Metabolism(AbstractParametrised):
    """What a cell makes of IP3 by itself, and how it takes it away.

        J_delta = O_delta kappa / (kappa + I)  C^2 / (C^2 + K_delta^2)
        J_3K = O_3K  C^4 / (C^4 + K_D^4)  I / (I + K_3K),      J_5P = Omega_5P I

    De Pitta et al., J. Biol. Phys. 35, 383 (2009), equations 10, 14 and 15.

    **Arguments:**

    - `production` (O_delta): phospholipase C delta, uM/ms. `inhibition` (kappa): the IP3 that
        halves it, uM. `production_half` (K_delta): its affinity for calcium, uM.
    - `kinase` (O_3K): IP3 3-kinase, uM/ms; `kinase_calcium` (K_D) and `kinase_half` (K_3K): its
        affinities for calcium and for IP3, uM.
    - `phosphatase` (Omega_5P): IP3 5-phosphatase, 1/ms.

    **Raises:** `ValueError` if an affinity is not positive, or a parameter is not finite.
    """

    production: Parameter = parameter(0.02 * per_second, "uM/ms", source=_SOURCE)
    inhibition: Parameter = parameter(1.5, "uM", positive=True, source=_SOURCE)
    production_half: Parameter = parameter(0.1, "uM", positive=True, source=_SOURCE)
    kinase: Parameter = parameter(2.0 * per_second, "uM/ms", source=_SOURCE)
    kinase_calcium: Parameter = parameter(0.7, "uM", positive=True, source=_SOURCE)
    kinase_half: Parameter = parameter(1.0, "uM", positive=True, source=_SOURCE)
    phosphatase: Parameter = parameter(0.04 * per_second, "1/ms", source=_SOURCE)

    def relax(self, calcium: Array, ip3: Array) -> tuple[Array, Array]:
        """Drive (uM/ms) and decay (1/ms) of IP3, from calcium and IP3 (uM)."""
        held = jnp.maximum(ip3, 0.0)
        made = self.production * self.inhibition / (self.inhibition + held)
        kinase = self.kinase * hill(calcium, self.kinase_calcium, 4) / (self.kinase_half + held)
        return made * hill(calcium, self.production_half, 2), kinase + self.phosphatase


class IP3Source(AbstractParametrised):
    """IP3 exchanged with an outside level, beyond a threshold of the difference.

        J_ex = -F/2 (1 + tanh((|I - I_bias| - I_theta) / omega)) sign(I - I_bias)

    Stimberg et al. (2019), Computational Glioscience. A source at level 0 is no absent source: it
    is a sink, which holds IP3 below about `threshold`. A cell without one has `source=None`.

    **Arguments:** `strength` (F), uM/ms; `bias` (I_bias), `threshold` (I_theta) and `scale`
    (omega), uM.

    **Raises:** `ValueError` if `scale` is not positive, or `bias` is negative.
    """

    bias: Parameter = parameter(0.0, "uM")
    strength: Parameter = parameter(2.0 * per_second, "uM/ms", source="Stimberg et al. 2019")
    threshold: Parameter = parameter(0.3, "uM", source="Stimberg et al. 2019")
    scale: Parameter = parameter(0.05, "uM", positive=True, source="Stimberg et al. 2019")

    def __check_init__(self) -> None:
        require_not_negative("bias", self.bias)

    def __call__(self, ip3: Array, bias: Array) -> Array:
        """IP3 that flows in, uM/ms, from IP3 and what is added to the level (uM)."""
        return beyond_threshold(self.bias + bias - ip3, self.strength, self.threshold, self.scale)


def beyond_threshold(difference: Array, strength: Array, threshold: Array, scale: Array) -> Array:
    """`F/2 (1 + tanh((|d| - theta) / omega)) sign(d)`: odd in d, exactly."""
    size = 0.5 * strength * (1.0 + jnp.tanh((jnp.abs(difference) - threshold) / scale))
    return size * jnp.sign(difference)
