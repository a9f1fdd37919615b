"""Layers with explicit excitation and inhibition."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import tripartite as tp
from tripartite import layers

EPS = np.finfo(float).eps


make, from_dense = layers.DANNLayer, layers.DANNLayer.from_dense


def test_it_starts_centred(key):
    """The mean over units is zero for every input: sums of 60 products of size 1, rounded.

    37 units in 5 groups, which cannot be of one size.
    """

    @jax.jit
    def answers(key):
        one, two = jax.random.split(key)
        both = [make(60, 37, inhibitory=5, shunting=x, key=one) for x in (False, True)]
        return [layer(jax.random.exponential(two, (60,))) for layer in both]

    for z in answers(key):
        assert abs(np.mean(z)) < 1e-12 and np.std(z) > 0.1


def test_it_starts_as_the_paper_s(key):
    """Moments of the exponential distribution, the share of inhibitory units, alpha."""
    layer = make(200, 300, key=key, shunting=True)
    w = np.asarray(layer.excitation)
    scale = np.sqrt(2.0 * np.pi / (200 * (2.0 * np.pi - 1.0)))
    # 60,000 numbers: relative deviations of the mean 0.004, of the standard deviation 0.006.
    assert np.mean(w) == pytest.approx(scale, rel=0.02)
    assert np.std(w) == pytest.approx(scale, rel=0.03)
    np.testing.assert_allclose(layer.from_inhibitory, np.full((300, 30), 1.0 / 30.0), rtol=1e-12)
    np.testing.assert_allclose(layer.to_inhibitory[0], np.mean(w[:10], axis=0), rtol=1e-12)
    np.testing.assert_allclose(np.exp(2.0 * layer.alpha), (2.0 * np.pi - 1.0) / 200, rtol=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e-6, 0.0])
def test_it_equals_any_dense_layer(scale):
    rng = np.random.default_rng(3)
    matrix, bias = scale * rng.standard_normal((30, 20)), scale * rng.standard_normal(30)
    layer = from_dense(matrix, bias, inhibitory=7)
    for w in (layer.excitation, layer.to_inhibitory, layer.from_inhibitory):
        assert np.all(np.asarray(w) > 0.0)
    # Sums of a few numbers of the matrix's size (or of one, for zeros), rounded.
    np.testing.assert_allclose(layer.dense(), matrix, atol=1e-13 * (scale or 1.0))
    x = rng.exponential(size=20)
    np.testing.assert_allclose(layer(x), matrix @ x + bias, atol=1e-10 * (scale or 1.0))


def test_the_shunting_form_against_numpy():
    """z = g z_hat / gamma + b, gamma = (e^alpha * W_EI) W_IX x; b alone for x = 0."""
    rng = np.random.default_rng(5)
    layer = make(6, 5, inhibitory=2, shunting=True, key=jax.random.key(0))
    new = [rng.standard_normal(x.shape) for x in (layer.gain, layer.bias, layer.alpha)]
    layer = eqx.tree_at(lambda x: (x.gain, x.bias, x.alpha), layer, [jnp.asarray(x) for x in new])
    gain, bias, alpha = new
    ex, ix, ei = (np.log1p(np.exp(np.asarray(w))) for w in (layer.ex, layer.ix, layer.ei))
    x = rng.exponential(size=6)
    expected = gain * (ex @ x - ei @ (ix @ x)) / ((np.exp(alpha)[None, :] * ei) @ (ix @ x)) + bias
    run = jax.jit(jax.value_and_grad(lambda m, x: jnp.sum(m(x)), argnums=(0, 1)))
    assert float(run(layer, jnp.asarray(x))[0]) == pytest.approx(expected.sum(), rel=1e-12)
    silent, slopes = run(layer, jnp.zeros(6))
    assert float(silent) == pytest.approx(bias.sum(), rel=1e-12)
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(slopes))


def test_gradients_batches_and_precision():
    """Both forms at once, along a random direction through every parameter."""
    key, rng = jax.random.key(0), np.random.default_rng(0)
    both = [make(6, 5, inhibitory=2, shunting=x, key=key) for x in (False, True)]
    along = jax.tree.map(lambda x: rng.standard_normal(x.shape), both)
    batch = rng.exponential(size=(3, 6))

    @jax.jit
    def answers(both, batch):
        return jnp.stack([jax.vmap(layer)(batch) for layer in both])

    def moved(by):
        there = jax.tree.map(lambda x, v: x + by * v, both, along)
        found = answers(there, jnp.asarray(batch))
        return jnp.mean(jnp.sin(found)), found

    run, h = jax.jit(jax.value_and_grad(moved, has_aux=True)), 1e-5
    ((_, found), slope), ((high, _), _), ((low, _), _) = (run(x) for x in (0.0, h, -h))
    # Central differences: eps / h = 2e-11 of the value, and h^2 = 1e-10 of its third derivative.
    assert float(slope) == pytest.approx(float(high - low) / (2.0 * h), abs=1e-8)
    assert abs(float(slope)) > 0.01
    np.testing.assert_allclose(found[0], batch @ np.asarray(both[0].dense()).T, atol=1e-12)
    single = answers(tp.astype(both, jnp.float32), jnp.asarray(batch, jnp.float32))
    assert single.dtype == jnp.float32
    # Some ten roundings of numbers of size one.
    np.testing.assert_allclose(single, found, atol=1e-5)


def test_signs_survive_an_optimiser():
    """1,000 steps of Adam, each of which does all it can to make every weight negative."""
    layer = make(6, 5, inhibitory=2, key=jax.random.key(0))
    units = layers.DaleRecurrent(2, 6, key=jax.random.key(0))
    signs = np.sign(np.asarray(units.weights()))

    def weights(stored):
        ex, ix, ei, strength = stored
        new = eqx.tree_at(lambda m: (m.ex, m.ix, m.ei), layer, (ex, ix, ei))
        recurrent = eqx.tree_at(lambda m: m.strength, units, strength)
        return new.excitation, new.to_inhibitory, new.from_inhibitory, recurrent.weights() * signs

    optimiser = optax.adam(0.05)

    def step(_, carry):
        stored, state = carry
        slope = jax.grad(lambda x: sum(jnp.sum(w) for w in weights(x)))(stored)
        change, state = optimiser.update(slope, state)
        return optax.apply_updates(stored, change), state

    start = (layer.ex, layer.ix, layer.ei, units.strength)
    # Optax mixes integers with floats.
    with jax.numpy_dtype_promotion("standard"):
        run = jax.jit(lambda x: jax.lax.fori_loop(0, 1000, step, (x, optimiser.init(x)))[0])
        end = run(start)
        before, after = jax.jit(lambda *both: [weights(x) for x in both])(start, end)
    *rest, recurrent = map(np.asarray, after)
    for w, was in zip(rest, before, strict=False):
        assert np.all(w > 0.0) and np.max(w) < 0.05 * np.max(was)
    np.testing.assert_array_equal(recurrent > 0.0, ~np.eye(6, dtype=bool))
    assert np.max(recurrent) < 0.05 * np.max(before[3])


def test_recurrent_units_start_as_the_paper_s():
    model = layers.DaleRecurrent(3, 100, key=jax.random.key(2))
    w = np.asarray(model.weights())
    off = ~np.eye(100, dtype=bool)
    assert np.all(np.diag(w) == 0.0)
    assert np.all(w[:, :80][off[:, :80]] > 0.0) and np.all(w[:, 80:][off[:, 80:]] < 0.0)
    radius = np.abs(np.linalg.eigvals(w)).max()
    assert radius == pytest.approx(1.5, abs=1e-6)
    # Excitation and inhibition balance: the mean of a row is zero within the spread of 100 numbers.
    assert abs(w.sum() / np.abs(w).sum()) < 0.05


def test_recurrent_units_move_as_written():
    model = layers.DaleRecurrent(2, 6, tau=50.0, key=jax.random.key(0))
    u = np.array([0.5, 0.2])
    found = tp.simulate(model, tp.stimuli.Constant(u), t1=40.0, dt=0.5)
    # Euler's steps of a hundredth of the step, written from the equation: of first order.
    w, into = np.asarray(model.weights()), np.log1p(np.exp(np.asarray(model.afferent)))
    x = np.full(6, 0.1)
    for _ in range(8000):
        x = x + 0.005 / 50.0 * (-x + w @ np.maximum(x, 0.0) + into @ u)
    np.testing.assert_allclose(found.ys["x"][-1], x, atol=1e-4)
    assert np.abs(x - 0.1).max() > 0.05
    np.testing.assert_array_equal(found.ys["rate"], np.maximum(found.ys["x"], 0.0))


@pytest.mark.slow
def test_recurrent_units_conform():
    model = layers.DaleRecurrent(2, 6, key=jax.random.key(0))
    tp.testing.check(model, jnp.asarray([0.3, 0.1])).assert_ok()
    single = tp.astype(model, jnp.float32)
    tp.testing.check(single, jnp.asarray([0.3, 0.1], jnp.float32)).assert_ok()


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (
            lambda key: layers.DANNLayer(0, 3, key=key),
            r"DANNLayer: inputs must be a whole number of at least 1, got 0",
        ),
        (
            lambda key: layers.DANNLayer(2, 3, inhibitory=4, key=key),
            r"inhibitory must be a whole number of at least 1 and at most 3, got 4",
        ),
        (lambda key: layers.DANNLayer(2.5, 3, key=key), r"inputs must be a whole .* got 2\.5"),
        (
            lambda key: make(6, 5, inhibitory=2, key=key)(jnp.ones((4, 2))),
            r"takes one vector of 6 inputs, got shape \(4, 2\): map a batch with jax\.vmap",
        ),
        (
            lambda key: layers.DANNLayer.from_dense(jnp.ones(3)),
            r"from_dense needs a matrix \[outputs, inputs\], got an array of shape \(3,\)",
        ),
        (
            lambda key: layers.DANNLayer.from_dense(np.array([[1.0, np.nan]])),
            r"from_dense: matrix must be finite, got nan at flat index 1",
        ),
        (
            lambda key: layers.DANNLayer.from_dense(jnp.ones((3, 2)), jnp.ones(2)),
            r"from_dense needs one bias for each of 3 outputs, got shape \(2,\)",
        ),
        (
            lambda key: layers.DaleRecurrent(2, 6, excitatory=6, key=key),
            r"DaleRecurrent: excitatory must be a whole number of at least 1 and at most 5, got 6",
        ),
        (
            lambda key: layers.DaleRecurrent(2, 6, radius=0.0, key=key),
            r"DaleRecurrent: radius must be positive, got 0",
        ),
        (
            lambda key: layers.DaleRecurrent(2, 6, tau=0.0, key=key),
            r"DaleRecurrent\.tau must be positive, got 0",
        ),
        (
            lambda key: eqx.filter_jit(lambda k: layers.DaleRecurrent(2, 6, key=k))(key),
            r"DaleRecurrent cannot be made inside jit or vmap: its start needs eigenvalues",
        ),
    ],
)
def test_bad_input(attempt, message, key):
    with pytest.raises(ValueError, match=message):
        attempt(key)
