"""Spike times of cells without a reset, and their derivatives by the implicit function theorem."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import cells
from tripartite.analysis import crossings, spike_times

SQUID = cells.HodgkinHuxley()


@jax.jit
@jax.value_and_grad
def second(parameters):
    """The squid axon's second spike, by its current and its sodium conductance."""
    current, sodium = parameters
    cell = eqx.tree_at(lambda c: c.channels[0].conductance, SQUID, sodium)
    return crossings(cell, current, t1=20.0, max_spikes=3, rtol=1e-11, atol=1e-11).times[1]


def test_the_derivative_of_a_spike_time_is_that_of_finite_differences():
    assert SQUID.channels[0].name == "sodium"
    at = jnp.array([10.0, 120.0])
    time, slopes = second(at)
    # Read off a trace with 0.005 ms between samples: a cubic through four of them.
    trace = tp.simulate(SQUID, 10.0, t1=20.0, save_every=0.005, rtol=1e-11, atol=1e-11)
    assert float(time) == pytest.approx(spike_times(trace.ts, trace.ys["v"])[1], abs=1e-6)
    for k in range(2):
        # Steps of a thousandth and of half of that, extrapolated: an error of order h^4, 1e-12 of
        # the value, beside that of two times known to 1e-10 ms, over 2 h.
        def difference(h, k=k):
            moved = h * jnp.eye(2)[k]
            return float(second(at + moved)[0] - second(at - moved)[0]) / (2 * h)

        h = 1e-3 * float(at[k])
        expected = (4 * difference(h / 2) - difference(h)) / 3
        assert float(slopes[k]) == pytest.approx(expected, rel=1e-6)


def test_what_cannot_be_watched_says_so():
    for make, text in (
        (lambda: crossings(SQUID, t1=1.0, rearm=1.0), "rearm must not exceed threshold, got 1.0"),
        (lambda: crossings(cells.LIF(), t1=1.0), "LIF has spikes of its own, or jumps between"),
        (lambda: crossings(tp.astrocytes.LiRinzel(), t1=1.0), "LiRinzel has no port v to watch"),
    ):
        with pytest.raises(ValueError, match=text):
            make()


@pytest.mark.gate
def test_a_population_is_watched_cell_by_cell():
    cells_in = tp.networks.population(cells.HodgkinHuxley, 2, g_sodium=np.array([120.0, 100.0]))
    found = crossings(cells_in, 10.0, t1=20.0, max_spikes=8)
    for k, sodium in enumerate((120.0, 100.0)):
        alone = crossings(cells.HodgkinHuxley(g_sodium=sodium), 10.0, t1=20.0, max_spikes=8)
        for number in range(int(alone.count)):
            # Tolerances of 1e-8 on a state that rises by tens of mV/ms.
            assert float(found.nth(number, k)) == pytest.approx(float(alone.nth(number)), abs=1e-6)
