"""Delays: arrival times, an independent loop, gradients, resuming, and what is refused."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from network_models import clocked, leaky, solve
from tripartite import cells, networks, synapses

DT = 0.1


def pair(delay, **more):
    """A cell that is driven, and one that hears it through a receptor that hardly decays."""
    synapse = synapses.Exponential(0.01, decay=1e9)
    p = networks.Projection("a", "b", synapse, networks.one_to_one(1), delay=delay, **more)
    return networks.Network({"a": leaky(1), "b": leaky(1)}, [p])


RECORD = {"a.spike": 0, "a->b.g": 0}


@pytest.mark.parametrize("delay", [0.1, 0.3, 1.0, 2.5])
def test_a_spike_arrives_after_its_delay(delay):
    found = solve(pair(delay), {"a": 3.0}, 20.0, DT, RECORD)
    fired = np.flatnonzero(found["a.spike"])
    arrived = np.flatnonzero(np.diff(found["a->b.g"]) > 0.005) + 1
    assert len(fired) > 1
    expected = fired + round(delay / DT)
    np.testing.assert_array_equal(arrived, expected[expected <= 200])


def test_between_steps_a_spike_arrives_in_shares():
    found = solve(pair(np.array([0.37])), {"a": 3.0}, 20.0, DT, RECORD)
    first = np.flatnonzero(found["a.spike"])[0]
    rise = np.diff(found["a->b.g"])[first + 1 : first + 5]
    np.testing.assert_allclose(rise, [0.0, 0.003, 0.007, 0.0], atol=1e-10)


@pytest.mark.parametrize("delays", ["one", "each"])
def test_delayed_spikes_against_numpy(key, delays):
    """60 cells, 80 ms: the same spikes on the same steps."""
    n, t1 = 60, 80.0
    rest = np.random.default_rng(1).uniform(-52.0, -47.0, n)
    edges = networks.bernoulli(n, n, 0.1, key=key)
    steps = 7.3 if delays == "one" else np.random.default_rng(2).uniform(1.0, 40.0, len(edges))
    matrices = {lag: np.zeros((n, n)) for lag in range(43)}
    whole = np.broadcast_to(np.floor(steps).astype(int), len(edges))
    share = np.broadcast_to(steps - np.floor(steps), len(edges))
    for e, (i, j) in enumerate(zip(edges.pre, edges.post, strict=True)):
        matrices[whole[e]][j, i] += 0.02 * (1.0 - share[e])
        matrices[whole[e] + 1][j, i] += 0.02 * share[e]
    p = networks.Projection("e", "e", synapses.Exponential(0.02), edges, delay=DT * steps)
    network = networks.Network({"e": leaky(n, rest=rest)}, [p])
    found = solve(network, {"e": 0.3}, t1, DT, {"e.spike": None})["e.spike"][1:] > 0.5
    expected = clocked(rest, [(matrices, 0.0, 5.0)], t1, DT, 0.3)
    np.testing.assert_array_equal(found, expected)
    # The control: a step more, and the raster is another.
    later = {lag + 1: matrix for lag, matrix in matrices.items()}
    assert np.any(expected != clocked(rest, [(later, 0.0, 5.0)], t1, DT, 0.3))


def graded(delay):
    """Two passive cells; the second hears the first's voltage through a sigmoid, later."""
    # At rest, and with no transmitter there: exp(-56).
    passive = cells.ConductanceCell((tp.channels.Leak(),), v_init=-54.387)
    synapse = eqx.tree_at(lambda s: s.release.slope, synapses.ampa(0.5), jnp.asarray(1.0))
    p = networks.Projection("a", "b", synapse, networks.one_to_one(2), delay=delay, max_delay=3.0)
    parts = {name: networks.population(passive, 2) for name in "ab"}
    return networks.Network(parts, [p])


WAVE = tp.stimuli.Sampled(60.0 * jnp.sin(jnp.linspace(0.0, 20.0, 401)) ** 2, 0.05, 0.0, "cubic")


def heard(delay, **options):
    return tp.simulate(graded(delay), {"a": WAVE}, dt=DT, record={"b.v": None}, **options)


def test_a_voltage_is_heard_later():
    """The cell that hears with a longer delay does what the other did before."""
    v = heard(jnp.asarray([0.5, 1.7]), t1=20.0).ys["b.v"]
    # Rounding, while linear interpolation is the same for both: each delay is whole steps.
    np.testing.assert_allclose(v[12:, 1], v[:-12, 0], atol=1e-9)
    assert np.ptp(v[:, 0]) > 5.0


def test_delays_are_differentiable():
    """Off the whole steps, where the interpolation has a corner."""

    def end(delay, adjoint="by steps"):
        return heard(delay, t1=8.0, adjoint=adjoint).ys["b.v"][-1]

    # Both cells at once: each depends on its own delay alone.
    delay, h = jnp.asarray([0.53, 1.78]), 1e-4
    run = jax.jit(end)
    found = jax.grad(lambda delay: jnp.sum(end(delay)))(delay)
    expected = (run(delay + h) - run(delay - h)) / (2 * h)
    assert np.abs(expected).min() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    nested = jax.grad(lambda delay: jnp.sum(end(delay, "nested")))(delay)
    np.testing.assert_allclose(nested, found, rtol=1e-10)


def test_the_derivative_of_a_spikes_arrival():
    """Receptor at t1: g exp(delay / tau), so its slope is g / tau, to first order in dt / tau.

    The straight line between the two shares differs from the exponential's slope by dt / (2 tau).
    """

    def end(delay):
        p = networks.Projection(
            "a", "b", synapses.Exponential(0.1), networks.one_to_one(1), delay=delay, max_delay=2.0
        )
        network = networks.Network({"a": leaky(1), "b": leaky(1)}, [p])
        stimulus = {"a": tp.stimuli.Step(30.0, start=1.0, stop=1.5)}
        return tp.simulate(network, stimulus, t1=10.0, dt=DT, record={"a->b.g": 0}).ys["a->b.g"][-1]

    g, slope = jax.value_and_grad(end)(jnp.asarray(1.05))
    np.testing.assert_allclose(slope, g / 5.0, rtol=0.5 * DT / 5.0)
    assert g > 0.01


def test_a_solve_goes_on_where_it_stopped():
    """The line and its clock are part of the state."""
    delay = jnp.asarray([0.53, 1.78])
    whole = heard(delay, t1=6.0)
    half = heard(delay, t1=3.0)
    rest = heard(delay, y0=half.stats["y1"], t0=3.0, t1=6.0)
    np.testing.assert_allclose(rest.ys["b.v"], whole.ys["b.v"][30:], rtol=1e-12)


@pytest.mark.gate
def test_delays_in_float32():
    with jax.enable_x64(False):
        network = tp.astype(pair(0.35), jnp.float32)
        found = tp.simulate(network, {"a": 3.0}, t1=20.0, dt=DT, record={"a->b.g": 0})
    assert found.ys["a->b.g"].dtype == jnp.float32
    expected = solve(pair(0.35), {"a": 3.0}, 20.0, DT, RECORD)["a->b.g"]
    np.testing.assert_allclose(found.ys["a->b.g"], expected, atol=1e-6)


def test_what_is_refused():
    with pytest.raises(ValueError, match=r"'a->b' has a delay, .*at_step\(dt\)"):
        pair(1.0).init()
    with pytest.raises(ValueError, match=r"projection 'a->b' .* pass dt="):
        tp.simulate(pair(1.0), t1=1.0)
    with pytest.raises(ValueError, match=r"a delay of 0.05 ms is shorter than a step of dt = 0.1"):
        tp.simulate(pair(0.05), t1=1.0, dt=DT)
    with pytest.raises(ValueError, match=r"delay must not be negative, got -1.0: a spike cannot"):
        pair(-1.0)
    with pytest.raises(ValueError, match=r"a delay of 5.0 ms is beyond max_delay = 2.0 ms"):
        pair(5.0, max_delay=2.0)
    longer = eqx.tree_at(lambda n: n.projections["a->b"].delay, pair(1.0), jnp.asarray(9.0))
    with pytest.raises(ValueError, match=r"a delay of 9.0 ms is beyond max_delay = 1.25 ms"):
        tp.simulate(longer, t1=1.0, dt=DT)

    @eqx.filter_jit
    def traced(delay):
        return tp.simulate(graded(delay), t1=1.0, dt=DT).ys

    with pytest.raises(eqx.EquinoxRuntimeError, match="a delay is shorter than a step"):
        traced(jnp.asarray(0.01))
    with pytest.raises(ValueError, match="a traced delay needs max_delay="):
        eqx.filter_jit(pair)(jnp.asarray(0.5))
