"""The conductance cell: a capacitance and any tuple of channels."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite import channels as ch
from tripartite.cells.base import AbstractCell
from tripartite.cells.current_noise import CurrentNoise
from tripartite.core import Parameter, Relaxation, as_membrane, parameter
from tripartite.core.arguments import require_fields


class ConductanceState(NamedTuple):
    """`v` in mV; `gates[channel][gate]`, open fractions; `calcium` in uM (`None`: no pool)."""

    v: Array
    gates: dict[str, PyTree[Array]]
    calcium: Array | None = None


class ConductanceCell(AbstractCell):
    """`C dv/dt = I - sum over channels of g_k (v - E_k)`, each g_k a product of gates.

    Hodgkin and Huxley (1952), equation 26, for any list of channels. Every state relaxes: v at
    rate (sum of g_k) / C, each gate at its own rate, which is the cell seen as leaky integrators
    with state-dependent drive and leak. With a pool, calcium is one more state, which sets the
    reversal or the gates of the channels that read it.

    **Arguments:**

    - `channels`: a tuple of channels with distinct names.
    - `capacitance`: uF/cm2 (or pF).
    - `v_init`: mV; a cell starts there with its gates at their steady state.
    - `pool`: a `channels.CalciumPool`, or `None`.
    - `noise`: a `CurrentNoise`, or `None`. The cell is noisy with it, and with any noisy channel.

    **Raises:** `ValueError` for no channel, two of one name, a capacitance that is not positive, a
    channel that reads calcium in a cell without a pool, or a pool fed by a channel that is not
    there.
    """

    channels: tuple[ch.AbstractChannel, ...]
    capacitance: Parameter = parameter(1.0, "uF/cm2", positive=True, source="Hodgkin & Huxley 1952")
    v_init: Parameter = parameter(-65.0, "mV", trainable=False)
    pool: ch.CalciumPool | None = None
    noise: CurrentNoise | None = None

    def __check_init__(self) -> None:
        if not isinstance(self.channels, tuple) or not self.channels:
            raise ValueError(
                f"channels must be a tuple of at least one channel, got {self.channels!r}: "
                "for example (channels.Leak(),)."
            )
        require_fields(self)
        names = [channel.name for channel in self.channels]
        if len(set(names)) < len(names):
            raise ValueError(f"channels must have distinct names, got {names}: rename one of them.")
        reading = [channel.name for channel in self.channels if _reads_calcium(channel)]
        if reading and self.pool is None:
            raise ValueError(
                f"the channels {reading} read calcium, but the cell has no pool: give it one, "
                "ConductanceCell(..., pool=channels.CalciumPool(...))."
            )
        missing = set(self.pool.sources if self.pool else ()) - set(names)
        if missing:
            raise ValueError(
                f"the calcium pool is fed by {sorted(missing)}, but the channels are {names}: name "
                "channels of this cell in CalciumPool(sources=...)."
            )

    def init(self) -> ConductanceState:
        """`v_init`, calcium at rest, and each gate at its steady state there."""
        calcium = None if self.pool is None else self.pool.rest
        gates = {channel.name: channel.init(self.v_init, calcium) for channel in self.channels}
        return ConductanceState(self.v_init, gates, calcium)

    def blocks(self) -> ConductanceState:
        """A fixed step takes v first (and last), the gates and calcium in between."""
        return ConductanceState(v=0, gates=1, calcium=1)  # pyright: ignore[reportArgumentType]

    def units(self) -> ConductanceState:
        """mV, pure numbers, and uM."""
        return ConductanceState("mV", "1", "uM")  # pyright: ignore[reportArgumentType]

    def voltage(self, y: ConductanceState) -> Array:
        """`v` in mV."""
        return y.v

    def conductances(self, y: ConductanceState) -> tuple[Array, ...]:
        """The conductance of each channel now (mS/cm2), in the order of `channels`."""
        return tuple(c.open_conductance(y.gates[c.name], y.v, y.calcium) for c in self.channels)

    def reversals(self, y: ConductanceState) -> tuple[Array, ...]:
        """The reversal potential of each channel now (mV), in the order of `channels`."""
        return tuple(channel.reversal_potential(y.calcium) for channel in self.channels)

    def relax_gates(
        self, y: ConductanceState
    ) -> tuple[dict[str, PyTree[Array]], dict[str, PyTree[Array]]]:
        """Drive and decay (1/ms) of every gate."""
        pairs = {c.name: c.relax(y.gates[c.name], y.v, y.calcium) for c in self.channels}
        return (
            {name: drive for name, (drive, _) in pairs.items()},
            {name: decay for name, (_, decay) in pairs.items()},
        )

    def relax_calcium(
        self, y: ConductanceState, conductances: tuple[Array, ...]
    ) -> tuple[Array | None, Array | None]:
        """Drive (uM/ms) and decay (1/ms) of the pool, given the conductances (mS/cm2)."""
        if self.pool is None:
            return None, None
        rows = zip(self.channels, conductances, self.reversals(y), strict=True)
        currents = [g * (y.v - e) for c, g, e in rows if c.name in self.pool.sources]
        return self.pool.relax(sum_of(currents) if currents else jnp.zeros_like(y.v))

    def relax(self, t: Array, y: ConductanceState, u: Any) -> Relaxation:
        """v: drive (sum of g E + I) / C, decay (sum of g) / C; the others: their own rates."""
        membrane = as_membrane(u, y.v)
        conductances = self.conductances(y)
        pull = sum_of(g * e for g, e in zip(conductances, self.reversals(y), strict=True))
        gates, calcium = self.relax_gates(y), self.relax_calcium(y, conductances)
        leak = sum_of(conductances) + membrane.conductance
        return Relaxation(
            ConductanceState((pull + membrane.current) / self.capacitance, gates[0], calcium[0]),
            ConductanceState(leak / self.capacitance, gates[1], calcium[1]),
        )

    def noisy(self) -> bool:
        """Whether a channel is, or a current."""
        return self.noise is not None or any(channel.noisy() for channel in self.channels)

    def diffusion(self, t: Array, y: ConductanceState, u: Any) -> ConductanceState:
        """The sizes of all sources: on v in mV/sqrt(ms), on each channel's gates as it says."""
        v = None if self.noise is None else jnp.sqrt(self.noise.intensity) / self.capacitance
        gates = {c.name: c.diffusion(y.gates[c.name], y.v, y.calcium) for c in self.channels}
        return ConductanceState(v, gates)  # pyright: ignore[reportArgumentType]

    def spread(self, y: ConductanceState, kicks: ConductanceState) -> ConductanceState:
        """A kick of v is itself; a channel's kicks move its gates as it says."""
        still = jax.tree.map(jnp.zeros_like, (y.v, y.calcium))
        gates = {c.name: c.spread(y.gates[c.name], kicks.gates[c.name]) for c in self.channels}
        return ConductanceState(still[0] if self.noise is None else kicks.v, gates, still[1])


def _reads_calcium(channel: ch.AbstractChannel) -> bool:
    def marked(x: Any) -> bool:
        return isinstance(x, ch.AbstractReadsCalcium)

    return any(marked(part) for part in jax.tree.leaves(channel, is_leaf=marked))


def sum_of(terms: Any) -> Array:
    """The sum of a non-empty sequence of arrays, without starting from an integer zero."""
    total, *rest = terms
    for term in rest:
        total = total + term
    return total
