"""A finite number of channels, each a Markov chain, in the diffusion limit."""

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tripartite.channels.channel import AbstractGatedChannel
from tripartite.channels.noisy import AbstractNoisyChannel, rates_of, size_of
from tripartite.core import Parameter, parameter


class MarkovState(NamedTuple):
    """`gates`: the open fractions expected of infinitely many channels, as without noise.

    `deviation`: by how much the fraction of channels in each state but the first differs from what
    is expected; the first state, all shut, makes the sum zero.
    """

    gates: dict[str, Array]
    deviation: Float[Array, " states-1"]


class _Pair(NamedTuple):
    """Two states that differ by one subunit, and the rates from one to the other (1/ms)."""

    shut: int
    open: int
    opening: Array
    closing: Array


class MarkovChannel(AbstractNoisyChannel):
    """`count` channels, as the fraction x of them in each state of their Markov chain.

    A state is a number of open subunits of each gate: a channel with `m^3 h` has 4 x 2 of them, one
    with `n^4` has 5, and only the one with all open conducts. Between two states that differ by one
    subunit,

        dx_open = -dx_shut = (r x_shut - s x_open) dt + sqrt((r x_shut + s x_open) / count) dW

    with r = (shut subunits) opening, s = (open subunits) closing and one independent source of
    noise for each such pair (10 and 4 of them): Orio and Soudry, PLoS ONE 7, e36670 (2012). The
    noise's matrix, a sum over pairs, is that of Fox and Lu, Phys. Rev. E 49, 3421 (1994), for
    channel states; so is the law, without the root of a matrix.

    The drift is linear, and products of gates solve it (subunits are independent). What is solved
    are thus the gates, as without noise, and the deviation from their products: the same equation,
    and with many channels the same numbers as the channel without noise.

    Mean and covariance at a given voltage are those of the chain for any number of channels, as
    long as no root of a negative number is taken. Where less than about one channel is expected in
    a state its fraction may fall below zero, by some 1/count; a negative flux counts as zero, the
    mean stays exact, and the variance grows by the noise cut off.

    **Arguments:**

    - `channel`: a channel whose gates are `Gate`, `RelaxingGate` or `CalciumGate`.
    - `count`: the number of channels in the patch that the cell is.

    **Raises:** `ValueError` for any other channel, or a count that is not positive.
    """

    channel: AbstractGatedChannel
    count: Parameter = parameter(None, "1", positive=True, doc="number of channels")

    @property
    def states(self) -> tuple[tuple[int, ...], ...]:
        """The number of open subunits of each gate, by name, in every state; the last conducts."""
        return tuple(itertools.product(*(range(g.power + 1) for g in self.subunits().values())))

    def init(self, v: Array, calcium: Array | None = None) -> MarkovState:
        """Each gate at its steady state, and every fraction as expected."""
        gates = self.channel.init(v, calcium)
        return MarkovState(gates, jnp.stack([jnp.zeros_like(v)] * (len(self.states) - 1)))

    def expected(self, gates: dict[str, Array]) -> Float[Array, " states"]:
        """The fraction of channels in each state, were there infinitely many of them."""

        def binomial(x: Array, n: int, k: int) -> Array:
            return math.comb(n, k) * x**k * (1.0 - x) ** (n - k)

        rows = [(gates[name], gate.power) for name, gate in self.subunits().items()]
        return jnp.stack(
            [
                math.prod(
                    (binomial(x, n, k) for (x, n), k in zip(rows, state, strict=True)),
                    start=jnp.ones_like(rows[0][0]),
                )
                for state in self.states
            ]
        )

    def fractions(self, gates: MarkovState) -> Float[Array, " states"]:
        """The fraction of channels in each state, in the order of `states`."""
        return self.expected(gates.gates) + jnp.stack(_complete(gates.deviation))

    def relax(
        self, gates: MarkovState, v: Array, calcium: Array | None = None
    ) -> tuple[MarkovState, MarkovState]:
        """Drive and decay (1/ms) of the gates and of the deviations."""
        x = _complete(gates.deviation)
        drive, decay = [jnp.zeros_like(x[0])] * len(x), [jnp.zeros_like(x[0])] * len(x)
        for shut, up, opening, closing in self._pairs(v, calcium):
            drive[shut] = drive[shut] + closing * x[up]
            decay[shut] = decay[shut] + opening
            drive[up] = drive[up] + opening * x[shut]
            decay[up] = decay[up] + closing
            if shut == 0:
                # The first state is what the others leave: of that, a state's own part is decay.
                drive[up] = drive[up] + opening * x[up]
                decay[up] = decay[up] + opening
        expected = self.channel.relax(gates.gates, v, calcium)
        return (
            MarkovState(expected[0], jnp.stack(drive[1:])),
            MarkovState(expected[1], jnp.stack(decay[1:])),
        )

    def diffusion(
        self, gates: MarkovState, v: Array, calcium: Array | None = None
    ) -> Float[Array, " pairs"]:
        """`sqrt((r x_shut + s x_open) / count)` of each pair, 1/sqrt(ms)."""
        x = self.fractions(gates)
        flux = [p.opening * x[p.shut] + p.closing * x[p.open] for p in self._pairs(v, calcium)]
        return size_of(jnp.stack(flux), self.count)

    def spread(self, gates: MarkovState, kicks: Float[Array, " pairs"]) -> MarkovState:
        """Each kick moves channels from one state to another: their number is kept."""
        change = [jnp.zeros_like(kicks[0])] * len(self.states)
        for (shut, up, *_), kick in zip(self._ways(), kicks, strict=True):
            change[shut] = change[shut] - kick
            change[up] = change[up] + kick
        still = jax.tree.map(jnp.zeros_like, gates.gates)
        return MarkovState(still, jnp.stack(change[1:]))

    def open_conductance(self, gates: MarkovState, v: Array, calcium: Array | None = None) -> Array:
        """That of the gates, and that of a wide open channel times the last deviation (mS/cm2)."""
        wide = jax.tree.map(jnp.ones_like, gates.gates)
        expected, largest = (
            self.channel.open_conductance(x, v, calcium) for x in (gates.gates, wide)
        )
        return expected + largest * gates.deviation[-1]

    def _ways(self) -> Iterator[tuple[int, int, str, int, int]]:
        """For each pair: its states, the gate that moves, and its shut and its open subunits."""
        index = {state: i for i, state in enumerate(self.states)}
        for state, i in index.items():
            for position, (name, gate) in enumerate(self.subunits().items()):
                k = state[position]
                if k < gate.power:
                    up = (*state[:position], k + 1, *state[position + 1 :])
                    yield i, index[up], name, gate.power - k, k + 1

    def _pairs(self, v: Array, calcium: Array | None) -> list[_Pair]:
        rates = {name: rates_of(gate, v, calcium) for name, gate in self.subunits().items()}
        return [
            _Pair(i, j, shut * rates[name][0], open_ * rates[name][1])
            for i, j, name, shut, open_ in self._ways()
        ]


def _complete(deviation: Array) -> list[Array]:
    """The deviation of every state: that of the first makes the sum zero."""
    return [-jnp.sum(deviation, axis=-1), *deviation]
