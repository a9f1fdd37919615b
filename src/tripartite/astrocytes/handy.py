"""The open cell of Taheri and Handy: calcium that also crosses the outer membrane."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.astrocytes.base import (
    AbstractAstrocyte,
    Hears,
    no_ip3,
    require_ip3,
    require_not_negative,
)
from tripartite.astrocytes.li_rinzel import relaxation
from tripartite.astrocytes.receptor import IP3Receptor
from tripartite.core import Parameter, Relaxation, parameter
from tripartite.core.numerics import hill
from tripartite.core.units import per_second

_SOURCE = "Handy et al. 2017"


class HandyState(NamedTuple):
    """`calcium` and `total` (calcium in cytosol and store) in uM; `h`, the receptor's gate."""

    calcium: Array
    total: Array
    h: Array


def _receptor() -> IP3Receptor:
    return IP3Receptor(binding=0.04 * per_second)


class Handy(AbstractAstrocyte):
    """An astrocyte whose calcium leaves and enters through the plasma membrane, too.

        dc/dt = J_IP3R - J_SERCA + J_leak + delta (J_in - J_out - J_PMCA + J_SOC)
        dct/dt = delta (J_in - J_out - J_PMCA + J_SOC),     c_ER = gamma (ct - c)
        J_IP3R + J_leak = (v_IP3R m^3 h^3 + v_leak) (c_ER - c),   J_SERCA = v H_1.75(c, K)
        J_out = k_out c,   J_PMCA = v H_2(c, K),   J_SOC = v K^4 / (K^4 + c_ER^4)

    Taheri, Handy, Borisyuk and White, Front. Syst. Neurosci. 11, 79 (2017); Handy, Taheri, White
    and Borisyuk, J. Comput. Neurosci. 42, 81 (2017); ModelDB 189344. m and h are the receptor's.
    The input is IP3 in uM; see `IP3Pulse`.

    **Arguments:**

    - `receptor`: an `IP3Receptor`. `gamma`: volume of the cytosol over the reticulum's.
    - `release` (v_IP3R), `leak` (v_leak), `efflux` (k_out): 1/ms. `influx` (J_in): uM/ms.
    - `serca`, `serca_half`; `pmca`, `pmca_half`: pumps into the store and out of the cell, at most
        uM/ms, half of that at uM.
    - `soc`, `soc_half`: store-operated channels, uM/ms, open by half at c_ER = `soc_half` uM.
    - `delta`: how much slower the plasma membrane is.
    - `calcium_init`, `total_init` in uM and `h_init`: the rest without IP3.

    **Raises:** `ValueError` for a negative concentration.
    """

    receptor: IP3Receptor = eqx.field(default_factory=_receptor)
    gamma: Parameter = parameter(5.4054, "1", positive=True, source=_SOURCE)
    release: Parameter = parameter(0.222 * per_second, "1/ms", source=_SOURCE)
    leak: Parameter = parameter(0.002 * per_second, "1/ms", source=_SOURCE)
    influx: Parameter = parameter(0.05 * per_second, "uM/ms", source=_SOURCE)
    efflux: Parameter = parameter(1.2 * per_second, "1/ms", source=_SOURCE)
    serca: Parameter = parameter(0.9 * per_second, "uM/ms", source=_SOURCE)
    serca_half: Parameter = parameter(0.1, "uM", positive=True, source=_SOURCE)
    pmca: Parameter = parameter(10.0 * per_second, "uM/ms", source=_SOURCE)
    pmca_half: Parameter = parameter(2.5, "uM", positive=True, source=_SOURCE)
    soc: Parameter = parameter(1.57 * per_second, "uM/ms", source=_SOURCE)
    soc_half: Parameter = parameter(90.0, "uM", positive=True, source=_SOURCE)
    delta: Parameter = parameter(0.2, "1", source=_SOURCE)
    calcium_init: Parameter = parameter(0.0865415, "uM", trainable=False, source=_SOURCE)
    total_init: Parameter = parameter(36.49084, "uM", trainable=False, source=_SOURCE)
    h_init: Parameter = parameter(0.6255124, "1", trainable=False, source=_SOURCE)

    def __check_init__(self) -> None:
        require_not_negative("calcium_init", self.calcium_init)
        require_not_negative("total_init", self.total_init)

    def init(self) -> HandyState:
        """`calcium_init`, `total_init` and `h_init`."""
        return HandyState(self.calcium_init, self.total_init, self.h_init)

    def blocks(self) -> HandyState:
        """A fixed step takes calcium first (and last), the others in between."""
        return HandyState(0, 1, 1)  # pyright: ignore[reportArgumentType]

    def units(self) -> HandyState:
        """uM, uM, a pure number."""
        return HandyState("uM", "uM", "1")  # pyright: ignore[reportArgumentType]

    def input_units(self) -> Any:
        """IP3."""
        return "uM"

    def calcium(self, y: HandyState) -> Array:
        """`calcium` in uM."""
        return y.calcium

    def ip3(self, y: HandyState) -> Array:
        """**Raises:** `ValueError`: IP3 is the input."""
        return no_ip3(self)

    def hears(self) -> Hears:
        """IP3 itself."""
        return "ip3"

    def ports(self, y: HandyState) -> dict[str, Array]:
        """`calcium`, `total` and the store's calcium, `store`, in uM, and `h`."""
        return {"calcium": y.calcium, "total": y.total, "store": self.store(y), "h": y.h}

    def store(self, y: HandyState) -> Array:
        """Calcium in the reticulum, uM."""
        return self.gamma * (y.total - y.calcium)

    def relax(self, t: Array, y: HandyState, u: Any) -> Relaxation:
        """Calcium with its losses as decay, the total, and the gate, at IP3 `u` (uM)."""
        ip3 = require_ip3(u, y.calcium)
        store = jnp.maximum(self.store(y), 0.0)
        rate = self.release * self.receptor.opening(y.calcium, y.h, ip3) + self.leak
        # SERCA stays in the drive: its share of c, as c^0.75, has no slope at c = 0.
        uptake = self.serca * hill(y.calcium, self.serca_half, 1.75)
        expelled = self.pmca * jnp.maximum(y.calcium, 0.0) / (y.calcium**2 + self.pmca_half**2)
        entry = self.delta * (self.influx + self.soc * (1.0 - hill(store, self.soc_half, 4)))
        loss = self.delta * (self.efflux + expelled)
        released = rate * self.gamma * y.total
        return relaxation(
            HandyState,
            (released - uptake + entry, rate * (1.0 + self.gamma) + loss),
            (entry - loss * y.calcium, jnp.zeros_like(y.total)),
            self.receptor.relax_gate(y.calcium, ip3),
        )
