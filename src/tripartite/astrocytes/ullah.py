"""The astrocyte of Ullah, Jung and Cornell-Bell, as networks of working memory use it."""

from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array

from tripartite.astrocytes.base import AbstractAstrocyte, Hears, as_drive, require_not_negative
from tripartite.astrocytes.calcium_store import CalciumStore
from tripartite.astrocytes.li_rinzel import relaxation
from tripartite.astrocytes.receptor import IP3Receptor
from tripartite.core import Parameter, Relaxation, parameter
from tripartite.core.numerics import hill
from tripartite.core.units import per_second

_SOURCE = "Gordleeva et al. 2021"


class UllahState(NamedTuple):
    """`calcium` in uM; `h`, the receptor's gate; `ip3` in uM."""

    calcium: Array
    h: Array
    ip3: Array


def _store() -> CalciumStore:
    return CalciumStore(
        IP3Receptor(d5=0.082, binding=0.14 * per_second), pump=2.2 * per_second, pump_half=0.1
    )


class Ullah(AbstractAstrocyte):
    """A store, calcium across the plasma membrane, and IP3 that calcium helps to make.

        dC/dt = J_ER + J_leak - J_pump + v6 I^2 / (k2^2 + I^2) - k1 C
        dI/dt = (I* - I) / tau + v4 (C + (1 - alpha) k4) / (C + k4) + J

    Ullah, Jung and Cornell-Bell, Cell Calcium 39, 197 (2006), with the values of Gordleeva et al.,
    Front. Cell. Neurosci. 15, 631485 (2021); the constant influx v5 of 2006 is left out there. The
    input J is an `AstrocyteDrive` (its `coupling`), or IP3 made on command in uM/ms. The cell
    starts at its rest; the values printed with the code of 2021 are not an equilibrium.

    **Arguments:**

    - `store`, a `CalciumStore`.
    - `influx` (v6), uM/ms, half at `influx_half` (k2), uM; `efflux` (k1), 1/ms.
    - `rest` (I*), uM, and `tau`, ms, of IP3.
    - `production` (v4), uM/ms; `production_half` (k4), uM; `dependence` (alpha): the part of it
        that needs calcium.
    - `calcium_init`, `ip3_init` in uM and `h_init`: where it starts.

    **Raises:** `ValueError` for a negative concentration.
    """

    store: CalciumStore = eqx.field(default_factory=_store)
    influx: Parameter = parameter(0.2 * per_second, "uM/ms", source=_SOURCE)
    influx_half: Parameter = parameter(1.0, "uM", positive=True, source=_SOURCE)
    efflux: Parameter = parameter(0.5 * per_second, "1/ms", source=_SOURCE)
    rest: Parameter = parameter(0.16, "uM", source=_SOURCE)
    tau: Parameter = parameter(1.0 / (0.14 * per_second), "ms", positive=True, source=_SOURCE)
    production: Parameter = parameter(0.3 * per_second, "uM/ms", source=_SOURCE)
    production_half: Parameter = parameter(1.1, "uM", positive=True, source=_SOURCE)
    dependence: Parameter = parameter(0.8, "1", source=_SOURCE)
    calcium_init: Parameter = parameter(0.066116, "uM", trainable=False, source="its rest")
    h_init: Parameter = parameter(0.888200, "1", trainable=False, source="its rest")
    ip3_init: Parameter = parameter(0.685768, "uM", trainable=False, source="its rest")

    def __check_init__(self) -> None:
        require_not_negative("calcium_init", self.calcium_init)
        require_not_negative("ip3_init", self.ip3_init)

    def init(self) -> UllahState:
        """`calcium_init`, `h_init` and `ip3_init`."""
        return UllahState(self.calcium_init, self.h_init, self.ip3_init)

    def blocks(self) -> UllahState:
        """A fixed step takes calcium first (and last), the others in between."""
        return UllahState(0, 1, 1)  # pyright: ignore[reportArgumentType]

    def units(self) -> UllahState:
        """uM, a pure number, uM."""
        return UllahState("uM", "1", "uM")  # pyright: ignore[reportArgumentType]

    def calcium(self, y: UllahState) -> Array:
        """`calcium` in uM."""
        return y.calcium

    def ip3(self, y: UllahState) -> Array:
        """`ip3` in uM."""
        return y.ip3

    def hears(self) -> Hears:
        """IP3 that flows in."""
        return "coupling"

    def ports(self, y: UllahState) -> dict[str, Array]:
        """`calcium` and `ip3` in uM, and `h`."""
        return {"calcium": y.calcium, "h": y.h, "ip3": y.ip3}

    def relax(self, t: Array, y: UllahState, u: Any) -> Relaxation:
        """The store and the membrane, the gate, and IP3."""
        drive = as_drive(u, y.calcium, "coupling")
        source, loss = self.store.relax_calcium(y.calcium, y.h, y.ip3)
        entering = self.influx * hill(y.ip3, self.influx_half, 2)
        # (C + (1 - alpha) k4) / (C + k4), as what calcium commands and what it does not.
        active = hill(y.calcium, self.production_half, 1)
        made = self.production * (1.0 - self.dependence * (1.0 - active))
        return relaxation(
            UllahState,
            (source + entering, loss + self.efflux),
            self.store.receptor.relax_gate(y.calcium, y.ip3),
            (self.rest / self.tau + made + drive.coupling, 1.0 / self.tau),
        )
