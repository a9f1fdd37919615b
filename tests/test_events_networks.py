"""Located spikes in a network: they arrive when they are fired."""

import re

import equinox as eqx
import jax
import numpy as np
import pytest

import tripartite as tp
from tripartite import cells, networks, synapses

EARLY, LATE = np.linspace(1.0, 19.0, 5), np.linspace(81.0, 99.0, 5)


def timing_network(times, weight=0.3):
    """Two sources onto one leaky cell: tau 20 ms, current synapses of 5 ms, threshold 0.7."""
    cell = cells.LIF(
        capacitance=20.0, leak=1.0, rest=0.0, reset=0.0, threshold=0.7, refractory=1e-3
    )
    source = networks.population(cells.SpikeSource, 2, times=times)
    synapse = synapses.ExponentialCurrent(weight=weight * 20.0 / 5.0, decay=5.0)
    edges = networks.Edges(np.array([0, 1]), np.array([0, 0]))
    return networks.Network(
        {"in": source, "out": cell}, [networks.Projection("in", "out", synapse, edges)]
    )


@eqx.filter_jit
def listen(times, slopes=False):
    def first(times):
        solution = tp.simulate(
            timing_network(times), t1=100.0, save_every=1.0, max_spikes=32, rtol=1e-10, atol=1e-10,
            record={"v": lambda y: y.populations["out"].v},
        )  # fmt: skip
        return solution.stats["spikes"].first(2), (solution.stats["spikes"], solution.ys["v"])

    return jax.value_and_grad(first, has_aux=True)(times) if slopes else first(times)


def kernel(since):
    """20 / (20 - 5) of a difference of exponentials, 0 before the spike; and its derivative."""
    slow, fast = np.exp(-since / 20.0), np.exp(-since / 5.0)
    on = since > 0
    return on * (slow - fast) * 4 / 3, on * (fast / 5.0 - slow / 20.0) * 4 / 3


def test_spikes_of_a_network_arrive_when_they_are_fired():
    # Same count, other times: two early and late trains fire the cell twice, two even ones never.
    even = np.linspace(2.0, 98.0, 5)
    _, (spikes, v) = listen(np.stack([even, even]))
    at = np.arange(101.0)
    silent = 2 * 0.3 * kernel(np.subtract.outer(at, even))[0].sum(axis=1)
    assert len(spikes.of("out")[0]) == 0
    # Steps may err by 1e-10 each; there are some hundred.
    assert np.abs(np.asarray(v)[:, 0] - silent).max() < 1e-7
    assert np.max(silent) == pytest.approx(0.606, abs=0.01)  # the highest of whole milliseconds

    _, (spikes, _) = listen(np.stack([EARLY, LATE]))
    times, who = spikes.of("out")
    assert times == pytest.approx([19.4, 99.2], abs=0.1) and who.tolist() == [0, 0]
    assert np.array_equal(np.sort(np.concatenate([EARLY, LATE])), spikes.of("in")[0])
    assert 0.3 * kernel(times[0] - EARLY)[0].sum() == pytest.approx(0.7, abs=1e-7)


@pytest.mark.slow
def test_spikes_that_arrive_pass_on_the_derivative_of_their_time():
    (first, _), slopes = listen(np.stack([EARLY, LATE]), slopes=True)
    # The implicit function theorem: a spike moved by d moves the sum by -kernel' d.
    slope = kernel(float(first) - EARLY)[1]
    assert np.asarray(slopes)[0] == pytest.approx(slope / slope.sum(), abs=1e-6)
    assert np.all(np.asarray(slopes)[1] == 0.0)


def test_what_needs_a_step_is_named():
    edge = networks.Edges(np.array([0]), np.array([0]))
    pair = {"a": cells.LIF(), "b": cells.HodgkinHuxley()}

    def solve(synapse, **settings):
        projection = networks.Projection("a", "b", synapse, edge, **settings)
        tp.simulate(networks.Network(pair, [projection]), t1=5.0)

    def heard(cell):
        projection = networks.Projection("a", "b", synapses.Exponential(), edge)
        tp.simulate(networks.Network({"a": cell, "b": cells.LIF()}, [projection]), t1=5.0)

    for call, text in (
        (
            lambda: heard(cells.true_reset(cells.four_lif())),
            "population 'a' (a reset that is not what its targets hear) jumps between steps",
        ),
        (lambda: solve(synapses.Exponential(), delay=1.0), "projection 'a->b' (a delay) jumps"),
        (
            lambda: solve(synapses.ampa(pulsed=True)),
            "projection 'a->b' (PulsedSynapse) jumps between steps (a reset or a clock) and needs "
            "a fixed step: pass dt=",
        ),
        (
            lambda: solve(synapses.TsodyksMarkram(synapses.ampa(pulsed=True))),
            "projection 'a->b' (PulsedSynapse) jumps",
        ),
        (
            lambda: solve(synapses.TsodyksMarkram(synapses.Exponential())),
            "projection 'a->b' (terminals that share receptors) jumps",
        ),
    ):
        with pytest.raises(ValueError, match=re.escape(text)):
            call()


@pytest.mark.slow
def test_cells_that_hear_each_other_agree_with_short_steps():
    # Each kind of cell with a spike: a leaky one, a conductance cell that is heard to cross, and
    # integrators that are reset, for themselves; heard by conductances of one state, and of one
    # for each edge.
    edge = networks.Edges(np.array([0]), np.array([0]))
    parts = {
        "lif": cells.LIF(rest=-45.0, reset=-65.0),
        "hh": cells.HodgkinHuxley(),
        "reset": cells.true_reset(cells.four_lif()),
        "late": networks.population(
            cells.HodgkinHuxley(), 1, crossing=networks.Refractory(threshold=-10.0)
        ),
    }
    decaying = synapses.Exponential(weight=0.3, decay=5.0)
    plastic = networks.population(synapses.TsodyksMarkram(decaying), 1)
    net = networks.Network(
        parts,
        [
            networks.Projection("lif", "hh", decaying, edge),
            networks.Projection("hh", "late", plastic, edge),
            networks.Projection("late", "lif", decaying, edge),
        ],
    )
    drive = {"reset": 10.0, "hh": 5.0, "late": 5.0}
    located = tp.simulate(net, drive, t1=40.0, save_every=40.0, max_spikes=64).stats["spikes"]
    dt = 0.005
    names = ("lif", "hh", "reset", "late")

    def stepped(y):
        v = {name: net.voltage(name, y.populations) for name in names}
        return v | {"fired": y.populations["lif"].spike, "armed": y.armed}

    solution = tp.simulate(net, drive, t1=40.0, dt=dt, record=stepped, save_every=dt)
    ts = np.asarray(solution.ts)
    expected = {"lif": ts[np.asarray(solution.ys["fired"])[:, 0] > 0]}
    for name in ("hh", "late"):
        threshold = {"hh": 0.0, "late": -10.0}[name]
        expected[name] = tp.analysis.spike_times(
            ts, solution.ys[name], threshold=threshold, rearm=-30.0
        )[0]
    for name, times in expected.items():
        found = located.of(name)[0]
        assert len(found) == len(times) > 1
        # Each spike of the steps waits for the end of its own, and passes its delay on.
        assert np.abs(found - times).max() < 10 * dt
    # A reset is a fall of 30 mV in one step. What it leaves of the gates is sensitive to when in
    # the upstroke it comes, so that only the first can be compared in time.
    v = np.asarray(solution.ys["reset"])[:, 0]
    falls, resets = ts[1:][np.diff(v) < -20.0], located.of("reset")[0]
    assert len(falls) == len(resets) > 2
    assert abs(falls[0] - resets[0]) < 2 * dt
