"""Solves under jit, vmap and grad, in forward and reverse mode, and the adjoint of fixed steps."""

import functools

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import oracles
import tripartite as tp
from tripartite import cells, channels
from tripartite.solvers import ClassicalRK4
from tripartite.stimuli import Sampled, Step

SQUID = cells.HodgkinHuxley()
PASSIVE = cells.ConductanceCell((channels.Leak(0.25, -60.0),), v_init=-65.0)
# The passive cell compiles faster.
BOTH = pytest.mark.parametrize(
    ("cell", "dt"), [(PASSIVE, None), (SQUID, 0.05)], ids=["adaptive", "fixed"]
)


def final(model, stimulus=10.0, *, t1=4.0, **settings):
    settings.setdefault("save_every", t1)
    return tp.simulate(model, stimulus, t1=t1, **settings).ys["v"][-1]


@BOTH
def test_jit_changes_nothing(cell, dt):
    plain = final(cell, dt=dt)
    jitted = eqx.filter_jit(functools.partial(final, dt=dt))(cell)
    # Another fusion of the same operations, grown by the action potential.
    assert float(jitted) == pytest.approx(float(plain), abs=1e-9)


@BOTH
def test_a_batch_of_stimuli_is_the_stimuli_one_by_one(cell, dt):
    currents = jnp.array([0.0, 5.0, 10.0])
    batch = eqx.filter_vmap(lambda i: final(cell, i, dt=dt))(currents)
    one_by_one = [float(final(cell, i, dt=dt)) for i in currents]
    np.testing.assert_allclose(batch, one_by_one, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dt", [None, 0.05], ids=["adaptive", "fixed"])
def test_a_batch_of_jumps(dt):
    starts = jnp.array([0.5, 1.0, 2.5])
    batch = eqx.filter_vmap(lambda start: final(PASSIVE, Step(1.0, start), dt=dt))(starts)
    # 4 ms time constant: rest at -60 from -65, and 4 mV for the current.
    exact = -60 - 5 * np.exp(-1) + 4 * -np.expm1(-(4 - np.asarray(starts)) / 4)
    np.testing.assert_allclose(batch, exact, rtol=0, atol=1e-12 if dt else 1e-4)


def test_a_sweep_over_a_parameter():
    maxima = jnp.array([100.0, 120.0, 140.0])
    population = eqx.filter_vmap(lambda g: cells.HodgkinHuxley(g_sodium=g))(maxima)
    # What varies has an axis, what is shared has none once it is told so.
    axes = jax.tree.map(lambda _: None, cells.HodgkinHuxley())
    axes = eqx.tree_at(lambda c: c.channels[0].conductance, axes, 0, is_leaf=lambda x: x is None)
    shared = eqx.tree_at(lambda c: c.channels[0].conductance, SQUID, maxima)
    first = eqx.filter_vmap(lambda cell: final(cell, dt=0.05))(population)
    second = eqx.filter_vmap(lambda cell: final(cell, dt=0.05), in_axes=(axes,))(shared)
    one_by_one = [float(final(cells.HodgkinHuxley(g_sodium=g), dt=0.05)) for g in maxima]
    np.testing.assert_allclose(first, one_by_one, rtol=0, atol=1e-9)
    np.testing.assert_allclose(second, one_by_one, rtol=0, atol=1e-9)


def test_a_batch_of_starts():
    starts = jax.vmap(lambda v: SQUID.init()._replace(v=v))(jnp.array([-70.0, -60.0]))
    batch = eqx.filter_vmap(lambda y0: final(SQUID, 0.0, dt=0.05, y0=y0))(starts)
    one = final(SQUID, 0.0, dt=0.05, y0=SQUID.init()._replace(v=jnp.asarray(-60.0)))
    assert float(batch[1]) == pytest.approx(float(one), abs=1e-9)


# v(t) = E + I/g + (v0 - E - I/g) exp(-g t / C) and its derivatives, by hand.
G, E, C, CURRENT, T = 0.25, -60.0, 1.0, 2.0, 4.0
_decay, _end = np.exp(-G * T / C), E + CURRENT / G
_gap = -65.0 - _end
BY_HAND = {
    "conductance": -CURRENT / G**2 * (1 - _decay) - T / C * _gap * _decay,
    "reversal": 1 - _decay,
    "capacitance": G * T / C**2 * _gap * _decay,
    "current": (1 - _decay) / G,
    "start": _decay,
}


@pytest.mark.parametrize(
    ("settings", "tolerance"),
    [
        # Exact steps: eighty of them, a few roundings each.
        ({"dt": 0.05}, 1e-12),
        # The derivative of its own error: (g dt / C)^4 = 2e-8, over one time constant.
        ({"dt": 0.05, "solver": ClassicalRK4()}, 1e-7),
        # The error control sees the state and not its derivatives: two digits in hand.
        ({"rtol": 1e-9, "atol": 1e-9}, 1e-6),
        ({"dt": 0.05, "adjoint": diffrax.RecursiveCheckpointAdjoint()}, 1e-12),
    ],
    ids=["symmetric", "rk4", "adaptive", "recursive"],
)
def test_gradients_in_closed_form(settings, tolerance):
    def run(parameters):
        leak = channels.Leak(parameters["conductance"], parameters["reversal"])
        cell = cells.ConductanceCell((leak,), parameters["capacitance"], parameters["start"])
        return final(cell, parameters["current"], t1=T, **settings)

    values = {"conductance": G, "reversal": E, "capacitance": C, "current": CURRENT, "start": -65.0}
    found = jax.jit(jax.grad(run))({k: jnp.asarray(v) for k, v in values.items()})
    for name, expected in BY_HAND.items():
        assert float(found[name]) == pytest.approx(expected, rel=tolerance), name


def test_the_gradient_of_an_action_potential_against_scipy():
    # Central differences of SciPy's solution: h^2 and 1e-12 / h of error.
    h, ts = 1e-3, np.array([0.0, 1.5, 3.0])
    high, low = (oracles.solve(lambda t, i=i: i, ts, rtol=1e-12)[0] for i in (10 + h, 10 - h))
    expected = (high - low) / (2 * h)

    def run(i):
        return tp.simulate(SQUID, i, t1=3.0, dt=0.0025, save_every=1.5, solver=ClassicalRK4()).ys[
            "v"
        ]

    assert abs(expected).max() > 5
    np.testing.assert_allclose(jax.jacrev(run)(10.0), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.gate
def test_fixed_steps_are_diffrax_s_own_steps():
    """Value to 1e-12 and gradient to 1e-9 of diffrax's loop, which sums up its times."""

    def run(model, adjoint):
        ts = tp.simulate(model, 10.0, t1=5.0, dt=0.05, save_every=0.5, adjoint=adjoint).ys["v"]
        return jnp.sum(jnp.sin(ts)), ts

    both = [
        eqx.filter_jit(eqx.filter_value_and_grad(run, has_aux=True))(SQUID, adjoint)
        for adjoint in (None, diffrax.RecursiveCheckpointAdjoint())
    ]
    ((_, ours), our_gradient), ((_, theirs), their_gradient) = both
    assert float(jnp.max(ours)) > 0
    np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-11)
    ours, theirs = (jnp.stack(jax.tree.leaves(g)) for g in (our_gradient, their_gradient))
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-9 * float(jnp.max(jnp.abs(theirs))))


def test_forward_mode_is_reverse_mode():
    def run(x):
        cell = cells.HodgkinHuxley(g_sodium=x[0], g_potassium=x[1])
        return final(cell, x[2], dt=0.05)

    x = jnp.array([120.0, 36.0, 10.0])
    forward, reverse = jax.jit(lambda x: (jax.jacfwd(run)(x), jax.grad(run)(x)))(x)
    assert float(jnp.min(jnp.abs(reverse))) > 0
    np.testing.assert_allclose(forward, reverse, rtol=1e-10)


def test_a_second_derivative():
    # d2v/dI2 vanishes for a passive membrane and d2v/dg2 does not: forward over reverse.
    def run(x):
        cell = cells.ConductanceCell((channels.Leak(x[0], E),), v_init=-65.0)
        return final(cell, x[1], dt=0.5, t1=T)

    hessian = jax.jit(jax.jacfwd(jax.grad(run)))(jnp.array([G, CURRENT]))
    mixed = -(1 - _decay) / G**2 + T * _decay / G
    assert float(hessian[1, 1]) == pytest.approx(0.0, abs=1e-12)
    assert float(hessian[0, 1]) == pytest.approx(mixed, rel=1e-12)
    assert float(hessian[1, 0]) == pytest.approx(mixed, rel=1e-12)


def test_a_gradient_with_respect_to_samples_and_start():
    def run(samples, y0):
        drive = Sampled(samples, 1.0, interpolation="previous")
        return final(PASSIVE, drive, dt=0.1, y0=y0)

    samples, start = jax.grad(run, argnums=(0, 1))(jnp.ones(6), PASSIVE.init())
    # Sample k acts over [k, k + 1): the exponential of what is left, integrated.
    edges = np.exp(-0.25 * (4.0 - np.arange(5.0)))
    np.testing.assert_allclose(samples[:4], 4 * np.diff(edges), rtol=1e-12)
    np.testing.assert_array_equal(samples[4:], 0.0)
    assert float(start.v) == pytest.approx(_decay, rel=1e-12)


def test_gradients_in_float32():
    cell = tp.astype(PASSIVE, jnp.float32)
    gradient = jax.grad(lambda cell, i: final(cell, i, dt=0.05), argnums=(0, 1))(cell, CURRENT)
    leak = gradient[0].channels[0]
    found = [leak.conductance, leak.reversal, gradient[0].capacitance, gradient[1]]
    names = ["conductance", "reversal", "capacitance", "current"]
    assert {x.dtype for x in found[:3]} == {jnp.dtype("float32")}
    # Eighty steps of a few roundings each of numbers ten times the derivative's size.
    expected = [BY_HAND[name] for name in names]
    np.testing.assert_allclose([float(x) for x in found], expected, rtol=80 * 10 * 2.0**-23)


def test_a_gradient_through_resets():
    """Between two spikes of an integrator, v is a smooth function of the current."""
    lif = cells.LIF()
    # The reset at 5.8 ms and 5 ms of waiting: (dt-grid of 0.1) the way up starts at 10.8 ms.
    slope = jax.jit(jax.grad(lambda i: final(lif, i, t1=14.0, dt=0.1)))(2.0)
    assert float(slope) == pytest.approx(20 * -np.expm1(-3.2 / 20), rel=1e-10)


def test_mapped_gradients():
    currents = jnp.array([6.0, 10.0])
    run = jax.grad(lambda i: final(SQUID, i, dt=0.05))
    mapped = jax.jit(jax.vmap(run))(currents)
    np.testing.assert_allclose(mapped[1], jax.jit(run)(currents[1]), rtol=1e-9)
    assert float(mapped[0]) != float(mapped[1])


def test_a_new_value_does_not_compile_again():
    traces = []

    class Traced(eqx.Module):
        def __call__(self, y):
            traces.append(None)
            return y.v

    counts = []
    for g in (100.0, 120.0, 130.0):
        cell = cells.HodgkinHuxley(g_sodium=g)
        tp.simulate(cell, g / 12, t1=0.5, dt=0.05, record=Traced())
        counts.append(len(traces))
    assert counts[0] == counts[1] == counts[2] > 0
