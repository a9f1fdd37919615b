"""Surrogate derivatives of spikes: their shapes, that no spike changes, and that networks train."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import cells, networks, synapses
from tripartite.core import surrogates

WIDTH = 4.0
# The steps that are differentiated, from 0 to 1, as functions of x / width.
STEPS = {
    surrogates.Rectangular: lambda z: np.clip(z + 0.5, 0.0, 1.0),
    surrogates.Sigmoid: lambda z: 1.0 / (1.0 + np.exp(-4.0 * z)),
    surrogates.FastSigmoid: lambda z: 0.5 + z / (1.0 + 2.0 * np.abs(z)),
    surrogates.Arctan: lambda z: 0.5 + np.arctan(np.pi * z) / np.pi,
}
# And their derivatives, written down.
SLOPES = {
    surrogates.Rectangular: lambda z: np.where(np.abs(z) <= 0.5, 1.0, 0.0),
    surrogates.Sigmoid: lambda z: 1.0 / np.cosh(2.0 * z) ** 2,
    surrogates.FastSigmoid: lambda z: (1.0 + 2.0 * np.abs(z)) ** -2.0,
    surrogates.Arctan: lambda z: 1.0 / (1.0 + (np.pi * z) ** 2),
}
EVERY = pytest.mark.parametrize("kind", STEPS)
# Off the corners of the ramp, and 0, where the fast sigmoid has one.
X = np.asarray([-31.0, -2.1, -1.9, -0.3, 0.2, 1.1, 1.99, 2.01, 55.0])


def stepped(x, surrogate):
    """A step of x (mV) at 0."""
    return surrogates.spike(x >= 0, x > -40.0, x, surrogate)


@EVERY
def test_a_spike_is_the_step_and_its_derivative_the_surrogate(kind):
    surrogate, x = kind(width=WIDTH), jnp.asarray(X)

    @jax.jit
    def run(x):
        pair = jax.jvp(lambda x: stepped(x, surrogate), (x,), (jnp.ones_like(x),))
        return *pair, jax.vmap(jax.grad(lambda x: stepped(x, surrogate)))(x)

    value, forward, reverse = run(x)
    np.testing.assert_array_equal(value, X >= 0)
    truth = SLOPES[kind](X / WIDTH) / WIDTH
    # A dozen operations, and for the sigmoid exp(-4 |z|), whose argument of 55 has 55 eps.
    np.testing.assert_allclose(forward, truth, rtol=2e-14)
    np.testing.assert_allclose(reverse, truth, rtol=2e-14)
    # Central differences of the step itself: h^2 / 6 times a third derivative of at most 130 / w^3
    # (the fast sigmoid's at z = 0.05), and round-off eps / h.
    h = 1e-4
    slope = (STEPS[kind]((X + h) / WIDTH) - STEPS[kind]((X - h) / WIDTH)) / (2 * h)
    np.testing.assert_allclose(forward, slope, atol=1e-8)
    assert float(surrogate(jnp.asarray(0.0))) == pytest.approx(1 / WIDTH, rel=1e-15)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_nothing_overflows(dtype):
    every = tp.astype([kind(width=WIDTH) for kind in STEPS], dtype)
    far = [1e3, 1e19, 1e38, np.inf]
    x = jnp.asarray([0.0, *far, *(-y for y in far)], dtype)

    @jax.jit
    def slopes(x, surrogate):
        one = jax.grad(lambda x: stepped(x, surrogate))
        return jax.vmap(one)(x), jax.vmap(jax.grad(one))(x)

    for surrogate in every:
        first, second = slopes(x, surrogate)
        assert first.dtype == second.dtype == dtype
        assert bool(jnp.all(jnp.isfinite(first))) and bool(jnp.all(jnp.isfinite(second)))
        # Where they are able to fire, the fast sigmoid falls the slowest, as width / (2 x)^2.
        np.testing.assert_allclose(first[2:5], 0.0, atol=WIDTH / 1e9**2)
        np.testing.assert_array_equal(first[5:], 0.0)


# Cells


def test_a_leaky_cell_fires_as_before_and_its_spike_has_a_slope():
    plain, cell = cells.LIF(), cells.LIF(surrogate=surrogates.Arctan(WIDTH))
    found = {}
    for name, model in (("plain", plain), ("surrogate", cell)):
        found[name] = tp.simulate(model, 2.0, t1=20.0, dt=0.5, record="state").ys
    for one, other in zip(found["plain"], found["surrogate"], strict=True):
        np.testing.assert_array_equal(one, other)
    assert found["plain"].spike.sum() > 1

    @jax.jit
    def after(v, wait):
        def jump(v):
            y = cells.LIFState(v, wait, jnp.zeros(()))
            return cell.jump(0.0, y, y, None)

        return jax.jvp(jump, (v,), (jnp.ones(()),))

    for v, wait, fired in ((-53.0, 0.0, 0.0), (-49.0, 0.0, 1.0), (-53.0, 2.0, 0.0)):
        y, dy = after(jnp.asarray(v), jnp.asarray(wait))
        able = float(wait == 0.0)
        assert float(y.spike) == fired
        slope = SLOPES[surrogates.Arctan]((v + 50.0) / WIDTH) / WIDTH
        np.testing.assert_allclose(dy.spike, able * slope, rtol=1e-14)
        # The reset forgets.
        assert float(dy.v) == 1.0 - fired and float(dy.wait) == 0.0


@pytest.mark.parametrize("kind", [networks.Crossing, networks.Refractory])
def test_a_crossing_has_a_slope_where_it_would_count(kind):
    surrogate = surrogates.FastSigmoid(WIDTH)
    ready, busy = (1.0, 0.0) if kind is networks.Crossing else (-5.0, 5.0)
    threshold = float(kind().threshold)
    v = threshold + jnp.asarray([-3.0, 1.0, -3.0, 1.0])
    memory = jnp.asarray([ready, ready, busy, busy])

    def run(crossing):
        def one(v):
            return crossing(memory, v, v, jnp.zeros(()))

        return jax.jvp(one, (v,), (jnp.ones_like(v),))

    spikes, slopes = run(kind(surrogate=surrogate))
    np.testing.assert_array_equal(spikes[0], [0.0, 1.0, 0.0, 0.0])
    truth = SLOPES[surrogates.FastSigmoid](np.asarray([-3.0, 1.0]) / WIDTH) / WIDTH
    np.testing.assert_allclose(slopes[0], [*truth, 0.0, 0.0], rtol=1e-14)
    np.testing.assert_array_equal(slopes[1], 0.0)
    plain, nothing = run(kind())
    np.testing.assert_array_equal(plain[0], spikes[0])
    np.testing.assert_array_equal(plain[1], spikes[1])
    np.testing.assert_array_equal(nothing[0], 0.0)


# Two layers

DT, STEPS_TAKEN, TAU, REVERSAL, KICK = 0.5, 60, 5.0, 0.0, 0.05
DRIVE = np.asarray([0.7, 0.9, 1.2, 1.6])
TARGET = np.asarray([4.0, 1.0])
EDGES = networks.all_to_all(4, 2)
START = np.linspace(0.3, 0.6, len(EDGES))


def layers(weight, surrogate):
    """Four cells that are driven, and two that hear them."""
    joined = networks.Projection(
        "in", "out", synapses.Exponential(KICK, TAU, REVERSAL), EDGES, weight=weight
    )
    parts = {
        name: networks.population(cells.LIF(surrogate=surrogate), n)
        for name, n in (("in", 4), ("out", 2))
    }
    return networks.Network(parts, [joined])


def counts(weight, surrogate):
    """The spikes of each cell of the second layer."""
    found = tp.simulate(
        layers(weight, surrogate),
        {"in": jnp.asarray(DRIVE, weight.dtype)},
        t1=DT * STEPS_TAKEN,
        dt=DT,
        solver=tp.solvers.SequentialExponential(midpoint=False),
        record={"out.spike": None},
    )
    return jnp.sum(found.ys["out.spike"], axis=0)


@functools.cache
def learner():
    """Loss and gradient of the weights, compiled once for both kinds of cell."""

    def loss(weight, surrogate):
        found = counts(weight, surrogate)
        return jnp.mean((found - jnp.asarray(TARGET, found.dtype)) ** 2), found

    return eqx.filter_jit(eqx.filter_value_and_grad(loss, has_aux=True))


def by_hand(weight, direction, slope):
    """The second layer's counts in a loop, and their derivative: by a step in the imaginary."""
    h = 1e-30
    w = (weight + 1j * h * direction).reshape(2, 4)
    v = [np.full(n, -60.0 + 0j) for n in (4, 2)]
    wait, g, total = [np.zeros(4), np.zeros(2)], np.zeros(2, complex), np.zeros(2, complex)
    for _ in range(STEPS_TAKEN):
        said = []
        for k, (drive, conductance) in enumerate(((DRIVE, 0.0), (0.0, g))):
            decay = 0.05 + conductance
            limit = (0.05 * -60.0 + drive + conductance * REVERSAL) / decay
            ready = wait[k] <= 0
            v[k] = np.where(ready, limit + (v[k] - limit) * np.exp(-DT * decay), v[k])
            wait[k] = np.where(ready, wait[k], wait[k] - DT)
            able, fired = wait[k] <= 1e-4 * 5.0, v[k].real >= -50.0
            said.append(fired + 1j * able * slope(v[k].real + 50.0) * v[k].imag)
            wait[k] = np.where(fired, 5.0, np.where(able, 0.0, wait[k]))
            v[k] = np.where(fired, -60.0, v[k])
        # The cells have been moved with the conductance of before.
        g = g * np.exp(-DT / TAU) + KICK * w @ said[0]
        total = total + said[1]
    return total.real, total.imag / h


def test_the_gradient_of_two_layers_is_that_of_a_loop_by_hand():
    surrogate = surrogates.Sigmoid(10.0)
    (_, found), gradient = learner()(jnp.asarray(START), surrogate)
    rng = np.random.default_rng(0)
    for _ in range(3):
        direction = rng.standard_normal(len(START))
        spikes, slopes = by_hand(
            START, direction, lambda x: SLOPES[surrogates.Sigmoid](x / 10.0) / 10.0
        )
        np.testing.assert_array_equal(found, spikes)
        expected = np.mean(2.0 * (spikes - TARGET) * slopes)
        # 60 steps of 20 operations on numbers of at most 100 mV.
        assert float(gradient @ direction) == pytest.approx(expected, rel=1e-10)
    assert spikes.min() >= 1 and np.abs(gradient).min() > 1e-4


def test_training_two_layers_lowers_the_loss():
    surrogate, weight, losses = surrogates.Sigmoid(10.0), jnp.asarray(START), []
    for _ in range(40):
        (loss, _), gradient = learner()(weight, surrogate)
        losses.append(float(loss))
        weight = jnp.maximum(weight - 0.03 * gradient, 0.0)
    assert losses[-1] == 0.0 < losses[0]
    # Without a surrogate the same spikes have no derivative.
    (same, _), nothing = learner()(jnp.asarray(START), None)
    assert float(same) == losses[0]
    np.testing.assert_array_equal(nothing, 0.0)


@pytest.mark.slow
def test_two_layers_in_single_precision_mapped_and_forwards():
    single = tp.astype(surrogates.Sigmoid(10.0), jnp.float32)
    many = jnp.asarray(np.stack([START, 1.5 * START]), jnp.float32)

    def total(weight, surrogate):
        network = tp.astype(layers(weight, surrogate), weight.dtype)
        found = tp.simulate(
            network, {"in": jnp.asarray(DRIVE, weight.dtype)}, t1=DT * STEPS_TAKEN, dt=DT,
            solver=tp.solvers.SequentialExponential(midpoint=False), record={"out.spike": None},
        )  # fmt: skip
        return jnp.sum(found.ys["out.spike"])

    slope = jax.jit(jax.vmap(jax.grad(lambda w: total(w, single))))
    reverse = slope(many)
    assert reverse.dtype == jnp.float32
    for w, row in zip((START, 1.5 * START), reverse, strict=True):
        direction = np.linspace(1.0, 2.0, len(w))
        _, slopes = by_hand(w, direction, lambda x: SLOPES[surrogates.Sigmoid](x / 10.0) / 10.0)
        # 60 steps of single precision, in which some slopes cancel.
        assert float(np.asarray(row) @ direction) == pytest.approx(slopes.sum(), rel=1e-4)
    _, forward = jax.jvp(
        lambda w: total(w, surrogates.Sigmoid(10.0)),
        (jnp.asarray(START),),
        (jnp.linspace(1.0, 2.0, len(START)),),
    )
    direction = np.linspace(1.0, 2.0, len(START))
    _, slopes = by_hand(START, direction, lambda x: SLOPES[surrogates.Sigmoid](x / 10.0) / 10.0)
    assert float(forward) == pytest.approx(slopes.sum(), rel=1e-10)


# What cannot be had


@pytest.mark.parametrize(
    "make", [cells.LIF, networks.Crossing, networks.Refractory], ids=lambda kind: kind.__name__
)
def test_a_surrogate_that_is_none_is_refused(make):
    with pytest.raises(ValueError, match=rf"{make.__name__}.surrogate must be a .* or None, got 3"):
        make(surrogate=3.0)


@EVERY
def test_a_width_must_be_positive(kind):
    with pytest.raises(ValueError, match=rf"{kind.__name__}.width must be positive, got 0.0 mV"):
        kind(width=0.0)
