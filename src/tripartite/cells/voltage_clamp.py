"""One channel at a held voltage."""

from typing import Any

from jaxtyping import Array, PyTree

from tripartite import channels as ch
from tripartite.core import AbstractRelaxation, Parameter, Relaxation, parameter


class VoltageClamp(AbstractRelaxation):
    """The gates of one channel at a voltage that is commanded: `v = holding + u`.

    The stimulus is the command, in mV above `holding`, where the gates start at rest: a step of 45
    from -65 mV is `tp.simulate(VoltageClamp(channel), 45.0, t1=20.0)`. A noisy channel makes the
    clamp noisy.

    **Arguments:** `channel`, one that reads no calcium; `holding` in mV.

    **Raises:** `ValueError`, when started, if the channel reads calcium.
    """

    channel: ch.AbstractChannel
    holding: Parameter = parameter(-65.0, "mV")

    def init(self) -> PyTree[Array]:
        """The gates after long at `holding`."""
        return self.channel.init(self.holding)

    def units(self) -> str:
        """Pure numbers."""
        return "1"

    def input_units(self) -> str:
        """mV."""
        return "mV"

    def voltage(self, u: Any) -> Array:
        """The voltage at a command `u`, mV."""
        return self.holding if u is None else self.holding + u

    def ports(self, y: PyTree[Array]) -> dict[str, PyTree[Array]]:
        """`{"gates": gates}`."""
        return {"gates": y}

    def relax(self, t: Array, y: PyTree[Array], u: Any) -> Relaxation:
        """The channel's own, at the commanded voltage."""
        return Relaxation(*self.channel.relax(y, self.voltage(u)))

    def noisy(self) -> bool:
        """Whether the channel is."""
        return self.channel.noisy()

    def diffusion(self, t: Array, y: PyTree[Array], u: Any) -> PyTree[Array]:
        """The channel's own, at the commanded voltage."""
        return self.channel.diffusion(y, self.voltage(u))

    def spread(self, y: PyTree[Array], kicks: PyTree[Array]) -> PyTree[Array]:
        """The channel's own."""
        return self.channel.spread(y, kicks)
