"""The calcium store: a reticulum that releases through its receptors, leaks, and takes up again."""

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.astrocytes.receptor import IP3Receptor
from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.units import per_second

_SOURCE = "Nadkarni & Jung 2003"


class CalciumStore(AbstractParametrised):
    """Calcium between the endoplasmic reticulum and the cytosol of a closed cell.

        dC/dt = (Omega_C m^3 h^3 + Omega_L) (C_T - (1 + rho) C) - O_P C^2 / (C^2 + K_P^2)

    Li and Rinzel, J. Theor. Biol. 166, 461 (1994), in the form of Stimberg et al. (2019); m and h
    are the receptor's. The defaults are those of Nadkarni and Jung, Phys. Rev. Lett. 91, 268101
    (2003), which De Pitta et al. (2009) call amplitude modulated.

    **Arguments:**

    - `receptor`: an `IP3Receptor`.
    - `total` (C_T): free calcium per volume of cytosol, uM. `ratio` (rho): volume of the reticulum
        over that of the cytosol.
    - `release` (Omega_C), `leak` (Omega_L): rates of the receptors and of the leak, 1/ms.
    - `pump` (O_P): uptake at most, uM/ms; `pump_half` (K_P): where it is half of that, uM.

    **Raises:** `ValueError` if a parameter is not positive or not finite.
    """

    receptor: IP3Receptor = eqx.field(default_factory=IP3Receptor)
    total: Parameter = parameter(2.0, "uM", positive=True, source=_SOURCE)
    ratio: Parameter = parameter(0.185, "1", positive=True, source=_SOURCE)
    release: Parameter = parameter(6.0 * per_second, "1/ms", positive=True, source=_SOURCE)
    leak: Parameter = parameter(0.11 * per_second, "1/ms", positive=True, source=_SOURCE)
    pump: Parameter = parameter(0.9 * per_second, "uM/ms", positive=True, source=_SOURCE)
    pump_half: Parameter = parameter(0.1, "uM", positive=True, source=_SOURCE)

    def relax_calcium(self, calcium: Array, h: Array, ip3: Array) -> tuple[Array, Array]:
        """Drive (uM/ms) and decay (1/ms) of calcium, from calcium, IP3 (uM) and the gate h."""
        rate = self.release * self.receptor.opening(calcium, h, ip3) + self.leak
        uptake = self.pump * jnp.maximum(calcium, 0.0) / (calcium**2 + self.pump_half**2)
        return rate * self.total, rate * (1.0 + self.ratio) + uptake


def stimberg_store(pump_half: float | Array = 0.05) -> CalciumStore:
    """The store of Stimberg et al. (2019), table of the chapter. **Arguments:** in uM."""
    return CalciumStore(
        IP3Receptor(d2=1.05, d5=0.08), ratio=0.18, leak=0.1 * per_second, pump_half=pump_half
    )


def book_store() -> CalciumStore:
    """The store of De Pitta (2019), Computational Glioscience, chapter 5, default values."""
    return CalciumStore(
        IP3Receptor(0.1, 2.1, 0.9967, 0.2, 0.4 * per_second),
        total=4.0,
        ratio=0.4,
        release=7.0 * per_second,
        leak=0.05 * per_second,
    )
