"""Gradients of every astrocyte in every parameter, in both modes, against differences."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import tripartite as tp
from tripartite import astrocytes as ast
from tripartite.solvers import AllAtOnceExponential, ClassicalRK4

SLOW = pytest.mark.slow


def ring_of_three():
    start = jnp.array([1.0, 0.2, 0.4])
    network = ast.AstrocyteNetwork(ast.DePittaFM(), ast.ThresholdCoupling(), ast.ring(3), 3)
    return network, network.init()._replace(ip3=start)


def alone(model):
    return model, model.init()


def figure_2():
    # Not from IP3 equal to the source's level: there the printed flux jumps, by 6e-6 of its most.
    model = ast.StimbergFigure2()
    return model, model.init()._replace(ip3=jnp.asarray(0.05))


# The model and its start, its input, and how long it is solved (ms).
CASES = {
    "GChI": pytest.param(figure_2, 5.0, 1500.0, marks=SLOW),
    "smooth release": (
        lambda: alone(ast.SmoothRelease(ast.StimbergFigure3(1.25))), 1.0, 1200.0
    ),
    "LiRinzel": pytest.param(lambda: alone(ast.LiRinzel()), 0.5, 1500.0, marks=SLOW),
    "ChI": pytest.param(lambda: alone(ast.DePittaAM()), 2.5, 1500.0, marks=SLOW),
    "Handy": pytest.param(lambda: alone(ast.Handy()), 0.3, 1500.0, marks=SLOW),
    "Ullah": pytest.param(lambda: alone(ast.Ullah()), 1e-3, 1500.0, marks=SLOW),
    "NEST": pytest.param(
        lambda: alone(ast.NESTAstrocyte(jump_size=1.0)),
        ast.drive(spikes=ast.SpikeArrivals([100.0], 10.0)), 1500.0, marks=SLOW,
    ),
    "ring": pytest.param(ring_of_three, 0.5, 1500.0, marks=SLOW),
    # With its noise held, and not near 0 or 1, where h is clipped.
    "stochastic": pytest.param(
        lambda: alone(ast.StochasticGate(ast.LiRinzel())), 0.5, 1500.0, marks=SLOW
    ),
    # Its release is at 1.06 s, between two steps as it must be: held there.
    "release": pytest.param(
        lambda: alone(ast.GliotransmitterRelease(ast.StimbergFigure3(1.25))), None, 1200.0,
        marks=SLOW,
    ),
    "uptake": pytest.param(
        lambda: alone(ast.GlutamateUptake(transport=0.5, glutamate_init=90.0)), 1.0, 100.0,
        marks=SLOW,
    ),
    "clearance": pytest.param(lambda: alone(ast.PotassiumClearance()), 20.0, 1500.0, marks=SLOW),
}  # fmt: skip


@pytest.mark.parametrize(("make", "u", "t1"), CASES.values(), ids=CASES)
def test_gradients(make, u, t1):
    model, start = make()
    key = jax.random.key(0) if model.noisy() else None
    moving, fixed = eqx.partition(model, eqx.is_inexact_array)
    values, rebuild = ravel_pytree(moving)
    scale = jnp.where(values == 0.0, 1e-3, jnp.abs(values))
    weights = jnp.cos(jnp.arange(ravel_pytree(start)[0].size, dtype=values.dtype))

    def observed(shares):
        """All states, mixed and averaged over the solve, as each parameter changes by a share."""
        changed = eqx.combine(rebuild(values + shares * scale), fixed)
        # One evaluation of the rates in a step: the model is under test here, not the solver.
        relaxes = isinstance(changed, tp.core.AbstractRelaxation)
        solver = AllAtOnceExponential() if relaxes else ClassicalRK4()
        run = functools.partial(tp.simulate, changed, u, t1=t1, dt=10.0, solver=solver, key=key)
        ys = run(y0=start, record=lambda y: ravel_pytree(y)[0]).ys
        return jnp.mean(ys @ weights)

    @jax.jit
    def everything(zero):
        h, steps = 1e-4, jnp.eye(values.size)
        shifts = h * jnp.array([1.0, -1.0, 2.0, -2.0])
        a, b, c, d = jax.vmap(jax.vmap(observed))(shifts[:, None, None] * steps[None])
        # The fourth order: errors of h^4, and of round-off, some 1e-14 / h.
        differences = (8 * (a - b) - (c - d)) / (12 * h)
        return jax.grad(observed)(zero), jax.jacfwd(observed)(zero), differences

    reverse, forward, differences = map(np.asarray, everything(jnp.zeros_like(values)))
    largest = np.max(np.abs(forward))
    assert largest > 1e-3
    np.testing.assert_allclose(forward, differences, rtol=0, atol=1e-5 * largest)
    np.testing.assert_allclose(forward, reverse, rtol=0, atol=1e-8 * largest)
    # Every parameter but those that hold no derivative here moves something.
    assert np.mean(np.abs(forward) > 1e-9 * largest) > 0.5


def drive_of(spikes=0.0):
    given = ast.AstrocyteDrive(0.7, 2e-4, 0.1, spikes)
    return ast.AstrocyteDrive(*map(jnp.asarray, given))


# Those of which no solve is differentiated by default, at their start moved by some tenths.
RATES = {
    "Handy": (ast.Handy, jnp.asarray(0.3)),
    "Ullah": (ast.Ullah, drive_of()),
    "NEST": (ast.NESTAstrocyte, drive_of()),
    "stochastic": (lambda: ast.StochasticGate(ast.LiRinzel(), "stratonovich"), jnp.asarray(0.5)),
    "uptake": (lambda: ast.GlutamateUptake(transport=0.5), jnp.asarray(1.0)),
}


def rate_of(make, u):
    """A model's rates, mixed, as each parameter and state changes by a share; and how many."""
    model = make()
    moving, fixed = eqx.partition((model, model.init()), eqx.is_inexact_array)
    values, rebuild = ravel_pytree(moving)
    scale = jnp.where(values == 0.0, 1e-2, jnp.abs(values))
    away = 0.1 * jnp.cos(3.0 * jnp.arange(values.size, dtype=values.dtype))

    def rate(shares):
        changed, y = eqx.combine(rebuild(values + (away + shares) * scale), fixed)
        # Each state's rate over its size: their units differ.
        slopes = changed.vector_field(jnp.asarray(0.0), y, u)
        sizes = jax.tree.map(lambda x: jnp.maximum(jnp.abs(x), 0.1), model.init())
        found = ravel_pytree(jax.tree.map(jnp.divide, slopes, sizes))[0]
        return jnp.sum(found * jnp.cos(jnp.arange(found.size, dtype=found.dtype)))

    return rate, values.size


def test_the_rates_of_the_others():
    """One evaluation each, in one program; whole solves of them are slow, above."""
    rates = {name: rate_of(*case) for name, case in RATES.items()}

    @jax.jit
    def everything():
        found = {}
        for name, (rate, count) in rates.items():
            zero, h = jnp.zeros(count), 1e-4
            shifts = h * jnp.array([1.0, -1.0, 2.0, -2.0])[:, None, None] * jnp.eye(count)[None]
            a, b, c, d = jax.vmap(jax.vmap(rate))(shifts)
            # The fourth order, as above.
            differences = (8 * (a - b) - (c - d)) / (12 * h)
            found[name] = jax.grad(rate)(zero), jax.jacfwd(rate)(zero), differences
        return found

    for name, (reverse, forward, differences) in everything().items():
        largest = float(jnp.max(jnp.abs(forward)))
        assert largest > 0.0, name
        np.testing.assert_allclose(forward, differences, rtol=0, atol=1e-5 * largest, err_msg=name)
        np.testing.assert_allclose(forward, reverse, rtol=0, atol=1e-8 * largest, err_msg=name)
        assert np.mean(np.abs(forward) > 1e-9 * largest) > 0.5, name


def test_hard_thresholds_have_the_derivatives_they_are_listed_with():
    def at(x):
        return jnp.asarray(x)

    # The flux between equal levels jumps, and its derivative does not know.
    flux = ast.ThresholdCoupling().flux
    jump = float(flux(at(1e-12)) - flux(at(-1e-12))) / float(flux(at(2.0)))
    assert 1e-6 < jump < 2e-5 and float(jax.grad(flux)(at(0.0))) == 0.0
    # A gate is cut, and its derivative with it.
    noisy = ast.StochasticGate(ast.LiRinzel())
    y = noisy.init()

    def gate(h):
        return noisy.jump(at(1.0), y, y._replace(h=h), None).h

    assert [float(jax.grad(gate)(at(h))) for h in (-0.1, 0.5, 1.1)] == [0.0, 1.0, 0.0]
    # A slow inward current has no slope below its threshold, and 1 / (C - threshold) above.
    nest = ast.NESTAstrocyte()

    def current(calcium):
        return nest.slow_inward_current(nest.init()._replace(calcium=calcium))

    below, above = (float(jax.grad(current)(at(0.19669 + d))) for d in (-0.01, 0.01))
    assert below == 0.0 and above == pytest.approx(100.0, rel=1e-9)
    # A stimulus that starts later gives less, but for each time before and after the same.
    slope = jax.grad(lambda start: tp.stimuli.Step(1.0, start=start)(at(3.0)))
    assert float(slope(at(2.0))) == float(slope(at(4.0))) == 0.0
