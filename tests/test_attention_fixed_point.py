"""Attention without time: against NumPy, its symmetries, masks, causality and refusals."""

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax

from tripartite import astype
from tripartite.attention import (
    AbstractFeatureMap,
    EluPlusOne,
    OneProcessPerToken,
    PositiveRandom,
    Trigonometric,
    fixed_point,
    linear_attention,
    softmax_attention,
)

SIZE, TOKENS, VALUES = 4, 7, 2
POSITIVE = PositiveRandom(9, SIZE, key=jax.random.key(1))
LINEAR = {"linear": linear_attention, "fixed point": fixed_point}
both_forms = pytest.mark.parametrize("attend", LINEAR.values(), ids=LINEAR)
seeds = st.integers(0, 2**32 - 1)


def tokens(seed=0, dtype=float):
    rng = np.random.default_rng(seed)
    shapes = ((TOKENS, SIZE), (TOKENS, SIZE), (TOKENS, VALUES))
    return tuple(jnp.asarray(rng.standard_normal(shape), dtype) for shape in shapes)


def oracle(features, q, k, v, allowed):
    """Token by token in NumPy, from the features' values alone."""
    queries, keys = np.asarray(features.queries(q, k)), np.asarray(features.keys(k))
    output = np.zeros((len(q), v.shape[1]))
    for row, query in enumerate(queries):
        weights = [query @ key if ok else 0.0 for key, ok in zip(keys, allowed[row], strict=True)]
        output[row] = sum(w * x for w, x in zip(weights, np.asarray(v), strict=True)) / sum(weights)
    return output


EVERYTHING = np.ones((TOKENS, TOKENS), bool)


@both_forms
@pytest.mark.parametrize("features", [EluPlusOne(), POSITIVE, OneProcessPerToken()])
@pytest.mark.parametrize("causal", [False, True])
def test_against_numpy(attend, features, causal):
    q, k, v = tokens()
    allowed = np.tril(EVERYTHING) if causal else EVERYTHING
    expected = oracle(features, q, k, v, allowed)
    np.testing.assert_allclose(attend(features, q, k, v, causal=causal), expected, rtol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_softmax_against_scipy(causal):
    q, k, v = (np.asarray(x) for x in tokens())
    scores = q @ k.T + np.where(np.tril(EVERYTHING) | (not causal), 0.0, -np.inf)
    expected = softmax(scores, axis=-1) @ v
    found = softmax_attention(*tokens(), causal=causal)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    exact = fixed_point(OneProcessPerToken(causal=causal), *tokens(), causal=causal)
    np.testing.assert_allclose(exact, expected, rtol=1e-12)


@both_forms
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_precision_is_kept(attend, dtype):
    q, k, v = tokens(dtype=dtype)
    output = attend(astype(POSITIVE, dtype), q, k, v)
    assert output.dtype == dtype
    exact = oracle(POSITIVE, *tokens(), EVERYTHING)
    # Sums over 7 tokens and 9 features; the features' exponents are of order 10.
    np.testing.assert_allclose(output, exact, rtol=500 * float(jnp.finfo(dtype).eps))


@both_forms
def test_heads_by_vmap_under_jit(attend):
    heads = [jnp.stack(x) for x in zip(tokens(0), tokens(1), tokens(2), strict=True)]
    mapped = jax.jit(jax.vmap(lambda q, k, v: attend(POSITIVE, q, k, v)))(*heads)
    chex.assert_shape(mapped, (3, TOKENS, VALUES))
    for head, output in enumerate(mapped):
        expected = attend(POSITIVE, *tokens(head))
        np.testing.assert_allclose(output, expected, rtol=1e-12)


@pytest.mark.parametrize("causal", [False, True])
def test_gradients_of_the_fixed_point_are_those_of_linear_attention(causal):
    def loss(attend, arguments):
        return jnp.sum(jnp.sin(attend(POSITIVE, *arguments, causal=causal)))

    gradient = eqx.filter_jit(jax.grad(loss, argnums=1))
    found, expected = (gradient(attend, tokens()) for attend in LINEAR.values())
    chex.assert_trees_all_close(found, expected, rtol=1e-11, atol=1e-13)


@given(seeds)
def test_the_order_of_tokens_does_not_matter(seed):
    q, k, v = tokens(seed)
    order = np.random.default_rng(seed).permutation(TOKENS)
    expected = fixed_point(POSITIVE, q, k, v)
    found = fixed_point(POSITIVE, q, k[order], v[order])
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


class Scaled(AbstractFeatureMap):
    """A map whose queries and keys are multiplied: the gauge of the circuit."""

    features: AbstractFeatureMap
    of_queries: jax.Array
    of_keys: jax.Array

    def queries(self, q, k):
        return self.of_queries * self.features.queries(q, k)

    def keys(self, k):
        return self.of_keys * self.features.keys(k)


@given(seeds, st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_gauge_invariance(seed, of_queries, of_keys):
    scaled = Scaled(POSITIVE, jnp.asarray(of_queries), jnp.asarray(of_keys))
    expected = fixed_point(POSITIVE, *tokens(seed))
    np.testing.assert_allclose(fixed_point(scaled, *tokens(seed)), expected, rtol=1e-10, atol=1e-12)


@given(seeds, st.lists(st.booleans(), min_size=TOKENS, max_size=TOKENS).filter(any))
def test_a_masked_token_is_a_deleted_one(seed, kept):
    q, k, v = (np.asarray(x) for x in tokens(seed))
    mask = np.array(kept)
    # What stands in the place of a masked token must not matter, not even a NaN.
    spoilt = [jnp.asarray(np.where(mask[:, None], x, np.nan)) for x in (k, v)]
    for attend in LINEAR.values():
        masked = attend(EluPlusOne(), q, *spoilt, mask=jnp.asarray(mask))
        expected = oracle(EluPlusOne(), q, k, v, np.tile(mask, (TOKENS, 1)))
        np.testing.assert_allclose(masked, expected, rtol=1e-10, atol=1e-12)
    exact = softmax_attention(jnp.asarray(q), *spoilt, mask=jnp.asarray(mask))
    expected = softmax(q @ k[mask].T, axis=-1) @ v[mask]
    np.testing.assert_allclose(exact, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "attend", [*LINEAR.values(), lambda f, *a, **o: softmax_attention(*a, **o)]
)
def test_masked_gradients_are_finite(attend):
    q, k, v = tokens()
    mask = jnp.arange(TOKENS) != 2
    k, v = k.at[2].set(jnp.inf), v.at[2].set(jnp.nan)

    def loss(q, k, v):
        return jnp.sum(attend(POSITIVE, q, k, v, mask=mask))

    chex.assert_tree_all_finite(jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(q, k, v))


@both_forms
def test_causal_with_a_mask(attend):
    q, k, v = tokens()
    mask = jnp.arange(TOKENS) != 3
    allowed = np.tril(EVERYTHING) & np.asarray(mask)[None, :]
    found = attend(EluPlusOne(), q, k, v, mask=mask, causal=True)
    np.testing.assert_allclose(found, oracle(EluPlusOne(), q, k, v, allowed), rtol=1e-12)


def test_nothing_leaks_from_later_tokens():
    q, k, v = tokens()
    attend = jax.jit(lambda k, v: fixed_point(EluPlusOne(), q, k, v, causal=True))
    spoilt = attend(k.at[4:].set(9.0), v.at[4:].set(-9.0))
    np.testing.assert_array_equal(attend(k, v)[:4], spoilt[:4])
    assert not np.allclose(attend(k, v)[4:], spoilt[4:])


class Silent(AbstractFeatureMap):
    """Features of both signs that sum to zero, or of one sign that stay below it."""

    sign: float = eqx.field(static=True)

    def queries(self, q, k):
        return jnp.full((len(q), 2), 1.0)

    def keys(self, k):
        return jnp.tile(jnp.array([[1.0, self.sign]]), (len(k), 1))


@both_forms
@pytest.mark.parametrize("sign", [-1.0, -2.0, jnp.nan])
def test_features_that_sum_to_zero_are_refused(attend, sign):
    with pytest.raises(ValueError, match="query 0 is not positive: its features sum to zero"):
        attend(Silent(sign), *tokens())


@both_forms
def test_features_that_sum_to_zero_are_refused_under_jit(attend):
    with pytest.raises(eqx.EquinoxRuntimeError, match="features sum to zero"):
        eqx.filter_jit(attend)(Silent(-1.0), *tokens())


def test_signed_features_are_admitted_while_their_sum_is_positive():
    features = Trigonometric(200, SIZE, key=jax.random.key(2))
    q, k, v = (0.3 * x for x in tokens())
    assert features.keys(k).min() < 0
    expected = linear_attention(features, q, k, v)
    np.testing.assert_allclose(fixed_point(features, q, k, v), expected, rtol=1e-12)


EVERY = {**LINEAR, "softmax": lambda features, *a, **options: softmax_attention(*a, **options)}
every_form = pytest.mark.parametrize("attend", EVERY.values(), ids=EVERY)


@every_form
def test_nothing_written_is_refused(attend):
    nothing = jnp.zeros(TOKENS, bool)
    with pytest.raises(ValueError, match="nothing was written: every token that query 0"):
        attend(EluPlusOne(), *tokens(), mask=nothing)
    with pytest.raises(ValueError, match="Leave at least one token unmasked"):
        attend(EluPlusOne(), *tokens(), mask=~nothing.at[0].set(True), causal=True)


@every_form
@pytest.mark.parametrize(
    ("shapes", "options", "words"),
    [
        (
            ((2, 7, 4), (7, 4), (7, 2)),
            {},
            r"q must be a floating-point array of shape \(tokens, d\)",
        ),
        (((7, 3), (7, 4), (7, 2)), {}, "q and k must have the same size d"),
        (((7, 4), (7, 4), (6, 2)), {}, "one value for each key"),
        (((7, 4), (0, 4), (0, 2)), {}, "at least one token"),
        (((5, 4), (7, 4), (7, 2)), {"causal": True}, "as many queries as tokens, got 5 and 7"),
        (
            ((7, 4), (7, 4), (7, 2)),
            {"mask": jnp.ones(6, bool)},
            r"mask must be boolean of shape \(7,\)",
        ),
        (((7, 4), (7, 4), (7, 2)), {"mask": jnp.ones(7)}, "dtype float64"),
    ],
)
def test_shapes_that_do_not_fit(attend, shapes, options, words):
    with pytest.raises(ValueError, match=words):
        attend(EluPlusOne(), *(jnp.ones(shape) for shape in shapes), **options)


@every_form
def test_integer_tokens_are_refused(attend):
    with pytest.raises(ValueError, match="and dtype int64"):
        attend(EluPlusOne(), *(x.astype(int) for x in tokens()))
