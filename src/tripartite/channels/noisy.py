"""What channels with noise share, and the noise that is put on gates one by one: inexact."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.channels.channel import AbstractChannel, AbstractGatedChannel
from tripartite.channels.gates import CalciumGate, Gate, RelaxingGate
from tripartite.core import Parameter, parameter

# A gate of these kinds is `power` independent subunits that open and close.
Subunits = Gate | RelaxingGate | CalciumGate


class AbstractNoisyChannel(AbstractChannel):
    """A finite number of one channel, each gate of which is some independent two-state subunits.

    **Raises:** `ValueError` for a channel without gates, or with a gate that is not a `Gate`, a
    `RelaxingGate` or a `CalciumGate`.
    """

    channel: eqx.AbstractVar[AbstractGatedChannel]
    count: eqx.AbstractVar[Any]

    def __check_init__(self) -> None:
        kind = type(self).__name__
        if not isinstance(self.channel, AbstractGatedChannel) or not self.channel.gates:
            raise ValueError(
                f"{kind} needs a channel with gates, got {type(self.channel).__name__}"
                f"{_named(self.channel)}: only what opens and closes is noisy."
            )
        wrong = {
            name: type(gate).__name__
            for name, gate in self.channel.gates.items()
            if not isinstance(gate, Subunits)
        }
        if wrong:
            raise ValueError(
                f"{kind} cannot take the gates {wrong} of the channel {self.channel.name!r} apart "
                "into subunits that open and close: give it a channel made of Gate, RelaxingGate "
                "and CalciumGate."
            )

    def subunits(self) -> dict[str, Subunits]:
        """The channel's gates, in alphabetical order."""
        # A dictionary comes out of jit sorted: its own order is not one to number states by.
        gates = sorted(self.channel.gates.items())
        return {name: gate for name, gate in gates if isinstance(gate, Subunits)}

    @property
    def name(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The channel's."""
        return self.channel.name

    def reversal_potential(self, calcium: Array | None = None) -> Array:
        """The channel's, mV."""
        return self.channel.reversal_potential(calcium)


def _named(channel: Any) -> str:
    return f" {channel.name!r}" if isinstance(channel, AbstractChannel) else ""


def rates_of(gate: Subunits, v: Array, calcium: Array | None) -> tuple[Array, Array]:
    """The opening and the closing rate (1/ms) of one subunit."""
    opening, total = gate.relax(v, calcium)
    return opening, total - opening


def size_of(flux: Array, count: Array) -> Array:
    """`sqrt(flux / count)`, and zero, with a gradient of zero, where the flux is not positive."""
    flows = flux > 0
    return jnp.where(flows, jnp.sqrt(jnp.where(flows, flux, 1.0) / count), 0.0)


class GateNoiseChannel(AbstractNoisyChannel):
    """Subunit noise: each gate as if the whole membrane had `count` of it. Inexact.

        dx = (opening (1 - x) - closing x) dt + sqrt((opening (1 - x) + closing x) / count) dW

    The subunit form of Fox and Lu, Phys. Rev. E 49, 3421 (1994), equation 28, popular since it
    has few states. It gives the four subunits of one potassium channel one and the same fate, and
    a power of a noisy fraction is not the fraction of open channels: the variance of the
    conductance is wrong at every number of channels (Goldwyn et al., Phys. Rev. E 83, 041908,
    2011). Take `MarkovChannel` unless it is this model that is asked for.

    **Arguments:** `channel`; `count`, the number of channels.
    """

    channel: AbstractGatedChannel
    count: Parameter = parameter(None, "1", positive=True, doc="number of channels")

    def init(self, v: Array, calcium: Array | None = None) -> PyTree[Array]:
        """Each gate at its steady state."""
        return self.channel.init(v, calcium)

    def relax(
        self, gates: PyTree[Array], v: Array, calcium: Array | None = None
    ) -> tuple[PyTree[Array], PyTree[Array]]:
        """The channel's."""
        return self.channel.relax(gates, v, calcium)

    def open_conductance(
        self, gates: PyTree[Array], v: Array, calcium: Array | None = None
    ) -> Array:
        """The channel's, mS/cm2."""
        return self.channel.open_conductance(gates, v, calcium)

    def diffusion(
        self, gates: PyTree[Array], v: Array, calcium: Array | None = None
    ) -> PyTree[Array]:
        """`sqrt((opening (1 - x) + closing x) / count)` of each gate, 1/sqrt(ms)."""
        drive, decay = self.channel.relax(gates, v, calcium)
        return jax.tree.map(
            lambda a, b, x: size_of(a * (1.0 - x) + (b - a) * x, self.count), drive, decay, gates
        )

    def spread(self, gates: PyTree[Array], kicks: PyTree[Array]) -> PyTree[Array]:
        """One source for each gate."""
        return kicks
