"""The Li-Rinzel cell: calcium and one gate, at a given level of IP3."""

from typing import Any, NamedTuple

import equinox as eqx
from jaxtyping import Array

from tripartite.astrocytes.base import (
    AbstractAstrocyte,
    Hears,
    no_ip3,
    require_ip3,
    require_not_negative,
)
from tripartite.astrocytes.calcium_store import CalciumStore, book_store, stimberg_store
from tripartite.core import Parameter, Relaxation, parameter


class LiRinzelState(NamedTuple):
    """`calcium` in uM; `h`, the share of receptors that calcium has not closed."""

    calcium: Array
    h: Array


class LiRinzel(AbstractAstrocyte):
    """Calcium released from a store by IP3, and the gate that calcium closes.

    Li and Rinzel, J. Theor. Biol. 166, 461 (1994). The input is IP3 in uM. With the defaults
    (Nadkarni and Jung 2003) the cell oscillates between 0.3545 and 0.6369 uM.

    **Arguments:** `store`, a `CalciumStore`; `calcium_init` in uM and `h_init`, where it starts.

    **Raises:** `ValueError` for a negative concentration.
    """

    store: CalciumStore = eqx.field(default_factory=CalciumStore)
    calcium_init: Parameter = parameter(0.073, "uM", trainable=False, source="NEST 3")
    h_init: Parameter = parameter(0.793, "1", trainable=False, source="NEST 3")

    def __check_init__(self) -> None:
        require_not_negative("calcium_init", self.calcium_init)

    def init(self) -> LiRinzelState:
        """`calcium_init` and `h_init`."""
        return LiRinzelState(self.calcium_init, self.h_init)

    def blocks(self) -> LiRinzelState:
        """A fixed step takes calcium first (and last), the gate in between."""
        return LiRinzelState(0, 1)  # pyright: ignore[reportArgumentType]

    def units(self) -> LiRinzelState:
        """uM and a pure number."""
        return LiRinzelState("uM", "1")  # pyright: ignore[reportArgumentType]

    def input_units(self) -> Any:
        """IP3."""
        return "uM"

    def calcium(self, y: LiRinzelState) -> Array:
        """`calcium` in uM."""
        return y.calcium

    def ip3(self, y: LiRinzelState) -> Array:
        """**Raises:** `ValueError`: IP3 is the input."""
        return no_ip3(self)

    def hears(self) -> Hears:
        """IP3 itself."""
        return "ip3"

    def ports(self, y: LiRinzelState) -> dict[str, Array]:
        """`calcium` in uM, and `h`."""
        return {"calcium": y.calcium, "h": y.h}

    def relax(self, t: Array, y: LiRinzelState, u: Any) -> Relaxation:
        """The store's calcium and the receptor's gate, at IP3 `u` (uM)."""
        ip3 = require_ip3(u, y.calcium)
        calcium = self.store.relax_calcium(y.calcium, y.h, ip3)
        gate = self.store.receptor.relax_gate(y.calcium, ip3)
        return relaxation(LiRinzelState, calcium, gate)


def relaxation(state: Any, *pairs: tuple[Array, Array]) -> Relaxation:
    """A `Relaxation` from one `(drive, decay)` per field of a state."""
    drives, decays = zip(*pairs, strict=True)
    return Relaxation(state(*drives), state(*decays))


def NadkarniJungAM() -> LiRinzel:
    """Nadkarni and Jung (2003): the amplitude grows with IP3, the period hardly changes."""
    return LiRinzel()


def NadkarniJungFM() -> LiRinzel:
    """The same with a pump of higher affinity (0.051 uM): the period falls as IP3 grows.

    De Pitta et al., Cogn. Process. 10, S115 (2009): frequency modulation.
    """
    return LiRinzel(CalciumStore(pump_half=0.051))


def StimbergLiRinzel() -> LiRinzel:
    """The core of Stimberg, Goodman, Brette and De Pitta (2019), Computational Glioscience."""
    return LiRinzel(stimberg_store())


def BookLiRinzel() -> LiRinzel:
    """The core of De Pitta (2019), Computational Glioscience, chapter 5.

    It oscillates at 0.3 uM of IP3, and rests at 0.2 and at 0.5 uM.
    """
    return LiRinzel(book_store())
