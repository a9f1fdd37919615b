"""The astrocyte attention layer: in Equinox's place, safe, in pieces, token by token, trained."""

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tripartite import astype
from tripartite.attention import (
    AstrocyteAttention,
    EluPlusOne,
    LearnedExponential,
    OneProcessPerToken,
    PositiveRandom,
    Trigonometric,
    linear_time,
)

TOKENS, WIDTH, HEADS = 7, 6, 2
KEY = jax.random.key(0)
slow = pytest.mark.slow
TRIL = np.tril(np.ones((TOKENS, TOKENS), bool))


def text(seed=0, dtype=float, scale=1.0, tokens=TOKENS):
    rng = np.random.default_rng(seed)
    return jnp.asarray(scale * rng.standard_normal((tokens, WIDTH)), dtype)


def layer(**options):
    return AstrocyteAttention(HEADS, WIDTH, key=KEY, **options)


def softmax_layer(**options):
    return layer(features=OneProcessPerToken(), **options)


call = eqx.filter_jit(lambda f, x, **options: f(x, x, x, **options))


def oracle(f, x, allowed, features=None):
    """Head by head and pair by pair in NumPy, from the projections and the features' values."""

    def split(projection):
        return (np.asarray(x) @ np.asarray(projection.weight).T).reshape(len(x), HEADS, -1)

    q, k, v = split(f.query_proj), split(f.key_proj), split(f.value_proj)
    heads = []
    for h in range(HEADS):
        phi = jax.tree.map(lambda a, h=h: a[h], f.features) if f.per_head else f.features
        scaled = [jnp.asarray(a[:, h] / f.qk_size**0.25) for a in (q, k)]
        weights = np.asarray(phi.queries(*scaled)) @ np.asarray(phi.keys(scaled[1])).T
        weights = np.where(allowed, weights, 0.0)
        heads.append(weights @ v[:, h] / weights.sum(-1, keepdims=True))
    return np.concatenate(heads, axis=-1) @ np.asarray(f.output_proj.weight).T


@pytest.mark.parametrize(
    ("options", "given"),
    [
        pytest.param(
            {"qk_size": 4, "vo_size": 5, "output_size": 2, "use_value_bias": True}, {}, marks=slow
        ),
        pytest.param({"use_query_bias": True}, {"mask": TRIL}, marks=slow),
        pytest.param({}, {"mask": np.stack([TRIL, TRIL[::-1, ::-1]])}, marks=slow),
        ({"dropout_p": 0.4, "use_output_bias": True}, {"mask": TRIL, "key": jax.random.key(3)}),
        pytest.param({"dropout_p": 0.4}, {"inference": True}, marks=slow),
        pytest.param({}, {"process_heads": lambda q, k, v: (2.0 * q, k, v[::-1])}, marks=slow),
        pytest.param({}, {}, marks=slow),
    ],
    ids=["sizes", "mask", "mask of heads", "dropout", "inference", "process_heads", "plain"],
)
def test_takes_the_place_of_equinox_s(options, given):
    given = {k: jnp.asarray(v) if isinstance(v, np.ndarray) else v for k, v in given.items()}
    reference = eqx.nn.MultiheadAttention(HEADS, WIDTH, key=KEY, **options)
    ours = softmax_layer(**options)
    np.testing.assert_array_equal(ours.query_proj.weight, reference.query_proj.weight)
    x = text()
    # Sums over 7 tokens of numbers of order 1, in both precisions.
    np.testing.assert_allclose(call(ours, x, **given), call(reference, x, **given), atol=1e-12)
    if set(given) & {"process_heads", "inference"}:
        return
    single = call(astype(ours, jnp.float32), astype(x, jnp.float32), **given)
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, call(reference, x, **given), atol=1e-5)


@slow
def test_made_of_equinox_s():
    reference = eqx.nn.MultiheadAttention(HEADS, WIDTH, key=jax.random.key(5))
    ours = AstrocyteAttention.of(reference, features=OneProcessPerToken(), key=KEY)
    x = text()
    np.testing.assert_allclose(call(ours, x), call(reference, x), atol=1e-12)


@slow
def test_other_features_are_not_softmax():
    x = text()
    assert np.max(np.abs(call(layer(), x) - call(softmax_layer(), x))) > 1e-2


MAPS = {
    "learned, of each head": (None, ()),
    "positive random": (PositiveRandom(9, WIDTH // HEADS, key=KEY), slow),
    "elu": (EluPlusOne(), slow),
}


@pytest.mark.parametrize(
    "features", [pytest.param(f, marks=marks, id=name) for name, (f, marks) in MAPS.items()]
)
def test_linear_time_against_numpy(features):
    """Whole, causal, padded: each in one piece and by pairs."""
    f, x = layer(features=features), text()
    every = np.ones((TOKENS, TOKENS), bool)
    padded = np.arange(TOKENS) < 5
    np.testing.assert_allclose(call(f, x), oracle(f, x, every), atol=1e-12)
    np.testing.assert_allclose(call(f, x, causal=True), oracle(f, x, TRIL), atol=1e-12)
    found = call(f, x, causal=True, mask=jnp.asarray(padded))
    np.testing.assert_allclose(found, oracle(f, x, TRIL & padded), atol=1e-12)
    np.testing.assert_allclose(call(f, x, mask=jnp.asarray(TRIL)), oracle(f, x, TRIL), atol=1e-12)


def heads(tokens, seed=0, d=3, scale=1.0, dtype=float):
    rng = np.random.default_rng(seed)
    shapes = [(tokens, HEADS, d)] * 2 + [(tokens, HEADS, 2)]
    drawn = [rng.standard_normal(shape) for shape in shapes]
    drawn[0], drawn[1] = scale * drawn[0], scale * drawn[1]
    return tuple(jnp.asarray(x, dtype) for x in drawn)


@slow
@pytest.mark.parametrize(
    ("features", "causal"),
    [
        (PositiveRandom(5, 3, key=KEY), True),
        (PositiveRandom(5, 3, key=KEY), False),
        (Trigonometric(40, 3, key=KEY), True),
        (Trigonometric(40, 3, key=KEY), False),
    ],
)
def test_pieces_and_padding_change_nothing(features, causal):
    """23 tokens in pieces of 4 are six pieces and a padded token."""
    mask = jnp.arange(23) != 9
    run = jax.jit(
        lambda tokens, size: jnp.sin(
            linear_time(features, *tokens, causal=causal, mask=mask, piece=size)
        ),
        static_argnums=1,
    )
    tokens = heads(23, scale=0.4)
    np.testing.assert_allclose(run(tokens, 4), run(tokens, 64), rtol=1e-11, atol=1e-12)


@slow
@pytest.mark.parametrize("causal", [False, True])
def test_gradients_in_pieces(causal):
    features = PositiveRandom(5, 3, key=KEY)
    mask = jnp.arange(23) != 9

    def loss(tokens, size):
        return jnp.sum(
            jnp.sin(linear_time(features, *tokens, causal=causal, mask=mask, piece=size))
        )

    one, many = (jax.jit(jax.grad(loss), static_argnums=1)(heads(23), size) for size in (64, 4))
    chex.assert_trees_all_close(one, many, rtol=1e-11, atol=1e-12)


def far(tokens, dtype):
    """Exponents of thousands, which no precision's exponential can hold; late ones the largest."""
    q, k, v = heads(tokens, scale=300.0, dtype=dtype)
    return q, k * jnp.linspace(0.01, 4.0, tokens, dtype=dtype)[:, None, None], v


@pytest.mark.parametrize(
    ("causal", "dtype"),
    [
        (True, jnp.float32),
        pytest.param(False, jnp.float32, marks=slow),
        pytest.param(True, jnp.bfloat16, marks=slow),
        pytest.param(False, jnp.bfloat16, marks=slow),
    ],
)
def test_features_beyond_every_exponent(causal, dtype):
    features = LearnedExponential(3, 8, key=KEY)
    q, k, v = far(40, dtype)

    def loss(tokens):
        out = linear_time(astype(features, jnp.float32), *tokens, causal=causal, piece=8)
        return jnp.sum(out.astype(jnp.float32) ** 2), out

    gradient, out = eqx.filter_jit(jax.grad(loss, has_aux=True))((q, k, v))
    chex.assert_tree_all_finite((gradient, out))
    assert out.dtype == dtype
    # Logarithms in float64, by NumPy.
    w = np.asarray(features.query_weights)
    expected = np.zeros(out.shape)
    for h in range(HEADS):
        a, b = (np.asarray(x[:, h], np.float64) @ w.T for x in (q, k))
        pairs = np.logaddexp.reduce(
            np.concatenate([s * (a[:, None] + b[None]) for s in (1.0, -1.0)], axis=-1), axis=-1
        )
        pairs = np.where(np.tri(40, dtype=bool), pairs, -np.inf) if causal else pairs
        weights = np.exp(pairs - pairs.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        expected[:, h] = weights @ np.asarray(v[:, h], np.float64)
    # Exponents of up to 5,000 are rounded to 2e-4 and 5e-4 each in float32; a weight moves by as
    # much. The output is rounded to its own precision.
    bound = 5e-3 if dtype == jnp.float32 else 2e-2
    np.testing.assert_allclose(np.asarray(out, np.float64), expected, atol=bound)


@slow
def test_masked_pairs_beyond_every_exponent():
    """A query that may only read tokens whose features are the faintest of all."""
    f = layer(features=LearnedExponential(3, 8, key=KEY))
    x = text(scale=300.0) * jnp.linspace(0.01, 4.0, TOKENS)[:, None]
    single = call(astype(f, jnp.float32), astype(x, jnp.float32), mask=jnp.asarray(TRIL))
    causal = call(f, x, causal=True)
    # Rounding as above, times values of up to 1,200.
    np.testing.assert_allclose(single, causal, rtol=0, atol=5e-3 * float(jnp.abs(x).max()))


@slow
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("causal", [False, True])
def test_16k_tokens(dtype, causal):
    features = LearnedExponential(3, 8, key=KEY)
    tokens = heads(16_384, scale=4.0, dtype=dtype)
    run = jax.jit(
        lambda f, *t: jax.value_and_grad(
            lambda t: jnp.mean(linear_time(f, *t, causal=causal).astype(t[2].dtype) ** 2)
        )(t)
    )
    found = run(astype(features, jnp.float32), *tokens)
    chex.assert_tree_all_finite(found)
    exact = run(features, *(x.astype(float) for x in tokens))
    bound = 1e-4 if dtype == jnp.float32 else 3e-2
    np.testing.assert_allclose(float(found[0]), float(exact[0]), rtol=bound)


def temporaries(tokens, gradient):
    """Bytes that XLA sets aside, over those of the queries; nothing is run."""
    shape = jax.ShapeDtypeStruct((tokens, 8, 64), jnp.float32)
    features = astype(LearnedExponential(64, 128, key=KEY), jnp.float32)

    def attend(q, k, v):
        return linear_time(features, q, k, v, causal=True, scale=64**-0.25)

    run = jax.grad(lambda *a: jnp.sum(attend(*a)), argnums=(0, 1, 2)) if gradient else attend
    compiled = jax.jit(run).lower(shape, shape, shape).compile()
    return compiled.memory_analysis().temp_size_in_bytes / (tokens * 8 * 64 * 4)


def test_causal_memory_is_below_four_times_the_queries():
    assert temporaries(4096, False) < 4.0


@slow
def test_causal_memory_is_linear():
    at = {tokens: temporaries(tokens, False) for tokens in (2048, 16_384)}
    assert all(share < 4.0 for share in at.values()), at
    # Linear: a share that does not grow.
    assert at[16_384] <= at[2048], at


@slow
def test_causal_memory_of_a_gradient():
    at = {tokens: temporaries(tokens, True) for tokens in (2048, 8192)}
    assert at[8192] <= at[2048], at
    # Its three results, the states between pieces, and a piece.
    assert at[8192] < 5.0, at


@pytest.mark.parametrize(
    ("features", "options"),
    [
        (None, {"mode": "ode", "time": 2.0}),
        pytest.param(None, {}, marks=slow),
        pytest.param(EluPlusOne(), {}, marks=slow),
        pytest.param(EluPlusOne(), {"mode": "ode", "time": 2.0}, marks=slow),
    ],
)
def test_decoding_is_the_causal_form(features, options):
    f, x = layer(features=features, **options), text(scale=3.0)

    def token(state, one):
        return f.decode(state, one)

    last, lines = jax.jit(lambda x: jax.lax.scan(token, f.init_state(), x))(x)
    np.testing.assert_allclose(lines, call(f, x, causal=True), rtol=0, atol=1e-10)
    assert last.synapses.shape == (HEADS, 6 if features is None else 3, WIDTH // HEADS)
    spoilt, _ = f.decode(last, x[0])
    assert not np.allclose(f.decode(spoilt, x[1])[1], f.decode(last, x[1])[1])


@slow
def test_decoding_does_not_overflow():
    f = astype(layer(), jnp.float32)
    x = (
        text(scale=1e3, dtype=jnp.float32, tokens=12)
        * jnp.linspace(0.01, 3.0, 12, dtype=jnp.float32)[:, None]
    )
    last, lines = jax.jit(
        lambda x: jax.lax.scan(lambda s, one: f.decode(s, one), f.init_state(), x)
    )(x)
    chex.assert_tree_all_finite((last, lines))
    assert last.synapses.dtype == jnp.float32


@slow
def test_batches_by_vmap_under_jit():
    f, batch = layer(), jnp.stack([text(1), text(2)])
    found = eqx.filter_jit(jax.vmap(lambda x: f(x, x, x, causal=True)))(batch)
    for one, x in zip(found, batch, strict=True):
        np.testing.assert_allclose(one, oracle(f, x, TRIL), atol=1e-12)


def test_training_through_the_circuit_lowers_a_loss():
    """To copy the first token to the end: the features are trained with the projections."""
    model = layer()
    texts = jnp.stack([text(seed) for seed in range(16)])
    optimiser = optax.sgd(0.3, momentum=0.9)

    def loss(model):
        out = jax.vmap(lambda x: model(x, x, x, causal=True))(texts)
        return jnp.mean((out[:, -1] - texts[:, 0]) ** 2)

    @eqx.filter_jit
    def train(model):
        arrays, rest = eqx.partition(model, eqx.is_inexact_array)

        def step(carry, _):
            arrays, state = carry
            value, slope = jax.value_and_grad(lambda a: loss(eqx.combine(a, rest)))(arrays)
            updates, state = optimiser.update(slope, state)
            return (optax.apply_updates(arrays, updates), state), (value, slope)

        _, (values, slopes) = jax.lax.scan(step, (arrays, optimiser.init(arrays)), length=60)
        return values, slopes

    values, slopes = train(model)
    assert values[-1] < 0.6 * values[0], values
    chex.assert_tree_all_finite(slopes)
    assert all(np.any(x != 0) for x in jax.tree.leaves(slopes.features))


def test_saved_and_loaded(tmp_path):
    f, other = layer(), AstrocyteAttention(HEADS, WIDTH, key=jax.random.key(9))
    eqx.tree_serialise_leaves(tmp_path / "layer.eqx", f)
    loaded = eqx.tree_deserialise_leaves(tmp_path / "layer.eqx", other)
    x = text()
    np.testing.assert_array_equal(call(loaded, x), call(f, x))
    assert not np.allclose(call(other, x), call(f, x))
