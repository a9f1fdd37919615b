"""Feature maps: each against its formula in NumPy, under every transform, in both precisions."""

import itertools
import math

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax

from tripartite import astype
from tripartite.attention import (
    AbstractFeatureMap,
    EluPlusOne,
    GaussHermite,
    Hyperbolic,
    LearnedExponential,
    LearnedGaussian,
    OneProcessPerToken,
    PositiveRandom,
    Taylor,
    Trigonometric,
    linear_attention,
)

SIZE, TOKENS = 3, 5
KEY = jax.random.key(0)
MAPS = {
    "elu": (EluPlusOne(), SIZE),
    "one process": (OneProcessPerToken(), TOKENS),
    "one process, causal": (OneProcessPerToken(causal=True), TOKENS),
    "positive": (PositiveRandom(7, SIZE, key=KEY), 7),
    "positive, plain": (PositiveRandom(7, SIZE, key=KEY, stabilise=False), 7),
    "orthogonal": (PositiveRandom(7, SIZE, key=KEY, orthogonal=True), 7),
    "hyperbolic": (Hyperbolic(4, SIZE, key=KEY), 8),
    "trigonometric": (Trigonometric(4, SIZE, key=KEY), 8),
    "trigonometric, plain": (Trigonometric(4, SIZE, key=KEY, stabilise=False), 8),
    "learned": (LearnedExponential(SIZE, 8, key=KEY), 8),
    "learned, Gaussian": (LearnedGaussian(SIZE, 8, key=KEY), 8),
    "Taylor": (Taylor(3), 20),
    "Gauss-Hermite": (GaussHermite(3, SIZE), 27),
}
each_map = pytest.mark.parametrize(("features", "count"), MAPS.values(), ids=MAPS)


def tokens(seed=0, dtype=float, scale=0.5):
    rng = np.random.default_rng(seed)
    return tuple(jnp.asarray(scale * rng.standard_normal((TOKENS, SIZE)), dtype) for _ in range(3))


@each_map
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_shape_and_dtype(features, count, dtype):
    q, k, _ = tokens(dtype=dtype)
    both = eqx.filter_jit(lambda f, q, k: (f.queries(q, k), f.keys(k)))
    for rates in both(astype(features, dtype), q, k):
        chex.assert_shape(rates, (TOKENS, count))
        assert rates.dtype == dtype
        chex.assert_tree_all_finite(rates)


@each_map
def test_jit_and_vmap_change_nothing(features, count):
    q, k, _ = tokens()
    expected = features.queries(q, k) @ features.keys(k).T
    jitted = eqx.filter_jit(lambda f, q, k: f.queries(q, k) @ f.keys(k).T)(features, q, k)
    np.testing.assert_allclose(jitted, expected, rtol=1e-13, atol=1e-15)
    heads = jnp.stack([q, 2.0 * q]), jnp.stack([k, k])
    mapped = jax.jit(jax.vmap(lambda q, k: features.queries(q, k) @ features.keys(k).T))(*heads)
    np.testing.assert_allclose(mapped[0], expected, rtol=1e-13, atol=1e-15)


@each_map
def test_gradient_of_attention_is_that_of_a_difference(features, count):
    q, k, v = tokens()
    direction = tokens(1)
    causal = getattr(features, "causal", False)

    @jax.jit
    def loss(step):
        moved = [x + step * d for x, d in zip((q, k, v), direction, strict=True)]
        return jnp.sum(jnp.sin(linear_attention(features, *moved, causal=causal)))

    # Central differences of step h: error h^2 f'''/6 + eps/h, both near 1e-10 at h = 1e-5.
    h = 1e-5
    expected = (loss(h) - loss(-h)) / (2 * h)
    np.testing.assert_allclose(jax.jit(jax.grad(loss))(0.0), expected, rtol=1e-6, atol=1e-9)


@each_map
def test_attention_is_a_mean_of_the_values(features, count):
    q, k, _ = tokens()
    output = eqx.filter_jit(linear_attention)(features, q, k, jnp.full((TOKENS, 2), 3.0))
    np.testing.assert_allclose(output, 3.0, rtol=1e-13)


def test_elu_plus_one():
    x = np.array([[-2.0, 0.0, 1.5]])
    found = EluPlusOne().keys(jnp.asarray(x))
    np.testing.assert_allclose(found, np.where(x > 0, x + 1, np.exp(x)), rtol=1e-15)


def test_one_process_per_token_weighs_as_softmax():
    q, k, _ = tokens(scale=3.0)
    features = OneProcessPerToken()
    weights = np.asarray(features.queries(q, k) @ features.keys(k).T)
    expected = softmax(np.asarray(q) @ np.asarray(k).T, axis=-1)
    np.testing.assert_allclose(weights / weights.sum(-1, keepdims=True), expected, rtol=1e-13)


def test_causal_one_process_ignores_later_tokens():
    q, k, _ = tokens()
    features = OneProcessPerToken(causal=True)
    later = k.at[3:].set(1e3)
    np.testing.assert_array_equal(features.queries(q, k)[:3], features.queries(q, later)[:3])
    assert np.all(np.triu(features.queries(q, k), 1) == 0)


def test_learned_exponential_formula(tmp_path):
    q, k, _ = tokens()
    features = LearnedExponential(SIZE, 8, stabilise=False, key=KEY)
    w = np.asarray(features.query_weights)
    np.testing.assert_array_equal(w[:SIZE], np.eye(SIZE))
    np.testing.assert_allclose(w[SIZE] @ w[SIZE], 1.0, rtol=1e-14)
    # At the start the kernel is 2 sum_i cosh((W q + W k)_i).
    expected = 2 * np.cosh(np.asarray(q[1] + k[2]) @ w.T).sum()
    product = features.queries(q, k)[1] @ features.keys(k)[2]
    np.testing.assert_allclose(product, expected, rtol=1e-13)
    moved = eqx.tree_at(lambda f: (f.key_weights, f.key_bias), features, (2.0 * w, 0.1 * w[:, 0]))
    half = 2.0 * np.asarray(k) @ w.T + 0.1 * w[:, 0]
    np.testing.assert_allclose(moved.keys(k), np.exp(np.hstack([half, -half])), rtol=1e-13)
    np.testing.assert_array_equal(moved.queries(q, k), features.queries(q, k))
    eqx.tree_serialise_leaves(tmp_path / "map.eqx", moved)
    one_sign = LearnedExponential(SIZE, 5, both_signs=False, key=KEY)
    assert one_sign.keys(k).shape == (TOKENS, 5)
    loaded = eqx.tree_deserialise_leaves(tmp_path / "map.eqx", features)
    np.testing.assert_array_equal(loaded.keys(k), moved.keys(k))


def test_positive_random_formula():
    q, k, _ = tokens()
    features = PositiveRandom(7, SIZE, key=KEY, stabilise=False)
    w, x = np.asarray(features.projection), np.asarray(q)
    expected = np.exp(x @ w.T - 0.5 * (x**2).sum(-1, keepdims=True)) / np.sqrt(7)
    np.testing.assert_allclose(features.queries(q, k), expected, rtol=1e-13)
    np.testing.assert_allclose(features.keys(q), expected, rtol=1e-13)


def test_hyperbolic_is_positive_random_with_both_signs():
    q, k, _ = tokens()
    features = Hyperbolic(4, SIZE, key=KEY, stabilise=False)
    x, w = np.asarray(k), np.asarray(features.projection)
    both = np.concatenate([np.exp(x @ w.T), np.exp(-x @ w.T)], axis=-1)
    expected = both * np.exp(-0.5 * (x**2).sum(-1, keepdims=True)) / np.sqrt(8)
    np.testing.assert_allclose(features.keys(k), expected, rtol=1e-13)
    np.testing.assert_allclose(features.queries(k, q), expected, rtol=1e-13)


def test_trigonometric_formula_and_signs():
    q, k, _ = tokens()
    features = Trigonometric(4, SIZE, key=KEY, stabilise=False)
    x, w = np.asarray(q), np.asarray(features.projection)
    waves = np.concatenate([np.sin(x @ w.T), np.cos(x @ w.T)], axis=-1)
    expected = waves * np.exp(0.5 * (x**2).sum(-1, keepdims=True)) / 2
    np.testing.assert_allclose(features.queries(q, k), expected, rtol=1e-13)
    np.testing.assert_allclose(features.keys(q), expected, rtol=1e-13)
    assert expected.min() < 0


@pytest.mark.parametrize("degree", [0, 1, 4])
def test_taylor_features_multiply_to_the_polynomial(degree):
    q, k, _ = tokens(scale=1.0)
    features = Taylor(degree)
    score = np.asarray(q) @ np.asarray(k).T
    polynomial = sum(score**n / math.factorial(n) for n in range(degree + 1))
    product = features.queries(q, k) @ features.keys(k).T
    np.testing.assert_allclose(product, polynomial, rtol=1e-12, atol=1e-13)
    assert features.keys(k).shape[1] == math.comb(SIZE + degree, degree)


def test_gauss_hermite_converges_to_the_softmax_kernel():
    q, k, _ = (x[:, :2] for x in tokens())
    kernel = np.exp(np.asarray(q) @ np.asarray(k).T)
    errors = []
    for nodes in (2, 4, 8, 16):
        features = GaussHermite(nodes, 2, stabilise=False)
        product = features.queries(q, k) @ features.keys(k).T
        errors.append(np.max(np.abs(product / kernel - 1)))
    # Spectral: each doubling at least squares the error, down to the round-off of 256 terms.
    assert all(b < max(a**1.5, 1e-13) for a, b in itertools.pairwise(errors))


@pytest.mark.parametrize("make", [PositiveRandom, Hyperbolic, Trigonometric])
def test_stabilised_maps_give_the_same_attention_and_do_not_overflow(make):
    q, k, v = tokens()
    plain, stable = (make(6, SIZE, key=KEY, stabilise=on) for on in (False, True))
    expected = linear_attention(plain, q, k, v)
    np.testing.assert_allclose(linear_attention(stable, q, k, v), expected, rtol=1e-12)
    far = 60.0 * k
    chex.assert_tree_all_finite(stable.keys(far))


def test_orthogonal_rows_within_each_block():
    w = np.asarray(PositiveRandom(8, SIZE, key=KEY, orthogonal=True).projection)
    assert w.shape == (8, SIZE)
    for block in (w[:3], w[3:6], w[6:]):
        gram = block @ block.T
        off = gram - np.diag(np.diag(gram))
        assert np.max(np.abs(off)) < 1e-13 * np.max(gram)


def test_orthogonal_rows_keep_the_gaussian_lengths():
    w = np.asarray(PositiveRandom(4000, 4, key=KEY, orthogonal=True).projection)
    # |w|^2 has mean d and variance 2d: five standard errors of the mean.
    assert abs((w**2).sum(-1).mean() - 4) < 5 * math.sqrt(8 / 4000)
    assert np.max(np.abs(w.mean(0))) < 5 / math.sqrt(4000)


def test_another_key_draws_other_features():
    one, other = (PositiveRandom(4, SIZE, key=jax.random.key(i)) for i in range(2))
    assert not np.allclose(one.projection, other.projection)


def test_a_map_of_ones_own():
    class Squared(AbstractFeatureMap):
        def queries(self, q, k):
            return q**2

        def keys(self, k):
            return k**2

    q, k, v = tokens()
    weights = np.asarray(q) ** 2 @ np.asarray(k).T ** 2
    expected = weights @ np.asarray(v) / weights.sum(-1, keepdims=True)
    np.testing.assert_allclose(linear_attention(Squared(), q, k, v), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PositiveRandom(0, 3, key=KEY), "features=0"),
        (lambda: Hyperbolic(3, 0, key=KEY), "dimension=0"),
        (lambda: Trigonometric(-1, 3, key=KEY), "each be at least 1"),
        (lambda: GaussHermite(0, 2), "nodes=0"),
        (lambda: Taylor(-1), "degree must be at least 0, got -1"),
        (lambda: LearnedExponential(3, 0, key=KEY), "features=0"),
        (lambda: LearnedExponential(3, 7, key=KEY), "even with both signs, got dimension=3"),
        (
            lambda: LearnedGaussian(3, 7, key=KEY),
            "above 0 and hidden not negative, got dimension=3, features=7",
        ),
    ],
)
def test_sizes_that_cannot_be(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    "features",
    [MAPS[name][0] for name in ("positive", "hyperbolic", "trigonometric", "Gauss-Hermite")],
)
def test_tokens_of_another_size(features):
    with pytest.raises(ValueError, match=r"shape \(tokens, 3\), got shape \(5, 4\)"):
        features.keys(jnp.ones((5, 4)))
    with pytest.raises(ValueError, match=r"use jax\.vmap over the leading axis"):
        features.queries(jnp.ones((2, 5, 3)), jnp.ones((5, 3)))


def test_causal_one_process_needs_a_query_per_token():
    q, k, _ = tokens()
    with pytest.raises(ValueError, match="as many queries as tokens, got 2 and 5"):
        OneProcessPerToken(causal=True).queries(q[:2], k)
