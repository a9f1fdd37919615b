"""Spikes of equal number told apart by their times, and what makes the input.

Integrate-and-fire cells, the squid axon and its four integrators; spike sources and current
synapses.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import brentq

import tripartite as tp
from tripartite import cells, networks, synapses

DT, T1 = 0.02, 120.0
TAU, DECAY, WEIGHT = 20.0, 5.0, 0.3
UNIFORM = np.linspace(2.0, 98.0, 5)
EARLY, LATE = np.linspace(1.0, 19.0, 5), np.linspace(81.0, 99.0, 5)
# Filled up with a time after the end.
THREE = [[40.0, 45.0, 50.0, 1e9, 1e9], [10.0, 50.0, 90.0, 1e9, 1e9], [10.0, 15.0, 90.0, 1e9, 1e9]]
TRAINS = np.array([UNIFORM, UNIFORM, EARLY, LATE, *THREE])
# Two patterns of two inputs; three of one; and the single trains, read out below any threshold.
PAIRS = networks.Edges(np.array([0, 1, 2, 3]), np.array([0, 0, 1, 1]))
WIRES = networks.Edges(
    np.array([0, 1, 2, 3, 4, 5, 6, 0, 2, 3]), np.array([0, 0, 1, 1, 2, 3, 4, 5, 6, 7])
)
THRESHOLDS = np.array([0.7, 0.7, 0.5, 0.5, 0.5, 1e9, 1e9, 1e9])
# For the axon: the jump of the current at a spike, uA/cm2. Its membrane forgets within some ms: a
# spike counts by its height, hardly by its charge. From 1.8 uA/cm2 on two at once fire it, from 3.2
# one alone as well, and up to 5.6 what follows 4.5 ms later finds it refractory: this is between.
JUMP = 4.4


@functools.cache
def responses():
    """All of it in one network: the times (ms), and what is recorded."""
    squid = cells.HodgkinHuxley()
    leaky = networks.population(
        cells.LIF, 8, rest=0.0, reset=0.0, threshold=THRESHOLDS, refractory=0.1
    )
    jump = synapses.ExponentialCurrent(WEIGHT / DECAY, decay=DECAY)
    strong = synapses.ExponentialCurrent(JUMP, decay=DECAY)
    network = networks.Network(
        {
            "in": networks.population(cells.SpikeSource, 7, times=TRAINS),
            "lif": leaky,
            "axon": networks.population(squid, 2),
            "four": networks.population(cells.TVLIF(squid), 2),
        },
        [
            networks.Projection("in", "lif", jump, WIRES),
            networks.Projection("in", "axon", strong, PAIRS),
            networks.Projection("in", "four", strong, PAIRS),
        ],
    )
    names = ("in.spike", "lif.v", "lif.spike", "axon.v", "four.v")
    found = tp.simulate(network, t1=T1, dt=DT, record=dict.fromkeys(names))
    return np.asarray(found.ts), {name: np.asarray(x) for name, x in found.ys.items()}


def potential(t, times):
    """Of a leaky cell (per unit weight) that currents of unit charge charge, without threshold."""
    d = np.maximum(t - np.asarray(times), 0.0)
    return TAU / (TAU - DECAY) * np.sum(np.exp(-d / TAU) - np.exp(-d / DECAY))


@pytest.mark.gate
def test_the_read_out_weighs_late_spikes():
    """Closed form, per unit weight, and the numbers of three digits that go with it."""
    ts, ys = responses()
    found = ys["lif.v"][np.argmin(np.abs(ts - 100.0)), 5:] / WEIGHT
    expected = [potential(100.0, times) for times in (UNIFORM, EARLY, LATE)]
    # The sweep takes the mean of the current at both ends of a step: (dt / decay)^2 / 12 too much.
    np.testing.assert_allclose(found, expected, rtol=(DT / DECAY) ** 2 / 6)
    np.testing.assert_allclose(found, [0.8210, 0.0779, 2.4321], atol=1e-4)


def test_lif_tells_early_and_late_from_uniform():
    """0 spikes against 2, at the times of the closed form, up to the grid of steps."""
    ts, ys = responses()
    uniform, early_late, *three = (ts[np.flatnonzero(s)] for s in ys["lif.spike"].T[:5])
    assert uniform.size == 0 and early_late.size == 2
    np.testing.assert_allclose(early_late, [19.4, 99.2], atol=0.05)
    times = np.concatenate([EARLY, LATE])
    first = brentq(lambda t: WEIGHT * potential(t, times) - 0.7, 15.0, 22.0)
    # After the reset the current stays, and what v was when it may move again decays away.
    go = early_late[0] + 0.1
    left = potential(go, times)

    def after(t):
        return WEIGHT * (potential(t, times) - left * np.exp(-(t - go) / TAU)) - 0.7

    second = brentq(after, 96.0, 101.0)
    late = early_late - np.array([first, second])
    # The method's error in v is 1e-6, at a slope of 0.03 per ms.
    assert np.all(late > -1e-4) and np.all(late < DT + 1e-4)
    peak = max(WEIGHT * potential(t, np.tile(UNIFORM, 2)) for t in np.arange(98.0, 120.0, 0.01))
    assert ys["lif.v"][:, 0].max() == pytest.approx(peak, rel=1e-5) and round(peak, 3) == 0.606
    assert [x.size for x in three] == [1, 0, 0]
    np.testing.assert_allclose(ys["lif.v"][:, 3:5].max(axis=0), [0.229, 0.367], atol=5e-4)


def test_the_axon_and_its_four_integrators_fire_together():
    """The theorem, under synaptic input: equal up to rounding.

    It is 2e-14 mV a step, which a spike multiplies by some thousands and the rest after it damps.
    """
    ts, ys = responses()
    assert np.abs(ys["axon.v"] - ys["four.v"]).max() < 1e-9
    axon, four = (tp.analysis.spike_times(ts, ys[name]) for name in ("axon.v", "four.v"))
    for ours, theirs in zip(axon, four, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-9)
    # It tells them apart the other way round: each of the five pairs of spikes is answered within
    # some ms, and of the early and of the late train the first spike alone.
    uniform, early_late = axon
    for answers, causes in ((uniform, UNIFORM), (early_late, [EARLY[0], LATE[0]])):
        assert len(answers) == len(causes)
        assert np.all((answers > causes) & (answers < np.asarray(causes) + 4.5))


def test_sources_fire_on_their_steps():
    ts, ys = responses()
    for spikes, times in zip(ys["in.spike"].T, TRAINS, strict=True):
        fired = ts[np.flatnonzero(spikes)]
        np.testing.assert_allclose(fired, times[times < T1], atol=1e-9)
        assert set(spikes) == {0.0, 1.0}


def counts(times, dtype=jnp.float64, t1=3.0, **options):
    source = tp.astype(cells.SpikeSource(times), dtype)
    return tp.simulate(source, t1=t1, dt=0.1, **options)


def test_between_the_steps_a_source_fires_at_the_end():
    """At 0.33 by 0.4 ms; twice within one step; not at 0, which is past; not after the end."""
    times = [2.0, 0.33, 1.02, 1.07, 0.0, 1e9]
    expected = np.zeros(31)
    expected[[4, 11, 20]] = 1.0, 2.0, 1.0
    np.testing.assert_array_equal(counts(times).ys["spike"], expected)
    half = counts(times, jnp.float32, t1=1.0)
    rest = counts(times, jnp.float32, t0=1.0, y0=half.stats["y1"]).ys["spike"]
    assert rest.dtype == jnp.float32
    np.testing.assert_array_equal(np.append(half.ys["spike"], rest[1:]), expected)
    # A solve that begins later has missed what came before it.
    later = counts([0.5, 1.0, 1.5, 1e9, 1e9, 1e9], jnp.float32, t0=1.0).ys["spike"]
    np.testing.assert_array_equal(np.flatnonzero(later), [5])


def test_a_time_on_the_grid_belongs_to_its_step_whatever_its_rounding():
    """The step's end may be one rounding short of the time, or past it, late in a long solve."""
    time = np.float32(5601.4)
    source = tp.astype(cells.SpikeSource([float(time)]), jnp.float32)
    for end in (np.nextafter(time, np.float32(0)), time, np.nextafter(time, np.float32(1e4))):
        y, fired = source.init(), []
        for t in (end - np.float32(0.7), end, end + np.float32(0.7)):
            begun = y._replace(elapsed=jnp.asarray(0.7, jnp.float32))
            y = source.jump(jnp.asarray(t), y, begun, None)
            fired.append(float(y.spike))
        assert fired == [0.0, 1.0, 0.0]


@pytest.mark.slow
def test_new_parts_conform():
    tp.testing.check(cells.SpikeSource([1.0, 2.0])).assert_ok()
    u = tp.core.Cleft(*(jnp.asarray(x) for x in (-20.0, -50.0, 1.0, 0.5, 1.0, 0.02, 0.03)))
    tp.testing.check(synapses.ExponentialCurrent(-0.3), u).assert_ok()


def test_a_current_synapse_jumps_and_decays():
    """Two of them at once, and the derivatives, under jit and vmap."""
    train = synapses.spike_train([3.0, 8.0], t1=20.0, dt=0.1, v_post=-50.0)

    def total(numbers):
        model = synapses.ExponentialCurrent(numbers[0], decay=numbers[1])
        found = tp.simulate(model, train, t1=20.0, dt=0.1).ys["current"]
        return jnp.sum(found), found

    numbers = jnp.asarray([[-0.7, 4.0], [1.4, 2.0]])
    slopes, found = jax.jit(jax.vmap(jax.grad(total, has_aux=True)))(numbers)
    since = 0.1 * np.arange(201)[:, None] - np.array([3.0, 8.0])
    for (weight, decay), slope, current in zip(numbers, slopes, found, strict=True):
        # Times on the grid are rounded sums.
        each = np.where(since > -1e-9, np.exp(-since / decay), 0.0)
        np.testing.assert_allclose(current, weight * each.sum(axis=1), rtol=1e-12)
        by_decay = weight * np.sum(each * since) / decay**2
        np.testing.assert_allclose(slope, [each.sum(), by_decay], rtol=1e-10)


def wired(synapse, sign=None):
    p = networks.Projection("in", "lif", synapse, networks.one_to_one(1), sign=sign)
    parts = {"in": cells.SpikeSource([1.0]), "lif": networks.population(cells.LIF, 1)}
    return networks.Network(parts, [p])


def test_currents_under_other_synapses_and_dale_s_law():
    """A depressing terminal or a plastic weight hands on its receptor's current."""
    current = synapses.ExponentialCurrent(0.5)
    y = current.init()._replace(current=jnp.asarray(0.2))
    terminal = synapses.TsodyksMarkram(current)
    wrapped = (
        (terminal, terminal.init()._replace(receptor=y), 0.2),
        (
            synapses.TripartiteSynapse(terminal),
            synapses.TripartiteSynapse(terminal)
            .init()
            ._replace(terminal=terminal.init()._replace(receptor=y)),
            0.2,
        ),
        (
            synapses.PlasticSynapse(current, synapses.PairSTDP(), initial=3.0),
            synapses.PlasticSynapse(current, synapses.PairSTDP(), initial=3.0)
            .init()
            ._replace(synapse=y),
            0.6,
        ),
    )
    for model, state, expected in wrapped:
        found = model.membrane(state, jnp.asarray(-60.0))
        assert float(found.current) == pytest.approx(expected) and float(found.conductance) == 0.0
    wired(current, "excitatory")
    wired(synapses.ExponentialCurrent(-0.5), "inhibitory")
    for synapse in (
        synapses.ExponentialCurrent(-0.5),
        synapses.TsodyksMarkram(synapses.ExponentialCurrent(-0.5)),
    ):
        with pytest.raises(ValueError, match=r"is excitatory, with a reversal of -inf mV on cells"):
            wired(synapse, "excitatory")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cells.SpikeSource(3.0), r"times must be a list of times, got 3\.0: for one spike"),
        (lambda: cells.SpikeSource([1.0, np.nan]), r"SpikeSource\.times must be finite, got"),
        (
            lambda: synapses.ExponentialCurrent(decay=0.0),
            r"ExponentialCurrent\.decay must be positive, got 0",
        ),
        (lambda: synapses.ExponentialCurrent(np.inf), r"ExponentialCurrent\.weight must be finite"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
