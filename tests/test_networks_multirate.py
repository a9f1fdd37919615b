"""Astrocytes with a step of their own, on the fixed steps of a network."""

import functools
import re

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import astrocytes, cells, networks, synapses
from tripartite.core import Parameter, Relaxation, parameter
from tripartite.networks.glia import glia_of

# A third of the default's work for the compiler.
CHEAP = tp.solvers.SequentialExponential(midpoint=False)


class Reservoir(astrocytes.AbstractAstrocyte):
    """`dc/dt = gain * glutamate - c / tau`: of all astrocytes that are read, the least to compile.

    Calcium, and gliotransmitter equal to it.
    """

    gain: Parameter = parameter(0.005, "1/ms")
    tau: Parameter = parameter(150.0, "ms")

    def init(self):
        return jnp.zeros_like(self.tau)

    def calcium(self, y):
        return y

    def ip3(self, y):
        return y

    def gliotransmitter(self, y):
        return y

    def ports(self, y):
        return {"calcium": y}

    def relax(self, t, y, u):
        return Relaxation(self.gain * u.glutamate, 1.0 / self.tau)


def small(step, **more):
    """A passive cell whose synapse onto itself an astrocyte first hears and then silences."""
    spikes = synapses.SmoothSpikes(0.2, threshold=-20.0, slope=8.0)
    terminal = synapses.MeanFieldTsodyksMarkram(synapses.Exponential(0.5), trigger=spikes)
    synapse = synapses.SmoothTripartiteSynapse(terminal, effect=0.05, binding=0.001)
    edges, worn = networks.Edges([0], [0]), networks.Ensheathed("a", [0])
    parts = {"n": cells.ConductanceCell((tp.channels.Leak(),)), "a": Reservoir()}
    itself = networks.Projection("n", "n", synapse, edges, astrocytes=worn)
    return networks.Network(parts, [itself], astrocyte_step=step, **more)


READ = {"a.calcium": 0, "n->n.bound": 0, "n->n.transmitter": 0}


def solve(network, t1=400.0, y0=None, begin=0.0, **more):
    """Under a current that rises; `begin` (ms) of it are over."""
    current = tp.stimuli.Ramp(0.04, initial=0.04 * begin)
    return tp.simulate(
        network, {"n": current}, t1=t1, dt=0.5, y0=y0, save_every=80.0, record=READ,
        solver=CHEAP, **more,
    )  # fmt: skip


@eqx.filter_jit
def solved(network, t1=400.0, y0=None, begin=0.0):
    solution = solve(network, t1, y0, begin)
    return solution.ys, solution.stats["y1"], solution.stats["plan"]


@functools.cache
def found(step):
    return solved(small(step))


def largest(one, other):
    return {name: float(np.max(np.abs(one[name] - other[name]))) for name in one}


def test_the_error_falls_with_the_square_of_the_step():
    """Both ways coupled: what is heard, what it does to the synapse, and what that releases."""
    (every, _, _), (fine, _, _), (coarse, _, plan) = found(None), found(8.0), found(16.0)
    assert str(plan).splitlines()[1].endswith("; 'a' every 16 ms")
    near, far = largest(fine, every), largest(coarse, every)
    for name in READ:
        assert 1.8 < np.log2(far[name] / near[name]) < 2.2, name
    # The astrocyte matters: Gamma_S goes from 0 to 1, and the transmitter falls by half after it.
    assert every["n->n.bound"][-1] > 0.99
    assert every["n->n.transmitter"][-1] < 0.5 * every["n->n.transmitter"].max()


@pytest.mark.gate
def test_two_solves_are_one():
    """In the middle of a window: its mean so far is part of the state."""
    whole, end, _ = found(16.0)
    network = small(16.0)
    _, half, _ = solved(network, 200.0, network.at_step(0.5).init())
    assert float(half.windows.elapsed) == 200.0 % 16.0
    second, last, _ = solved(network, 200.0, half, 200.0)
    for name in READ:
        # Some thousand roundings: the time, and with it the current, is counted in two ways.
        np.testing.assert_allclose(second[name][-1], whole[name][-1], rtol=1e-11)
    last, end = (y._replace(windows=y.windows._replace(now=jnp.zeros(()))) for y in (last, end))
    for x, y in zip(jax.tree.leaves(last), jax.tree.leaves(end), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-11, atol=1e-12)


def with_gain(gain, adjoint=None, step=16.0):
    network = eqx.tree_at(lambda n: n.populations["a"].unit.gain, small(step), gain)
    return jnp.mean(solve(network, adjoint=adjoint).ys["n->n.transmitter"])


def test_the_gradient_is_that_of_the_split_solve():
    slope = jax.jit(jax.value_and_grad(functools.partial(with_gain, adjoint="by steps")))
    at, h = 0.005, 1e-6
    (above, _), (below, _) = slope(jnp.asarray(at + h)), slope(jnp.asarray(at - h))
    # Of the difference: h^2 / (6 gain^2) = 7e-9, and rounding of 1e-16 * 800 / h = 1e-8.
    np.testing.assert_allclose(slope(jnp.asarray(at))[1], (above - below) / (2 * h), rtol=1e-6)


def test_spikes_arrive_at_their_mean_time():
    """Against the exact IP3 of NEST's cell: decay towards rest, a jump at each arrival."""
    cell = astrocytes.NESTAstrocyte(jump_size=0.1)
    glia = glia_of(networks.Network({"a": networks.population(cell, 2)}), "a")
    own, ages = glia.part.init(), np.array([2.0, 3.5, 8.0])
    weights = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.5]])
    heard = glia.silent(own, read=False)
    heard = heard._replace(spikes=jnp.asarray(weights.sum(1)), moments=jnp.asarray(weights @ ages))
    elapsed = jnp.asarray(10.0)
    y, _ = eqx.filter_jit(glia.closed)(own, heard, elapsed, elapsed)
    # It starts at rest. Off by (age (10 - age) / 2 tau^2), some 3e-7 of a jump.
    exact = 0.16 + 0.1 * weights @ np.exp(-(10.0 - ages) / 7142.0)
    np.testing.assert_allclose(y.ip3, exact, rtol=1e-6)


# Choice and errors: nothing is solved


def crowd(step="auto", n=60, make=cells.LIF):
    parts = {"n": networks.population(make, n), "a": networks.population(Reservoir, 40)}
    return networks.Network(parts, astrocyte_step=step)


def test_the_library_chooses():
    def chosen(network, dt):
        steps = network.at_step(dt).astrocyte_steps
        return None if steps is None else steps.step

    assert chosen(crowd(), 0.05) == 10.0
    assert chosen(crowd(), 0.03) == pytest.approx(9.99)
    # Too few units, no step, steps as long, no cells, and by request.
    assert chosen(crowd(n=59), 0.05) is None
    assert chosen(crowd(), None) is None
    assert chosen(crowd(make=lambda: cells.LIF(refractory=10.0)), 10.0) is None
    glia = networks.Network({"a": networks.population(Reservoir, 100)})
    assert chosen(glia, 0.05) is None
    assert chosen(crowd(None), 0.05) is None
    assert chosen(crowd(25.0, n=1), 0.1) == 25.0
    # A network that has begun can begin again.
    assert chosen(crowd().at_step(0.05), None) is None
    assert crowd().at_step(0.05).jumping()[1] == "population 'a' (steps of its own)"


REFUSED = {
    "no multiple": (lambda: crowd(0.33).at_step(0.1), "astrocyte_step = 0.33 ms must be a whole "
        "number of steps of dt = 0.1 ms: take 0.3 ms, or another dt."),
    "below dt": (lambda: crowd(0.04).at_step(0.1), "take 0.1 ms, or another dt."),
    "adaptive": (lambda: crowd(10.0).at_step(None), "astrocyte_step = 10 ms is for fixed steps: "
        "pass dt=, or make the network with astrocyte_step=None for one adaptive solve."),
    "negative": (lambda: crowd(-1.0), "astrocyte_step must be positive, got -1.0 ms"),
    "infinite": (lambda: crowd(np.inf), "astrocyte_step must be a finite number in ms, got inf"),
    "a word": (lambda: crowd("slow"), 'astrocyte_step must be a number of ms, None or "auto", '
        "got 'slow'."),
    "no astrocytes": (lambda: networks.Network({"n": cells.LIF()}, astrocyte_step=10.0),
        "astrocyte_step = 10.0 ms is the step of astrocytes, and the network has none: leave it "
        "out; its populations are 'n'."),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bad_input_is_told(name):
    act, words = REFUSED[name]
    with pytest.raises(ValueError, match=re.escape(words)):
        act()


def test_long_steps_are_warned_of():
    words = "astrocytes take steps of 60 ms: above 50 ms their error"
    with pytest.warns(UserWarning, match=words):
        crowd(60.0).at_step(0.1)
    crowd(50.0).at_step(0.1)


# Longer


def spiking(step, *, n=4, rate=0.02):
    """Squid axons in a ring, and one G-ChI astrocyte around their synapses."""
    spikes = synapses.SmoothSpikes(rate, threshold=0.0, slope=8.0)
    terminal = synapses.MeanFieldTsodyksMarkram(synapses.Exponential(0.5), trigger=spikes)
    synapse = synapses.SmoothTripartiteSynapse(terminal, effect=0.1)
    cell = astrocytes.GChI(calcium_init=0.1, h_init=0.9, ip3_init=0.4)
    glia = astrocytes.SmoothRelease(cell, width=0.05)
    edges = networks.Edges(np.arange(n), (np.arange(n) + 1) % n)
    worn = networks.Ensheathed("a", np.zeros(n, int))
    ring = networks.Projection("n", "n", synapse, edges, weight=0.1, astrocytes=worn)
    parts = {"n": networks.population(cells.HodgkinHuxley, n), "a": glia}
    return networks.Network(parts, [ring], astrocyte_step=step)


SPIKING = {"a.calcium": 0, "a.gliotransmitter": 0, "n->n.bound": 0, "n->n.transmitter": None}


@eqx.filter_jit
def spiked(network, t1=3000.0, **more):
    stimulus = {"n": jnp.linspace(8.0, 14.0, 4)}
    return tp.simulate(network, stimulus, t1=t1, save_every=40.0, record=SPIKING, **more)


@functools.cache
def neurons_and_glia(step):
    return spiked(spiking(step), dt=0.05).ys


@pytest.mark.slow
def test_order_two_from_5_to_40_ms():
    """G-ChI among four squid axons for 3 s: a wave of calcium, which turns their release down."""
    every = neurons_and_glia(None)
    steps = (5.0, 10.0, 20.0, 40.0)
    errors = [largest(neurons_and_glia(step), every)["a.calcium"] for step in steps]
    orders = np.diff(np.log2(errors))
    assert np.all(np.abs(orders - 2.0) < 0.2), (errors, orders)
    # At 10 ms a thousandth of the wave.
    assert errors[1] < 2e-3 * np.ptp(every["a.calcium"])
    assert np.ptp(every["a.calcium"]) > 1.0 and every["n->n.bound"].max() > 0.8


@pytest.mark.slow
def test_the_step_of_the_neurons_is_the_plain_solve():
    """`astrocyte_step=dt` differs from none by the order of the sweeps alone, of second order."""
    apart = largest(neurons_and_glia(0.05), neurons_and_glia(None))
    assert apart["a.calcium"] < 1e-6


@pytest.mark.slow
def test_it_agrees_with_one_adaptive_solve():
    """Steps of 0.1 ms for the neurons and 5 ms for the astrocyte cost about the same."""
    exact = spiked(spiking(None), rtol=1e-9, atol=1e-9).ys
    plain, apart = (
        largest(spiked(spiking(step), dt=0.1).ys, exact)["a.calcium"] for step in (None, 5.0)
    )
    # Of second order in dt: 0.1 ms over the time constant of the fastest gate, 0.1 to 0.5 ms,
    # moves spikes by some ms in 3 s, and what they release by some thousandths.
    assert plain < 5e-4
    assert apart < 2.0 * plain


@pytest.mark.slow
def test_an_adaptive_gradient_through_spikes_is_wrong_where_its_value_is_right():
    """G-ChI with one squid axon for 1 s: calcium at the end, by the current into the axon."""

    @functools.partial(jax.jit, static_argnums=1)
    def calcium(current, tolerance):
        return tp.simulate(
            spiking(None, n=1), {"n": current}, t1=1000.0, save_every=1000.0, max_steps=32_768,
            rtol=tolerance, atol=tolerance, record={"a.calcium": 0},
        ).ys["a.calcium"][-1]  # fmt: skip

    at, h = jnp.asarray(10.0), 1e-3
    (loose, wrong), (tight, right) = (
        jax.value_and_grad(calcium)(at, tolerance) for tolerance in (1e-5, 1e-7)
    )
    difference = (calcium(at + h, 1e-9) - calcium(at - h, 1e-9)) / (2 * h)
    # Of the value, all but the steps' tolerance is right, and of the gradient a twentieth wrong.
    assert abs(loose / tight - 1.0) < 1e-6
    assert abs(wrong / difference - 1.0) > 0.03
    assert abs(right / difference - 1.0) < 0.005


@pytest.mark.slow
def test_both_precisions():
    double, _, _ = found(16.0)
    with jax.enable_x64(False):
        ys = solve(tp.astype(small(16.0), jnp.float32)).ys
    for name in READ:
        assert ys[name].dtype == jnp.float32
        # 800 steps of relative error 6e-8, some of them amplified ten times.
        np.testing.assert_allclose(ys[name], double[name], rtol=5e-4, atol=1e-4)


@pytest.mark.slow
def test_vmap_takes_the_step_only_when_it_is_due():
    gains = jnp.asarray([0.002, 0.005])
    together = jax.jit(jax.vmap(with_gain))(gains)
    for i in range(2):
        np.testing.assert_allclose(together[i], with_gain(gains[i]), rtol=1e-10)
    # Batched with the model, the branch would be computed at every step.
    assert " cond[" in str(jax.make_jaxpr(jax.vmap(with_gain))(gains))


@pytest.mark.slow
@pytest.mark.parametrize("adjoint", ["nested", "linearised"])
def test_gradients_agree(adjoint):
    at = jnp.asarray(0.005)
    slope = jax.jit(jax.grad(functools.partial(with_gain, adjoint=adjoint)))(at)
    by_steps = jax.jit(jax.grad(functools.partial(with_gain, adjoint="by steps")))(at)
    _, forward = jax.jvp(with_gain, (at,), (jnp.ones(()),))
    np.testing.assert_allclose([slope, forward], by_steps, rtol=1e-8)


def clocked(step, glia, **more):
    """Integrate-and-fire cells and squid axons, delays, and astrocytes of any kind."""
    edges = networks.fixed_fan_in(4, 3, 2, key=jax.random.key(0))
    worn = networks.ensheathe(edges, "a", 2, key=jax.random.key(1))
    terminal = synapses.TsodyksMarkram(synapses.Exponential(0.3))
    parts = {
        "l": networks.population(cells.LIF, 4, rest=np.linspace(-52.0, -45.0, 4)),
        "h": networks.population(cells.HodgkinHuxley, 3),
        "a": networks.population(glia, 2),
    }
    there = networks.Projection(
        "l", "h", synapses.TripartiteSynapse(terminal), edges, delay=2.3, astrocytes=worn
    )
    back = networks.Projection(
        "h", "l", synapses.Exponential(0.02), networks.all_to_all(3, 4), delay=1.0
    )
    return networks.Network(parts, [there, back], astrocyte_step=step, **more)


@eqx.filter_jit
def ticked(network, key=None, t1=600.0):
    read = {"a.calcium": None, "l.spike": None}
    if isinstance(network.populations["a"].unit, astrocytes.GliotransmitterRelease):
        read["a.gliotransmitter"] = None
        read["held"] = lambda y: y.populations["a"].transmitter
    return tp.simulate(network, t1=t1, dt=0.1, key=key, record=read).ys


@pytest.mark.slow
def test_a_jump_of_gliotransmitter_waits_for_the_end_of_the_window():
    """Delays, resets and crossings in the same network; a release late by a step at most."""
    cell = astrocytes.GChI(calcium_init=0.4, ip3_init=1.0)
    glia = astrocytes.GliotransmitterRelease(cell)
    every, apart = (ticked(clocked(step, glia)) for step in (None, 10.0))
    assert every["l.spike"].sum() > 50
    for unit in range(2):
        first, shown, heard = (
            np.flatnonzero(np.diff(x[:, unit]) > 1.0)[0] + 1
            for x in (every["held"], apart["a.gliotransmitter"], apart["held"])
        )
        # A record shows a release as if its window ended there: off by the error of calcium,
        # 0.001 uM, over its slope, 0.002 uM/ms, twice that allowed.
        assert abs(shown - first) <= 10
        assert heard % 100 == 0 and 0 <= heard - shown < 100
    # The rest of calcium's path hears of it through the release of the synapses only.
    np.testing.assert_allclose(apart["a.calcium"], every["a.calcium"], atol=0.02)


@pytest.mark.slow
def test_noise_is_the_same_path():
    """One key draws one Brownian path: the split solve follows it, to the root of its step."""
    glia = astrocytes.StochasticGate(astrocytes.GChI(calcium_init=0.3, ip3_init=0.6))
    key = jax.random.key(3)
    every, apart = (ticked(clocked(step, glia), key)["a.calcium"] for step in (None, 10.0))
    other = ticked(clocked(10.0, glia), jax.random.key(4))["a.calcium"]
    spread = np.abs(other - apart).max()
    assert spread > 0.01
    assert np.abs(apart - every).max() < 0.2 * spread
