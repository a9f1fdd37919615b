"""Trained feature maps: the Gaussian map against NumPy; files that say what is wrong with them."""

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tripartite import astype
from tripartite.attention import (
    EluPlusOne,
    LearnedExponential,
    LearnedGaussian,
    PositiveRandom,
    fixed_point,
    linear_attention,
    load_feature_maps,
    save_feature_maps,
)
from tripartite.core import archive

KEY = jax.random.key(0)
SIZE, FEATURES, HIDDEN, HEADS, TOKENS = 3, 4, 2, 2, 5


def trained(seed=0, scale=1.0):
    """A Gaussian map with no two numbers alike, as after training."""
    features = LearnedGaussian(SIZE, FEATURES, hidden=HIDDEN, key=KEY)
    leaves, tree = jax.tree.flatten(features)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    moved = [x + scale * jax.random.normal(k, x.shape) for x, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, moved)


def stacked(make=LearnedGaussian):
    return jax.vmap(lambda key: make(SIZE, FEATURES, key=key))(jax.random.split(KEY, HEADS))


def tokens(scale=1.0, dtype=float):
    rng = np.random.default_rng(0)
    return [jnp.asarray(scale * rng.standard_normal((TOKENS, SIZE)), dtype) for _ in range(3)]


def bent(bend, x):
    u, s, v = (np.asarray(y) for y in (bend.inward, bend.offset, bend.outward))
    return np.array([row + v @ np.tanh(u @ row + s) for row in np.asarray(x)])


def test_circuit_of_gaussian_maps_is_the_attention_of_their_kernel():
    f, (q, k, v) = trained(), tokens()
    new_q, new_k = bent(f.query_bend, q), bent(f.key_bend, k)
    squared = ((np.asarray(k) @ np.asarray(f.width).T) ** 2).sum(1)
    weights = np.zeros((TOKENS, TOKENS))
    for n in range(FEATURES):
        of_query = np.exp(new_q @ np.asarray(f.query_weights[n]) + float(f.query_bias[n]))
        of_key = np.exp(new_k @ np.asarray(f.key_weights[n]) + float(f.key_bias[n]) - 0.5 * squared)
        weights += np.outer(of_query, of_key)
    expected = weights @ np.asarray(v) / weights.sum(1, keepdims=True)
    for attention in (linear_attention, fixed_point):
        # Exponents up to 50 are off by 50 eps, sums by a few more: 1e-13 is 450 eps.
        np.testing.assert_allclose(attention(f, q, k, v), expected, rtol=1e-13, atol=1e-13)


def test_random_features_are_gaussian_maps_of_unit_width():
    random = PositiveRandom(FEATURES, SIZE, key=KEY)
    same = eqx.tree_at(
        lambda f: (f.query_weights, f.key_weights, f.width),
        LearnedGaussian(SIZE, FEATURES, key=KEY),
        (random.projection, random.projection, jnp.eye(SIZE)),
    )
    expected = linear_attention(random, *tokens())
    np.testing.assert_allclose(linear_attention(same, *tokens()), expected, rtol=1e-13)


def test_gaussian_maps_are_positive_and_finite_in_float32():
    features, (q, k, _) = astype(trained(), jnp.float32), tokens(30.0, jnp.float32)
    exponents = features.log_queries(q, k), features.log_keys(k)
    chex.assert_tree_all_finite(exponents)
    # float32 exponentials end at 88: without the maxima left out, these would overflow.
    assert max(float(x.max()) for x in exponents) > 88
    rates = features.queries(q, k), features.keys(k)
    chex.assert_tree_all_finite(rates)
    assert min(float(x.min()) for x in rates) >= 0


def test_every_part_of_a_gaussian_map_learns():
    """Descent brings it nearer to softmax, and no array is left without a gradient."""
    features, (q, k, v) = trained(scale=0.3), tokens()
    target = jax.nn.softmax(q @ k.T, -1) @ v

    @jax.jit
    def step(features):
        value, slope = jax.value_and_grad(
            lambda f: jnp.mean((linear_attention(f, q, k, v) - target) ** 2)
        )(features)
        return value, slope, jax.tree.map(lambda x, g: x - 0.3 * g, features, slope)

    first, slope, features = step(features)
    assert all(float(jnp.abs(x).max()) > 0 for x in jax.tree.leaves(slope))
    for _ in range(300):
        last, slope, features = step(features)
        chex.assert_tree_all_finite(slope)
    # A gradient of the wrong sign or of noise would not halve it.
    assert last < 0.5 * first


@pytest.mark.parametrize(
    "maps",
    [
        (stacked(), stacked()),
        (trained(),),
        (LearnedExponential(SIZE, 5, both_signs=False, stabilise=False, key=KEY),),
        (stacked(LearnedExponential), trained()),
    ],
    ids=["layers of heads", "one", "one sign", "two kinds"],
)
def test_saved_and_loaded(maps, tmp_path):
    save_feature_maps(tmp_path / "maps", maps)
    chex.assert_trees_all_equal(load_feature_maps(tmp_path / "maps"), maps)


def test_half_precision_rounds_and_nothing_else(tmp_path):
    save_feature_maps(tmp_path / "maps", trained(), dtype=jnp.float16)
    assert (tmp_path / "maps").stat().st_size < 2600
    (loaded,) = load_feature_maps(tmp_path / "maps", jnp.float32)
    for found, given in zip(jax.tree.leaves(loaded), jax.tree.leaves(trained()), strict=True):
        assert found.dtype == jnp.float32
        # float16 keeps 11 bits: half a unit in the last is 2^-11, but 2^-25 near zero.
        np.testing.assert_allclose(found, given, rtol=2.0**-11, atol=2.0**-25)


def rewritten(path, *, change=None, drop=None, maps=None):
    """Saves a map and spoils what the file says of it, sealed like any other."""
    save_feature_maps(path, trained())
    content = archive.read(path, "feature maps")
    arrays = {**content.arrays, **(change or {})}
    if drop:
        del arrays[drop]
    header = content.header if maps is None else {"maps": maps}
    archive.write(path, "feature maps", header, arrays)


def described(**replaced):
    arguments = {"dimension": SIZE, "features": FEATURES, "stabilise": True, "hidden": HIDDEN}
    return [{"class": "LearnedGaussian", "heads": [], "arguments": arguments, **replaced}]


ODD = {"dimension": SIZE, "features": 5, "stabilise": True, "hidden": HIDDEN}
NAN = np.full((FEATURES,), np.nan)
SPOILT = {
    "no maps": ({"maps": []}, "must list at least one map"),
    "not a map": ({"maps": [3]}, "map 0 must say class, heads and arguments, got 3"),
    "heads": ({"maps": described(heads=[1, 2])}, "map 0 must say class, heads"),
    "class": ({"maps": described(**{"class": "Odd"})}, "'Odd', but this version of tripartite kno"),
    "arguments": ({"maps": described(arguments={"features": 4})}, r"needs dimension \(int\)"),
    "size": ({"maps": described(arguments=ODD)}, "features an even number above 0"),
    "shape": ({"maps": described(heads=[7])}, r"0.query_bend.inward must .* shape \(7, 2, 3\)"),
    "whole numbers": ({"change": {"0.width": np.eye(3, dtype=int)}}, "0.width must be floating"),
    "not finite": ({"change": {"0.key_bias": NAN}}, "0.key_bias holds numbers that are not finite"),
    "missing": ({"drop": "0.key_bend.offset"}, "no array '0.key_bend.offset'"),
    "extra": ({"change": {"0.more": NAN}}, "belong to no map: 0.more"),
}


@pytest.mark.parametrize(("spoil", "words"), SPOILT.values(), ids=SPOILT)
def test_a_spoilt_file_says_what_is_wrong(spoil, words, tmp_path):
    rewritten(tmp_path / "maps", **spoil)
    with pytest.raises(ValueError, match=words):
        load_feature_maps(tmp_path / "maps")


def test_a_file_that_is_none(tmp_path):
    with pytest.raises(ValueError, match="there is no file"):
        load_feature_maps(tmp_path / "maps")
    save_feature_maps(tmp_path / "maps", trained())
    whole = (tmp_path / "maps").read_bytes()
    (tmp_path / "maps").write_bytes(whole[:-5])
    with pytest.raises(ValueError, match="is damaged"):
        load_feature_maps(tmp_path / "maps")


@pytest.mark.parametrize(
    ("maps", "words"),
    [
        ((), "no feature map to save"),
        (EluPlusOne(), "only trained maps are saved .* got EluPlusOne"),
        (jax.tree.map(lambda x: x[None], stacked()), "one leading axis, of heads"),
        (trained(scale=1e6), "not finite in float16"),
    ],
    ids=["none", "kind", "axes", "range"],
)
def test_maps_that_cannot_be_saved(maps, words, tmp_path):
    with pytest.raises(ValueError, match=words):
        save_feature_maps(tmp_path / "maps", maps, dtype=jnp.float16)
