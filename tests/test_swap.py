"""A transformer whose every attention is a circuit's, against BERT with that attention in NumPy."""

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tripartite.attention import (
    CircuitHeads,
    EluPlusOne,
    LearnedExponential,
    OneProcessPerToken,
    PositiveRandom,
    load_bert,
    swap_attention,
)
from tripartite.proofs.digits_transformer import DigitsTransformer

from .bert_checkpoints import random_tensors, reference_hidden_state, write_checkpoint

IDS = np.array([2, 10, 14, 17, 11, 4, 3])
MASK = np.array([1, 1, 1, 0, 1, 1, 0], bool)
READ = np.flatnonzero(MASK)
# As in test_pretrained: some 1e4 roundings of 1e-16, magnified at most tenfold.
FORMULA = {"rtol": 0, "atol": 1e-10}


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return load_bert(write_checkpoint(tmp_path_factory.mktemp("bert")))


def learned_maps(seed, heads=3, dimension=8, features=12):
    """A map for each head, no two alike, its arrays stacked."""
    start, *moves = jax.random.split(jax.random.key(seed), 5)
    make = eqx.filter_vmap(lambda key: LearnedExponential(dimension, features, key=key))
    maps = make(jax.random.split(start, heads))
    leaves, tree = jax.tree.flatten(maps)
    pairs = zip(leaves, moves, strict=True)
    moved = [x + 0.3 * jax.random.normal(key, x.shape) for x, key in pairs]
    return jax.tree.unflatten(tree, moved)


def learned_weights(maps):
    """`phi(x) = exp(+-(W x + b))` in NumPy, as documented, of each layer and head."""

    def weigh(layer, head, q, k):
        m = maps[layer]
        sides = [
            x @ np.asarray(w[head]).T + np.asarray(b[head])
            for x, w, b in ((q, m.query_weights, m.query_bias), (k, m.key_weights, m.key_bias))
        ]
        of_q, of_k = (np.exp(np.concatenate([x, -x], axis=1)) for x in sides)
        return of_q @ of_k.T

    return weigh


@pytest.fixture(scope="module")
def maps():
    return [learned_maps(1), learned_maps(2)]


@pytest.fixture(scope="module")
def run():
    return eqx.filter_jit(lambda encoder, maps, *tokens: swap_attention(encoder, maps)(*tokens))


def test_one_process_per_token_is_the_model_itself(encoder, run):
    hidden = run(encoder, OneProcessPerToken(), IDS, MASK)
    expected = reference_hidden_state(random_tensors(), IDS, MASK)
    np.testing.assert_allclose(hidden[READ], expected[READ], **FORMULA)


def test_each_head_of_each_layer_has_its_own_map(encoder, maps, run):
    hidden = run(encoder, maps, IDS, MASK)
    weigh = learned_weights(maps)
    expected = reference_hidden_state(random_tensors(), IDS, MASK, weigh=weigh)
    np.testing.assert_allclose(hidden[READ], expected[READ], **FORMULA)
    # Hidden states are of order one: the maps of the two layers are not interchangeable.
    exchanged = reference_hidden_state(
        random_tensors(), IDS, MASK, weigh=learned_weights(maps[::-1])
    )
    assert np.max(np.abs(exchanged - expected)) > 1e-2


def test_one_map_serves_every_head_of_every_layer(encoder, run):
    features = PositiveRandom(16, 8, key=jax.random.key(0))
    projection = np.asarray(features.projection)

    def weigh(layer, head, q, k):
        rates = [np.exp(x @ projection.T - (x * x).sum(1, keepdims=True) / 2) for x in (q, k)]
        return rates[0] @ rates[1].T

    hidden = run(encoder, features, IDS, MASK)
    expected = reference_hidden_state(random_tensors(), IDS, MASK, weigh=weigh)
    np.testing.assert_allclose(hidden[READ], expected[READ], **FORMULA)


def test_a_list_of_maps_for_each_head_is_their_stack(encoder, maps, run):
    lists = [[jax.tree.map(lambda x: x[h], m) for h in range(3)] for m in maps]  # noqa: B023
    chex.assert_trees_all_equal(run(encoder, lists, IDS, MASK), run(encoder, maps, IDS, MASK))


def test_the_maps_can_be_trained_under_jit_vmap_and_grad(encoder, maps):
    """The derivative with respect to every map, along one direction, against a difference."""
    ids = jnp.stack([jnp.asarray(IDS), jnp.asarray(IDS[::-1].copy())])
    masks = jnp.stack([jnp.asarray(MASK), jnp.ones(7, bool)])
    direction = jax.tree.map(jnp.cos, maps)

    @eqx.filter_jit
    def loss(maps):
        hidden = jax.vmap(swap_attention(encoder, maps))(ids, masks)
        return jnp.sum(hidden[:, 0, :3])

    def moved(step):
        return loss(jax.tree.map(lambda x, d: x + step * d, maps, direction))

    grads = eqx.filter_jit(jax.grad(loss))(maps)
    assert all(jnp.any(leaf != 0) for leaf in jax.tree.leaves(grads))
    slope = sum(
        jnp.vdot(g, d)
        for g, d in zip(jax.tree.leaves(grads), jax.tree.leaves(direction), strict=True)
    )
    step = 1e-5
    # Central differences: error of order step^2 plus 1e-15 / step, times derivatives of order ten.
    difference = (moved(step) - moved(-step)) / (2 * step)
    assert float(slope) == pytest.approx(float(difference), abs=1e-7)


def test_exponents_beyond_float32_do_no_harm():
    """Scores of some hundreds: exp(88) is the end of float32; the sums are taken in logarithms."""
    q, k, v = np.random.default_rng(3).normal(size=(3, 2, 6, 8))
    q, k = 40 * q, 40 * k
    maps = learned_maps(4, heads=2)
    single = jax.tree.map(lambda x: x.astype(jnp.float32), (maps, q, k, v))
    circuit = eqx.filter_jit(CircuitHeads(single[0], per_head=True))
    found = circuit(*single[1:], jnp.asarray(MASK[:6]))
    assert found.dtype == jnp.float32
    sides = (q, maps.query_weights, maps.query_bias), (k, maps.key_weights, maps.key_bias)
    for head in range(2):
        half = [x[head] @ np.asarray(w[head]).T + np.asarray(b[head]) for x, w, b in sides]
        of_q, of_k = (np.concatenate([x, -x], axis=1) for x in half)
        assert np.max(np.abs(of_q)) > 88
        logs = np.logaddexp.reduce(of_q[:, None, :] + of_k[None, :, :], axis=2)
        logs = np.where(MASK[None, :6], logs, -np.inf)
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        expected = weights / weights.sum(axis=1, keepdims=True) @ v[head]
        # Exponents of up to 300, rounded by 6e-8 of themselves ten times over; values of three.
        np.testing.assert_allclose(found[head], expected, rtol=0, atol=1e-3)


def test_the_digits_transformer_is_swapped_too():
    model = DigitsTransformer(key=jax.random.key(0))
    image = jnp.linspace(0.0, 1.0, 64).reshape(8, 8)
    swapped = swap_attention(model, [OneProcessPerToken()] * 2)
    both = eqx.filter_jit(lambda image: (swapped(image), model(image)))(image)
    # Sixteen tokens, two layers: as FORMULA.
    chex.assert_trees_all_close(*both, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (
            [learned_maps(1)] * 3,
            r"an entry for each of the 2 layers, got 3 entries",
        ),
        (
            [learned_maps(1), learned_maps(1, heads=4)],
            r"layer 1 has 3 heads, .* leading axis of 3, got shapes \(4, 6, 8\).* Stack one map",
        ),
        (
            [LearnedExponential(8, 12, key=jax.random.key(0))] * 2,
            r"layer 0 has 3 heads, .* leading axis of 3, got shapes \(6, 8\), \(6,\)",
        ),
        (
            [learned_maps(1), learned_maps(1, dimension=4)],
            r"layer 1 has heads of d_head 8, .*\(LearnedExponential\) does not take: q must be .*"
            r"\(tokens, 4\), got shape \(1, 8\)",
        ),
        (
            PositiveRandom(16, 32, key=jax.random.key(0)),
            r"layer 0 has heads of d_head 8, .*\(tokens, 32\), got shape \(1, 8\)",
        ),
        (
            [[EluPlusOne()] * 3, [EluPlusOne()] * 2],
            r"layer 1: features must be one map for all heads or one for each of the 3, got 2",
        ),
    ],
)
def test_maps_that_do_not_fit(encoder, features, message):
    with pytest.raises(ValueError, match=message):
        swap_attention(encoder, features)


def test_a_model_without_open_attention():
    with pytest.raises(ValueError, match=r"model must be an AbstractEncoder, such as .*got Linear"):
        swap_attention(eqx.nn.Linear(2, 2, key=jax.random.key(0)), EluPlusOne())


def test_attention_for_another_number_of_layers(encoder):
    with pytest.raises(ValueError, match=r"one for each of the 2, got 1"):
        encoder(jnp.asarray(IDS), attend=[CircuitHeads(EluPlusOne())])


X = jnp.ones((3, 5, 8))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ((X[0], X, X), r"shape \(heads, tokens, d_head\), .*got \(5, 8\), \(3, 5, 8\)"),
        ((X, X[:, :0], X[:, :0]), r"at least one token, got \(3, 5, 8\), \(3, 0, 8\)"),
        ((X[:, :0],) * 3, r"at least one token, got \(3, 0, 8\)"),
        ((X, X, X[:, :4]), r"a value for each key"),
        ((X, X, X, jnp.ones(5)), r"mask must be boolean of shape \(5,\), .*dtype float64"),
        ((X, X, X, jnp.ones(4, bool)), r"mask must be boolean of shape \(5,\), .*got shape \(4,\)"),
        ((X, X, X, jnp.zeros(5, bool)), r"nothing was written: every token that query 0 could"),
        ((-1e3 * X, X, X), r"the total calcium of query 0 is not positive: its features sum to z"),
    ],
)
def test_what_a_circuit_cannot_attend_to(given, message):
    with pytest.raises(ValueError, match=message):
        CircuitHeads(EluPlusOne())(*given)


def test_all_tokens_masked_under_jit(encoder, run):
    with pytest.raises(eqx.EquinoxRuntimeError, match="nothing was written: every token"):
        run(encoder, OneProcessPerToken(), IDS, np.zeros(7, bool))
