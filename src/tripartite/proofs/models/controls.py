"""Negative controls: a mistake that somebody has made, planted, moves its number far."""

from collections.abc import Iterator

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from tripartite import astrocytes, synapses
from tripartite.proofs.certificate import Claim
from tripartite.proofs.models import numbers, rests, trajectories, wiring
from tripartite.proofs.models.synapses import chapter_terminal, fractions, gap, ten_points


def other_leak() -> Array:
    """The squid axon's rest with the leak of another simulator, -54.3 mV."""
    cell, y, u = rests.squid()
    leak = next(i for i, channel in enumerate(cell.channels) if channel.name == "leak")
    cell = eqx.tree_at(lambda c: c.channels[leak].reversal, cell, jnp.asarray(-54.3))
    return rests.distance(cell, y, u)


def other_store() -> Array:
    """The store of another version of NEST: C_ER = C_T + (C_T - C) / rho, a total of C_T (1 + rho).

    Written in that form, dC/dt has C_T (1 + rho) in the place of C_T.
    """
    cell, y, u = rests.RESTS["Li-Rinzel at 0.16 uM of IP3"]()
    total = cell.store.total * (1.0 + cell.store.ratio)
    return rests.distance(eqx.tree_at(lambda c: c.store.total, cell, total), y, u)


def other_exponent() -> Array:
    """Glutamate's Hill exponent as 1 instead of 0.7."""
    cell, y, u = rests.RESTS["ChI, AM, under 5 uM of glutamate"]()
    return rests.distance(eqx.tree_at(lambda c: c.order, cell, jnp.asarray(1.0)), y, u)


def source_at_zero() -> Array:
    """A source of IP3 at level zero, which is a sink, in the place of none."""
    _, y, u = rests.RESTS["G-ChI without a source of IP3"]()
    return rests.distance(astrocytes.StimbergFigure3(0.0), y, u)


def rates_exchanged() -> Array:
    """Recovery and forgetting exchanged."""
    terminal = chapter_terminal()
    both = (terminal.forgetting, terminal.recovery)
    return fractions(eqx.tree_at(lambda t: (t.recovery, t.forgetting), terminal, both))


def pairs_alone() -> Array:
    """The triplet's amplitude given to pairs: no dependence on frequency of that kind."""
    rule = synapses.TripletSTDP(pair_potentiation=6.5e-3, triplet_potentiation=0.0)
    return gap(ten_points(rule))


PLANTED = (
    (
        "control: E_L = -54.3 mV moves the squid axon's rest, mV",
        0.01,
        "0.087 mV of reversal with a leak of 0.3 in a conductance at rest of about 1 mS/cm2",
        other_leak,
    ),
    (
        "control: C_ER of another version of NEST moves the Li-Rinzel cell's rest, uM",
        1e-3,
        "0.37 uM more in the store add 0.06 uM/s, at rates of about 1 /s",
        other_store,
    ),
    (
        "control: a Hill exponent of 1 moves the ChI cell's rest, uM",
        1e-3,
        "glutamate is near its half, where the exponent matters least: what is made changes by "
        "a hundredth",
        other_exponent,
    ),
    (
        "control: a source of IP3 at level zero is not none, uM",
        0.1,
        "it draws F_ex = 2 uM/s from a cell that rests near 1 uM",
        source_at_zero,
    ),
    (
        "control: glutamate in mM taken for uM leaves figure 2 without its maximum, uM",
        0.5,
        "half the maximum",
        lambda: numbers.FIGURE_2[1] - trajectories.figure_2(0.5)[1],
    ),
    (
        "control: recovery and forgetting exchanged, in released fractions",
        0.01,
        "after 50 ms they differ by exp(-0.1) - exp(-0.17), times what was released",
        rates_exchanged,
    ),
    (
        "control: a pair rule in the place of the triplets, at ten frequency points",
        0.3,
        "it cannot potentiate where post comes before pre",
        pairs_alone,
    ),
    (
        "control: with weights the network is not its cells, mV",
        0.1,
        "a spike of 0.05 mS/cm2 moves a cell of that leak by millivolts",
        lambda: wiring.against_separate_cells(1.0),
    ),
    (
        "control: a delay one step longer, ms",
        0.5 * wiring.STEP,
        "half a step",
        lambda: wiring.arrival(wiring.DELAY + wiring.STEP),
    ),
)


def claims() -> Iterator[Claim]:
    """One for each kind of number."""
    for name, floor, why, measure in PLANTED:
        yield Claim(name, "negative control", floor, why, measure, above=True, float64_only=False)
