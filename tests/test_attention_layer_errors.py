"""What the astrocyte attention layer refuses, by wording."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite.attention import (
    AbstractFeatureMap,
    AstrocyteAttention,
    EluPlusOne,
    OneProcessPerToken,
    PositiveRandom,
    Trigonometric,
)

TOKENS, WIDTH, HEADS = 7, 6, 2
KEY = jax.random.key(0)
TRIL = np.tril(np.ones((TOKENS, TOKENS), bool))


def text():
    return jnp.asarray(np.random.default_rng(0).standard_normal((TOKENS, WIDTH)))


def layer(**options):
    return AstrocyteAttention(HEADS, WIDTH, key=KEY, **options)


def softmax_layer():
    return layer(features=OneProcessPerToken())


call = eqx.filter_jit(lambda f, x, **options: f(x, x, x, **options))


class Silent(AbstractFeatureMap):
    """Features of both signs that sum to zero."""

    def queries(self, q, k):
        return jnp.ones((len(q), 2))

    def keys(self, k):
        return jnp.tile(jnp.array([[1.0, -1.0]]), (len(k), 1))


NOTHING = jnp.zeros(TOKENS, bool)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: AstrocyteAttention(0, 6, key=KEY), "at least one head"),
        (lambda: AstrocyteAttention(8, 6, key=KEY), "num_heads=8 and query_size=6"),
        (lambda: layer(features=[EluPlusOne()]), "one for each of the 2, got 1"),
        (lambda: layer(features=[EluPlusOne(), Silent()]), "of one kind.*EluPlusOne, Silent"),
        (lambda: layer(features=PositiveRandom(4, 5, key=KEY)), r"shape \(tokens, 5\)"),
        (lambda: layer(mode="euler"), "got 'euler'"),
        (lambda: layer(mode="ode"), "give time above 0, got None"),
        (lambda: layer(time=3.0), "the fixed point knows no time"),
        (lambda: layer(mode="ode", time=1.0, steps=0), "steps must be at least 1"),
        (lambda: layer(tau_n=-1.0), "tau_n must be positive"),
        (lambda: layer()(text(), text()[:0], text()[:0]), "sequence of length zero"),
        (lambda: layer()(text()[:0], text(), text()), "got 0 and 7"),
        (lambda: layer()(text()[:, :5], text(), text()), r"query must have shape \(tokens, 6\)"),
        (lambda: layer()(text()[None], text(), text()), "use jax.vmap"),
        (lambda: layer()(text(), text(), text()[:3]), "equal length, got 7 and 3"),
        (lambda: layer()(text()[:3], text(), text(), causal=True), "got 3 and 7"),
        (lambda: layer()(text(), text(), text(), NOTHING[:3]), r"got shape \(3,\)"),
        (lambda: layer()(text(), text(), text(), jnp.ones(TOKENS)), "dtype float64"),
        (lambda: layer()(text(), text(), text(), NOTHING), "nothing was written"),
        (
            lambda: softmax_layer()(text(), text(), text(), jnp.asarray(TRIL).at[4].set(False)),
            "every token is masked for query 4",
        ),
        (lambda: layer(features=Silent())(text(), text(), text()), "features sum to zero"),
        (
            lambda: layer(features=Silent())(text(), text(), text(), jnp.asarray(TRIL)),
            "features sum to zero",
        ),
        (
            lambda: layer()(text(), text(), text(), process_heads=lambda q, k, v: (q, k[1:], v)),
            "must not change the shape",
        ),
        (lambda: softmax_layer().init_state(), "state would grow"),
        (
            lambda: layer(features=Trigonometric(4, 3, key=KEY)).init_state(),
            "make it with stabilise=False",
        ),
        (lambda: layer().circuit(text(), text(), text(), jnp.asarray(TRIL)), "writes each token"),
        (
            lambda: layer(imperfections=tp.attention.Imperfections())(
                text(), text(), text(), jnp.asarray(TRIL)
            ),
            r"give a mask of shape \(tokens,\)",
        ),
        (
            lambda: layer(imperfections=tp.attention.Imperfections()).init_state(),
            "leave imperfections out",
        ),
        (lambda: tp.attention.Imperfections(saturation=-1.0), "saturation must not be negative"),
        (lambda: tp.attention.Imperfections(window=0.0), "window must be positive"),
    ],
)
def test_bad_input(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_bad_values_under_jit():
    with pytest.raises(eqx.EquinoxRuntimeError, match="features sum to zero"):
        call(layer(features=Silent()), text())
    with pytest.raises(eqx.EquinoxRuntimeError, match="nothing was written"):
        call(layer(), text(), mask=NOTHING)
    with pytest.raises(RuntimeError, match="requires a key"):
        call(layer(dropout_p=0.5), text())
