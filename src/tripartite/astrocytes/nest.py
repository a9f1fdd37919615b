"""NEST's astrocyte: spikes make IP3, calcium drives a slow inward current into neurons."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.astrocytes.base import AbstractAstrocyte, Hears, as_drive, require_not_negative
from tripartite.astrocytes.calcium_store import CalciumStore
from tripartite.astrocytes.li_rinzel import relaxation
from tripartite.core import Parameter, Relaxation, parameter
from tripartite.core.units import nanomolar

_SOURCE = "NEST 3.10"


class NESTState(NamedTuple):
    """`calcium` in uM; `h`, the receptor's gate; `ip3` in uM."""

    calcium: Array
    h: Array
    ip3: Array


class NESTAstrocyte(AbstractAstrocyte):
    """NEST's `astrocyte_lr_1994`: a Li-Rinzel cell whose IP3 jumps at each spike.

        dI/dt = (I_0 - I) / tau,    I jumps by Delta times the weighted spikes of the step
        SIC = scale ln y if y > 1 else 0,    y = (C - threshold) / 1 nM

    Nadkarni and Jung, Phys. Rev. Lett. 91, 268101 (2003), as in NEST 3.10 (and its test and
    example before, with Delta of 5 uM). Rates are taken at a calcium clipped to
    [0, C_T (1 + rho)], as in NEST. The input is an `AstrocyteDrive` (`spikes` and `coupling`), or
    IP3 that flows in, uM/ms. It jumps at the end of a step: solve it with `dt=`.

    **Arguments:**

    - `store`, a `CalciumStore`.
    - `rest` (I_0), uM, and `tau`, ms, of IP3; `jump_size` (Delta): uM per spike of weight 1.
    - `sic_threshold`, uM, and `sic_scale` of the slow inward current (pA in NEST); `sic_unit`: the
        excess of calcium that counts as 1, uM.
    - `calcium_init`, `ip3_init` in uM and `h_init`: where it starts.

    **Raises:** `ValueError` for a negative concentration.
    """

    store: CalciumStore = eqx.field(default_factory=CalciumStore)
    rest: Parameter = parameter(0.16, "uM", source=_SOURCE)
    tau: Parameter = parameter(7142.0, "ms", positive=True, source=_SOURCE)
    jump_size: Parameter = parameter(0.0002, "uM", source=_SOURCE)
    sic_threshold: Parameter = parameter(0.19669, "uM", source=_SOURCE)
    sic_scale: Parameter = parameter(1.0, "1", source=_SOURCE)
    sic_unit: Parameter = parameter(1.0 * nanomolar, "uM", positive=True, trainable=False)
    calcium_init: Parameter = parameter(0.073, "uM", trainable=False, source=_SOURCE)
    h_init: Parameter = parameter(0.793, "1", trainable=False, source=_SOURCE)
    ip3_init: Parameter = parameter(0.16, "uM", trainable=False, source=_SOURCE)

    def __check_init__(self) -> None:
        require_not_negative("calcium_init", self.calcium_init)
        require_not_negative("ip3_init", self.ip3_init)

    def init(self) -> NESTState:
        """`calcium_init`, `h_init` and `ip3_init`."""
        return NESTState(self.calcium_init, self.h_init, self.ip3_init)

    def blocks(self) -> NESTState:
        """A fixed step takes calcium first (and last), the others in between."""
        return NESTState(0, 1, 1)  # pyright: ignore[reportArgumentType]

    def units(self) -> NESTState:
        """uM, a pure number, uM."""
        return NESTState("uM", "1", "uM")  # pyright: ignore[reportArgumentType]

    def calcium(self, y: NESTState) -> Array:
        """`calcium` in uM."""
        return y.calcium

    def ip3(self, y: NESTState) -> Array:
        """`ip3` in uM."""
        return y.ip3

    def slow_inward_current(self, y: NESTState) -> Array:
        """`scale ln y` above the threshold, else 0, in the unit of `sic_scale`."""
        excess = (y.calcium - self.sic_threshold) / self.sic_unit
        above = excess > 1.0
        return jnp.where(above, self.sic_scale * jnp.log(jnp.where(above, excess, 1.0)), 0.0)

    def hears(self) -> Hears:
        """IP3 that flows in."""
        return "coupling"

    def ports(self, y: NESTState) -> dict[str, Array]:
        """`calcium` and `ip3` in uM, `h`, and the slow inward current, `sic`."""
        current = self.slow_inward_current(y)
        return {"calcium": y.calcium, "h": y.h, "ip3": y.ip3, "sic": current}

    def relax(self, t: Array, y: NESTState, u: Any) -> Relaxation:
        """The store and the gate at the clipped calcium, and IP3 on its way to rest."""
        drive = as_drive(u, y.calcium, "coupling")
        limit = self.store.total * (1.0 + self.store.ratio)
        calcium = jnp.clip(y.calcium, 0.0, limit)
        return relaxation(
            NESTState,
            self.store.relax_calcium(calcium, y.h, y.ip3),
            self.store.receptor.relax_gate(calcium, y.ip3),
            (self.rest / self.tau + drive.coupling, 1.0 / self.tau),
        )

    def jump(self, t: Array, before: NESTState, y: NESTState, u: Any) -> NESTState:
        """IP3 rises by `jump_size` for each spike of weight 1."""
        drive = as_drive(u, y.calcium, "coupling")
        return y._replace(ip3=y.ip3 + self.jump_size * drive.spikes)
