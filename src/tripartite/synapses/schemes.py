"""How receptors follow the transmitter: two kinetic schemes of Destexhe, Mainen and Sejnowski."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.numerics import hill

# Kinetic models of synaptic transmission, in Methods in Neuronal Modeling, 2nd edition.
KINETIC = "Destexhe, Mainen & Sejnowski 1998"


class AbstractScheme(AbstractParametrised):
    """Receptors as a relaxation driven by the transmitter's concentration."""

    @abc.abstractmethod
    def init(self) -> PyTree[Array]:
        """The receptors without transmitter."""

    @abc.abstractmethod
    def units(self) -> PyTree[str]:
        """The unit of each state."""

    @abc.abstractmethod
    def relax(self, y: PyTree[Array], transmitter: Array) -> tuple[PyTree[Array], PyTree[Array]]:
        """Drive and decay of each state at a concentration (uM)."""

    @abc.abstractmethod
    def open_fraction(self, y: PyTree[Array]) -> Array:
        """The fraction of channels that conduct."""


class TwoStateState(NamedTuple):
    """`open`, the fraction of bound, conducting receptors."""

    open: Array


class TwoState(AbstractScheme):
    """`dr/dt = binding T (1 - r) - unbinding r`; the open fraction is r.

    Destexhe, Mainen and Sejnowski, Neural Comput 6, 14 (1994); the chapter of 1998, first-order
    kinetics.

    **Arguments:** `binding` in 1/(uM ms); `unbinding` in 1/ms; `source`: where they come from, for
    `tripartite.summary`.
    """

    binding: Parameter = parameter(None, "1/(uM ms)", positive=True)
    unbinding: Parameter = parameter(None, "1/ms", positive=True)
    source: str = eqx.field(static=True, default="")

    def init(self) -> TwoStateState:
        """All closed."""
        return TwoStateState(jnp.zeros_like(self.binding))

    def units(self) -> TwoStateState:
        """A pure number."""
        return TwoStateState("1")  # pyright: ignore[reportArgumentType]

    def relax(self, y: TwoStateState, transmitter: Array) -> tuple[Any, Any]:
        """Drive `binding T`, decay `binding T + unbinding`."""
        bind = self.binding * transmitter + jnp.zeros_like(y.open)
        return TwoStateState(bind), TwoStateState(bind + self.unbinding)

    def open_fraction(self, y: TwoStateState) -> Array:
        """r."""
        return y.open


class GProteinState(NamedTuple):
    """`bound`, a fraction of receptors; `g_protein`, activated G-protein (uM)."""

    bound: Array
    g_protein: Array


class GProtein(AbstractScheme):
    """Receptors that open potassium channels through a G-protein, which binds four at a time.

    `dr/dt = binding T (1 - r) - unbinding r`, `ds/dt = production r - breakdown s`, and an open
    fraction `s^4 / (s^4 + half^4)`: Destexhe, Mainen and Sejnowski (1998), section on GABA-B
    receptors, with half^4 = Kd. The published Kd = 100 uM^4 is half = 3.162 uM.

    **Arguments:** `binding` in 1/(uM ms); `unbinding` and `breakdown` in 1/ms; `production` in
    uM/ms; `half` in uM.
    """

    binding: Parameter = parameter(9e-5, "1/(uM ms)", positive=True, source=KINETIC)
    unbinding: Parameter = parameter(1.2e-3, "1/ms", positive=True, source=KINETIC)
    production: Parameter = parameter(0.18, "uM/ms", positive=True, source=KINETIC)
    breakdown: Parameter = parameter(0.034, "1/ms", positive=True, source=KINETIC)
    half: Parameter = parameter(100.0**0.25, "uM", positive=True, source=KINETIC)

    def init(self) -> GProteinState:
        """Nothing bound, nothing activated."""
        zero = jnp.zeros_like(self.binding)
        return GProteinState(zero, zero)

    def units(self) -> GProteinState:
        """A pure number and uM."""
        return GProteinState("1", "uM")  # pyright: ignore[reportArgumentType]

    def relax(self, y: GProteinState, transmitter: Array) -> tuple[Any, Any]:
        """Each as its equation says."""
        zero = jnp.zeros_like(y.bound)
        bind = self.binding * transmitter + zero
        drive = GProteinState(bind, self.production * y.bound)
        return drive, GProteinState(bind + self.unbinding, self.breakdown + zero)

    def open_fraction(self, y: GProteinState) -> Array:
        """`s^4 / (s^4 + half^4)`."""
        return hill(y.g_protein, self.half, 4)
