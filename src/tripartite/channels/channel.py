"""An ion channel as data: gates, a maximal conductance and a reversal potential."""

import abc
from collections.abc import Mapping

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.channels.gates import AbstractGate, relax_gates, start_gates, times_open
from tripartite.core import AbstractParametrised, Parameter, parameter


class AbstractChannel(AbstractParametrised):
    """What a membrane needs of a channel: a conductance and a reversal, never a bare current.

    The surroundings are the membrane potential `v` (mV) and the cell's `calcium` (uM), which is
    `None` in a cell without a pool.
    """

    name: eqx.AbstractVar[str]

    @abc.abstractmethod
    def init(self, v: Array, calcium: Array | None = None) -> PyTree[Array]:
        """The gates at rest."""

    @abc.abstractmethod
    def relax(
        self, gates: PyTree[Array], v: Array, calcium: Array | None = None
    ) -> tuple[PyTree[Array], PyTree[Array]]:
        """The drive and the decay of each gate (1/ms)."""

    @abc.abstractmethod
    def open_conductance(
        self, gates: PyTree[Array], v: Array, calcium: Array | None = None
    ) -> Array:
        """The conductance now (mS/cm2)."""

    @abc.abstractmethod
    def reversal_potential(self, calcium: Array | None = None) -> Array:
        """The potential at which the channel passes no current (mV)."""

    def diffusion(
        self, gates: PyTree[Array], v: Array, calcium: Array | None = None
    ) -> PyTree[Array]:
        """The size of each independent source of noise (1/sqrt(ms)); `None`: there is none.

        A class that overrides this is noisy; its gates move by `spread(gates, size * dW)`.
        """
        return None

    def spread(self, gates: PyTree[Array], kicks: PyTree[Array]) -> PyTree[Array]:
        """What kicks of the sources do to the gates: linear in `kicks`, structured as `gates`."""
        return jax.tree.map(jnp.zeros_like, gates)

    def noisy(self) -> bool:
        """Whether the channel has noise of its own."""
        return type(self).diffusion is not AbstractChannel.diffusion


class AbstractGatedChannel(AbstractChannel):
    """A channel whose gates are named parts, each of which knows how it moves."""

    gates: eqx.AbstractVar[Mapping[str, AbstractGate]]

    def init(self, v: Array, calcium: Array | None = None) -> dict[str, Array]:
        """Each gate at its steady state."""
        return start_gates(self.gates, v, calcium)

    def relax(
        self, gates: dict[str, Array], v: Array, calcium: Array | None = None
    ) -> tuple[dict[str, Array], dict[str, Array]]:
        """Drive and decay (1/ms) of each gate."""
        return relax_gates(self.gates, v, calcium)


class Channel(AbstractGatedChannel):
    """`g(t) = conductance * product of gate^power`, with current `g (v - reversal)`.

    **Arguments:**

    - `name`: how the channel is called in states and tables.
    - `gates`: name to gate; may be empty (a leak). An `InstantaneousGate` has no state.
    - `conductance`: maximal conductance, mS/cm2 (or nS).
    - `reversal`: mV.
    - `source`: where the numbers come from, for `tripartite.summary`.
    """

    name: str = eqx.field(static=True)
    gates: Mapping[str, AbstractGate]
    conductance: Parameter = parameter(None, "mS/cm2")
    reversal: Parameter = parameter(None, "mV")
    source: str = eqx.field(static=True, default="")

    def open_conductance(
        self, gates: dict[str, Array], v: Array, calcium: Array | None = None
    ) -> Array:
        """`conductance * product of gate^power` in mS/cm2."""
        return times_open(self.conductance, self.gates, gates, v, calcium)

    def reversal_potential(self, calcium: Array | None = None) -> Array:
        """`reversal`, mV."""
        return self.reversal
