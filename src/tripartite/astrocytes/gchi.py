"""The G-ChI cell: ChI with receptors for glutamate that bind, and that calcium turns off."""

from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array

from tripartite.astrocytes.base import AbstractAstrocyte, as_drive, require_not_negative
from tripartite.astrocytes.calcium_store import CalciumStore, stimberg_store
from tripartite.astrocytes.li_rinzel import relaxation
from tripartite.astrocytes.metabolism import IP3Metabolism, IP3Source
from tripartite.core import Parameter, Relaxation, parameter
from tripartite.core.numerics import hill
from tripartite.core.units import per_second

_SOURCE = "Stimberg et al. 2019"


class GChIState(NamedTuple):
    """`calcium` in uM; `h`; `ip3` in uM; `receptors`, the share that has bound glutamate."""

    calcium: Array
    h: Array
    ip3: Array
    receptors: Array


def _metabolism() -> IP3Metabolism:
    return IP3Metabolism(
        production=0.6 * per_second, kinase=4.5 * per_second, phosphatase=0.05 * per_second
    )


class GChI(AbstractAstrocyte):
    """Calcium, gate, IP3 and bound glutamate receptors.

        dGamma/dt = O_N Y (1 - Gamma) - Omega_N (1 + zeta C / (C + K_KC)) Gamma
        dI/dt = O_beta Gamma + J_delta - J_3K - J_5P + J_ex + J_coupling

    Stimberg, Goodman, Brette and De Pitta, in Computational Glioscience (Springer 2019), after
    Wallach et al., PLoS Comput. Biol. 10, e1003964 (2014). Y is glutamate outside the cell (uM).
    The input is an `AstrocyteDrive`, or glutamate in uM. The defaults are the chapter's table,
    with the O_beta of its figure 4; see `StimbergFigure2` and the others for each figure's own.

    **Arguments:**

    - `store`, a `CalciumStore`; `metabolism`, an `IP3Metabolism`.
    - `source`: an `IP3Source`, or `None` for no exchange with the outside (a source whose level is
        0 is something else: a sink).
    - `agonist` (O_beta): IP3 made with every receptor bound, uM/ms.
    - `agonist_binding` (O_N), 1/(uM ms), and `unbinding` (Omega_N), 1/ms, of glutamate.
    - `desensitisation` (zeta): how much faster calcium makes the unbinding, and
        `desensitisation_half` (K_KC) the calcium for half of that, uM.
    - `calcium_init`, `ip3_init` in uM, `h_init` and `receptors_init`: where it starts.

    **Raises:** `ValueError` for a negative concentration.
    """

    store: CalciumStore = eqx.field(default_factory=stimberg_store)
    metabolism: IP3Metabolism = eqx.field(default_factory=_metabolism)
    source: IP3Source | None = None
    agonist: Parameter = parameter(3.2 * per_second, "uM/ms", source=_SOURCE)
    agonist_binding: Parameter = parameter(
        0.3 * per_second, "1/(uM ms)", positive=True, source=_SOURCE
    )
    unbinding: Parameter = parameter(0.5 * per_second, "1/ms", positive=True, source=_SOURCE)
    desensitisation: Parameter = parameter(10.0, "1", source=_SOURCE)
    desensitisation_half: Parameter = parameter(0.5, "uM", positive=True, source=_SOURCE)
    calcium_init: Parameter = parameter(0.0, "uM", trainable=False, source=_SOURCE)
    h_init: Parameter = parameter(0.9, "1", trainable=False, source=_SOURCE)
    ip3_init: Parameter = parameter(0.0, "uM", trainable=False, source=_SOURCE)
    receptors_init: Parameter = parameter(0.0, "1", trainable=False, source=_SOURCE)

    def __check_init__(self) -> None:
        require_not_negative("calcium_init", self.calcium_init)
        require_not_negative("ip3_init", self.ip3_init)

    def init(self) -> GChIState:
        """`calcium_init`, `h_init`, `ip3_init` and `receptors_init`."""
        return GChIState(self.calcium_init, self.h_init, self.ip3_init, self.receptors_init)

    def blocks(self) -> GChIState:
        """A fixed step takes calcium first (and last), the others in between."""
        return GChIState(0, 1, 1, 1)  # pyright: ignore[reportArgumentType]

    def units(self) -> GChIState:
        """uM, a pure number, uM, a pure number."""
        return GChIState("uM", "1", "uM", "1")  # pyright: ignore[reportArgumentType]

    def calcium(self, y: GChIState) -> Array:
        """`calcium` in uM."""
        return y.calcium

    def ip3(self, y: GChIState) -> Array:
        """`ip3` in uM."""
        return y.ip3

    def ports(self, y: GChIState) -> dict[str, Array]:
        """`calcium` and `ip3` in uM, `h` and `receptors`."""
        return {"calcium": y.calcium, "h": y.h, "ip3": y.ip3, "receptors": y.receptors}

    def relax(self, t: Array, y: GChIState, u: Any) -> Relaxation:
        """The store, the gate, IP3 made and taken away, and the receptors' binding."""
        drive = as_drive(u, y.calcium)
        made, lost = self.metabolism.relax(y.calcium, y.ip3)
        entering = self.agonist * y.receptors + drive.coupling
        if self.source is not None:
            entering = entering + self.source(y.ip3, drive.bias)
        binding = self.agonist_binding * drive.glutamate
        by_calcium = self.desensitisation * hill(y.calcium, self.desensitisation_half, 1)
        return relaxation(
            GChIState,
            self.store.relax_calcium(y.calcium, y.h, y.ip3),
            self.store.receptor.relax_gate(y.calcium, y.ip3),
            (made + entering, lost),
            (binding, binding + self.unbinding * (1.0 + by_calcium)),
        )


def StimbergFigure2() -> GChI:
    """The cell of figure 2 of Stimberg et al. (2019), under periodic glutamate."""
    return GChI(
        stimberg_store(pump_half=0.1),
        IP3Metabolism(
            production=0.2 * per_second,
            production_half=0.3,
            kinase=4.5 * per_second,
            kinase_calcium=0.5,
            phosphatase=0.1 * per_second,
        ),
        IP3Source(0.0, 0.09 * per_second),
        agonist=5.0 * per_second,
    )


def StimbergFigure3(bias: float | Array = 0.8) -> GChI:
    """A cell of figure 3 of Stimberg et al. (2019), under an IP3 source of level `bias` (uM)."""
    return GChI(source=IP3Source(bias), agonist=0.0, ip3_init=0.4)


def StimbergRing() -> GChI:
    """A cell of the ring of figure 5 of Stimberg et al. (2019); a drive's `bias` stimulates it."""
    return GChI(source=IP3Source(0.0, 0.09 * per_second), agonist=0.0)
