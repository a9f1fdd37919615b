"""Rung 4: mutations, each of which must break the rung it names."""

import functools
from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from tripartite import cells, solvers
from tripartite.proofs.certificate import Claim
from tripartite.proofs.hodgkin_huxley.algebra import field_gap
from tripartite.proofs.hodgkin_huxley.setting import gaps, round_off_bound


def claims() -> Iterator[Claim]:
    """The released order of updates, a channel dropped, a true reset."""
    released = functools.cache(released_gap)
    yield Claim(
        "released code's early update of f: |dv|, dt 0.001 ms, I = 40, 40 ms, less 0.107 (mV)",
        "negative control",
        0.02,
        "0.107 +/- 0.02 mV, computed independently with NumPy; breaks the trajectory rung by 1e8",
        lambda: jnp.abs(released(0.001) - 0.107),
        note=lambda: f"|dv| is {float(released(0.001)):.4f} mV.",
    )
    yield Claim(
        "that gap halves with dt: |gap(0.001)/gap(0.0005) - 2|",
        "negative control",
        0.1,
        "an error of ordering is first order in dt, where round-off is not",
        lambda: jnp.abs(released(0.001) / released(0.0005) - 2.0),
    )
    yield Claim(
        "the same loop with the old f: |dv|, dt 0.001 ms (mV)",
        "negative control",
        round_off_bound(),
        "round-off: the order of updates is all that was wrong",
        lambda: released_gap(0.001, early=False),
    )
    yield Claim(
        "potassium unit dropped: the fields differ (algebra rung)",
        "negative control",
        1e-3,
        "g_K E_K / C is missing: of the order of the field itself",
        lambda: field_gap(cells.HodgkinHuxley(), _without_potassium()),
        above=True,
        float64_only=False,
    )
    yield Claim(
        "potassium unit dropped: |dv| (mV)",
        "negative control",
        1.0,
        "without it the voltage loses tens of mV at rest already",
        lambda: _gap(_without_potassium()),
        above=True,
    )
    yield Claim(
        "true reset from -40 to -70 mV: |dv| (mV)",
        "negative control",
        10.0,
        "a spike's height is about 95 mV, which the reset cuts off",
        lambda: _gap(cells.true_reset(cells.four_lif())),
        above=True,
    )


def _gap(other: cells.AbstractCell) -> Array:
    return gaps((cells.HodgkinHuxley(), other), dt=0.01, solver=solvers.ClassicalRK4())[0]


def _without_potassium() -> cells.TVLIF:
    """The share form whose potassium unit receives nothing (its reversal is zero)."""
    return eqx.tree_at(lambda x: x.cell.channels[1].reversal, cells.four_lif(), jnp.zeros(()))


def released_gap(dt: float, *, early: bool = True) -> Array:
    """|v of the units - v of the cell| in the released loop (forward Euler), its own read-out.

    The released MATLAB loop moves f first and then uses the moved f in the fourth unit; its
    read-out adds the new f to the old fourth unit. `early=False` uses the old f and a synchronous
    read-out.
    """
    cell = cells.HodgkinHuxley(v_init=-70.0)
    units = cells.DerivativeTVLIF(cell)
    start = units.init()
    truth = cell.init()
    current, t = jnp.asarray(40.0), jnp.asarray(0.0)

    def step(carry: tuple, _: None) -> tuple[tuple, Array]:
        y, x = carry
        y = y._replace(gates=x.gates)
        slope = units.vector_field(t, y, current)
        f = y.synapse + dt * slope.synapse
        moved = units.vector_field(t, y._replace(synapse=f), current) if early else slope
        new = cells.DerivativeState(
            jax.tree.map(lambda a, b: a + dt * b, y.channels, slope.channels),
            f,
            y.total + dt * moved.total,
            y.gates,
        )
        d = cell.vector_field(t, x, current)
        after = jax.tree.map(lambda a, b: a + dt * b, x, d)
        gap = f + y.total - x.v if early else units.voltage(new) - after.v
        return (new, after), jnp.abs(gap)

    steps = round(40.0 / dt)
    run = eqx.filter_jit(lambda carry: jax.lax.scan(step, carry, None, length=steps)[1])
    return jnp.max(run((start, truth)))
