"""The ChI cell: calcium, gate and IP3 under glutamate."""

from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array

from tripartite.astrocytes.base import AbstractAstrocyte, as_drive, require_not_negative
from tripartite.astrocytes.calcium_store import CalciumStore
from tripartite.astrocytes.li_rinzel import relaxation
from tripartite.astrocytes.metabolism import IP3Metabolism
from tripartite.core import Parameter, Relaxation, parameter
from tripartite.core.numerics import hill
from tripartite.core.units import per_second

_SOURCE = "De Pitta et al. 2009"


class ChIState(NamedTuple):
    """`calcium` in uM; `h`, the receptor's gate; `ip3` in uM."""

    calcium: Array
    h: Array
    ip3: Array


class ChI(AbstractAstrocyte):
    """Calcium, gate and IP3, with IP3 made as glutamate outside the cell commands.

        dI/dt = v_beta H_0.7(glutamate, K_R + K_p C / (C + K_pi)) + J_delta - J_3K - J_5P

    De Pitta, Goldberg, Volman, Berry and Ben-Jacob, J. Biol. Phys. 35, 383 (2009), with the
    erratum of 2010; H_n is the Hill function. The last three terms are in `IP3Metabolism`. The
    input is an `AstrocyteDrive`, or glutamate in uM. The defaults are the amplitude-modulated set.

    **Arguments:**

    - `store`, a `CalciumStore`; `metabolism`, an `IP3Metabolism`.
    - `agonist` (v_beta): IP3 made under full glutamate, uM/ms.
    - `affinity` (K_R), `affinity_loss` (K_p): the receptor's affinity and how much of it
        calcium takes away, uM; `affinity_calcium` (K_pi): the calcium that takes half, uM.
    - `order`: of the Hill function of glutamate.
    - `calcium_init`, `ip3_init` in uM and `h_init`: where it starts.

    **Raises:** `ValueError` for a negative concentration.
    """

    store: CalciumStore = eqx.field(default_factory=CalciumStore)
    metabolism: IP3Metabolism = eqx.field(default_factory=IP3Metabolism)
    agonist: Parameter = parameter(0.2 * per_second, "uM/ms", source=_SOURCE)
    affinity: Parameter = parameter(1.3, "uM", positive=True, source=_SOURCE)
    affinity_loss: Parameter = parameter(10.0, "uM", source=_SOURCE)
    affinity_calcium: Parameter = parameter(0.6, "uM", positive=True, source=_SOURCE)
    order: Parameter = parameter(0.7, "1", positive=True, source=_SOURCE)
    calcium_init: Parameter = parameter(0.09, "uM", trainable=False, source=_SOURCE)
    h_init: Parameter = parameter(0.78, "1", trainable=False, source=_SOURCE)
    ip3_init: Parameter = parameter(0.22, "uM", trainable=False, source=_SOURCE)

    def __check_init__(self) -> None:
        require_not_negative("calcium_init", self.calcium_init)
        require_not_negative("ip3_init", self.ip3_init)

    def init(self) -> ChIState:
        """`calcium_init`, `h_init` and `ip3_init`."""
        return ChIState(self.calcium_init, self.h_init, self.ip3_init)

    def blocks(self) -> ChIState:
        """A fixed step takes calcium first (and last), the others in between."""
        return ChIState(0, 1, 1)  # pyright: ignore[reportArgumentType]

    def units(self) -> ChIState:
        """uM, a pure number, uM."""
        return ChIState("uM", "1", "uM")  # pyright: ignore[reportArgumentType]

    def calcium(self, y: ChIState) -> Array:
        """`calcium` in uM."""
        return y.calcium

    def ip3(self, y: ChIState) -> Array:
        """`ip3` in uM."""
        return y.ip3

    def ports(self, y: ChIState) -> dict[str, Array]:
        """`calcium` and `ip3` in uM, and `h`."""
        return {"calcium": y.calcium, "h": y.h, "ip3": y.ip3}

    def relax(self, t: Array, y: ChIState, u: Any) -> Relaxation:
        """The store, the gate, and IP3 made and taken away."""
        drive = as_drive(u, y.calcium)
        made, lost = self.metabolism.relax(y.calcium, y.ip3)
        half = self.affinity + self.affinity_loss * hill(y.calcium, self.affinity_calcium, 1)
        commanded = self.agonist * hill(drive.glutamate, half, self.order)
        return relaxation(
            ChIState,
            self.store.relax_calcium(y.calcium, y.h, y.ip3),
            self.store.receptor.relax_gate(y.calcium, y.ip3),
            (commanded + made + drive.coupling, lost),
        )


def DePittaAM() -> ChI:
    """De Pitta et al. (2009), amplitude modulated: the defaults of `ChI`."""
    return ChI()


def DePittaFM() -> ChI:
    """De Pitta et al. (2009), frequency modulated."""
    return ChI(
        CalciumStore(pump_half=0.05),
        IP3Metabolism(production=0.05 * per_second, phosphatase=0.05 * per_second),
        agonist=0.5 * per_second,
    )


def Lallouette() -> ChI:
    """The cell of Lallouette et al., Front. Comput. Neurosci. 8, 45 (2014), without glutamate.

    Values of Computational Glioscience (2019), chapter 7, where cells are driven through their
    gap junctions alone; it starts at the rest printed there, (0.0351, 0.9122, 0.3046).
    """
    metabolism = IP3Metabolism(
        production=0.7 * per_second,
        kinase=4.5 * per_second,
        phosphatase=0.21 * per_second,
    )
    return ChI(
        CalciumStore(pump_half=0.05),
        metabolism,
        agonist=0.0,
        calcium_init=0.0351,
        h_init=0.9122,
        ip3_init=0.3046,
    )
