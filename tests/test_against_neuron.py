"""Agreement with NEURON, frozen and where it is installed: the squid axon, and a ring of three."""

import subprocess
import sys
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import networks

HERE = Path(__file__).parent
SCRIPT = HERE / "peers" / "neuron_hh.py"
FROZEN = HERE / "data" / "neuron_hh.npz"
RING_SCRIPT = HERE / "peers" / "neuron_ring.py"
RING = HERE / "data" / "neuron_ring.npz"
# NEURON's second-order method is off by 0.0037 ms in spike time at dt 0.0125 ms and falls as dt^2:
# 2.4e-5 ms at 0.001 ms, times the slope on a spike's flank, 300 mV/ms, is 0.007 mV.
BOUND = 0.01


def read(path):
    with np.load(path, allow_pickle=False) as stored:
        return stored["ts"], stored["v"]


def trace(ts, **parameters):
    """Our cell at NEURON's times, to a tolerance far below the bound."""
    solution = tp.simulate(
        tp.cells.HodgkinHuxley(**parameters),
        tp.stimuli.Step(10.0, start=5.0),
        t1=60.0,
        rtol=1e-9,
        atol=1e-9,
        save_every=0.0025,
    )
    return np.interp(ts, np.asarray(solution.ts), np.asarray(solution.ys["v"]))


def test_neuron_s_squid_axon():
    ts, theirs = read(FROZEN)
    assert np.max(theirs) > 30.0  # it spikes
    assert np.max(np.abs(trace(ts, e_leak=-54.3) - theirs)) < BOUND


def test_the_comparison_tells_our_own_leak_reversal_from_neuron_s():
    ts, theirs = read(FROZEN)
    assert np.max(np.abs(trace(ts) - theirs)) > 100 * BOUND


DT = 0.0025


@eqx.filter_jit
def ring(delays):
    """Three squid axons, each exciting the next: the voltages, `[T, 3]`, every 0.02 ms."""
    following = networks.Edges(np.array([0, 1, 2]), np.array([1, 2, 0]))
    receptor = tp.synapses.Exponential(0.6, decay=2.0, reversal=0.0)
    p = networks.Projection("axons", "axons", receptor, following, delay=delays, max_delay=8.5)
    axons = networks.population(tp.cells.HodgkinHuxley, 3, e_leak=-54.3)
    network = networks.Network({"axons": axons}, [p])
    pulse = tp.stimuli.Step(jnp.asarray([20.0, 0.0, 0.0]), start=2.0, stop=3.0)
    record = {"axons.v": None}
    found = tp.simulate(network, {"axons": pulse}, t1=60.0, dt=DT, save_every=0.02, record=record)
    return found.ts, found.ys["axons.v"]


def fired(delays):
    """The spikes of the ring in order: their times, and who fired."""
    times = tp.analysis.spike_times(*ring(jnp.asarray(delays)))
    cell = np.repeat(np.arange(3), [len(x) for x in times])
    order = np.argsort(np.concatenate(times))
    return np.concatenate(times)[order], cell[order]


def test_neuron_s_ring_of_three_axons():
    """Spike times. Both sides: a crossing of 0 mV, a delay, a conductance that jumps and decays.

    Here a spike leaves at the end of the step in which it was fired, up to dt late, and is heard
    by the next cell that much later: spike k (from 0) is late by 0 to k dt. The steps' own error,
    which falls as dt^2, is some 1e-4 ms at dt 0.0025 ms (0.0037 ms at 0.0125 for the squid axon),
    once for each spike. NEURON's variable steps are good to 1e-5 ms.
    """
    with np.load(RING, allow_pickle=False) as stored:
        theirs, who = stored["times"], stored["cell"]
    times, cell = fired([5.0, 6.5, 8.0])
    np.testing.assert_array_equal(cell, who)
    passed = np.arange(len(theirs))
    late = times - theirs
    assert np.all(late > -1e-4 * (passed + 1)) and np.all(late < passed * (DT + 1e-4) + 1e-4)
    assert np.abs(late).max() < 0.05
    # The control: one delay of 0.1 ms more, which is passed twice.
    times, _ = fired([5.0, 6.5, 8.1])
    assert np.abs(times - theirs).max() > 0.05


def test_the_frozen_ring_is_what_neuron_computes(tmp_path):
    pytest.importorskip("neuron", reason="NEURON is not installed (the peers extra)")
    fresh = tmp_path / "neuron_ring.npz"
    subprocess.run([sys.executable, RING_SCRIPT, fresh], check=True, capture_output=True)
    with np.load(fresh, allow_pickle=False) as new, np.load(RING, allow_pickle=False) as stored:
        np.testing.assert_array_equal(new["cell"], stored["cell"])
        # Its times at tolerances of 1e-9 and 1e-10 differ by 8e-6 ms; another release or processor
        # takes other steps.
        np.testing.assert_allclose(new["times"], stored["times"], atol=1e-4)


def test_the_frozen_trace_is_what_neuron_computes(tmp_path):
    pytest.importorskip("neuron", reason="NEURON is not installed (the peers extra)")
    fresh = tmp_path / "neuron_hh.npz"
    subprocess.run([sys.executable, SCRIPT, fresh], check=True, capture_output=True)
    ts, v = read(fresh)
    stored_ts, stored_v = read(FROZEN)
    np.testing.assert_allclose(ts, stored_ts, atol=1e-12)
    # Another release or processor may round otherwise; a spike amplifies that some 100 times.
    np.testing.assert_allclose(v, stored_v, atol=1e-6)
