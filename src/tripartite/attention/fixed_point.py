"""Attention without time: linear and softmax references, and the circuit's own fixed point."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from tripartite.attention.features import AbstractFeatureMap, Rates, require_tokens
from tripartite.core.arguments import checked
from tripartite.core.errors import is_concrete
from tripartite.core.numerics import quotient

Mask = Bool[Array, " tokens"] | None


@checked
def softmax_attention(
    q: Float[Array, "queries d"],
    k: Float[Array, "tokens d"],
    v: Float[Array, "tokens d_v"],
    *,
    mask: Mask = None,
    causal: bool = False,
) -> Float[Array, "queries d_v"]:
    """`softmax(q k^T) v`, one head: the reference. Vaswani et al. 2017, equation 1.

    **Arguments:** as for `linear_attention`; `q` and `k` each divided by d^(1/4).

    **Raises:** `ValueError` for wrong shapes, or where a query has no token to attend to.
    """
    check_tokens(q, k, v, mask, causal)
    k, v = forget_masked(k, mask), forget_masked(v, mask)
    allowed = _allowed(q, k, mask, causal)
    number = jnp.sum(allowed, axis=-1, dtype=q.dtype)
    allowed = require_positive("number of tokens", allowed, number, mask, causal)
    scores = jnp.where(allowed, q @ k.T, -jnp.inf)
    return jax.nn.softmax(scores, axis=-1) @ v


@checked
def linear_attention(
    features: AbstractFeatureMap,
    q: Float[Array, "queries d"],
    k: Float[Array, "tokens d"],
    v: Float[Array, "tokens d_v"],
    *,
    mask: Mask = None,
    causal: bool = False,
) -> Float[Array, "queries d_v"]:
    """`sum_s (Q~ . K~_s) v_s / sum_s (Q~ . K~_s)`, one head: the reference, token by token.

    Katharopoulos et al. 2020 (arXiv 2006.16236), equation 4, for any feature map.

    **Arguments:**

    - `features`: gives Q~ and K~.
    - `q`, `k`: each divided by d^(1/4), so that q.k is the usual scaled score.
    - `v`: the values.
    - `mask`: `False` for tokens to leave out (padding); by default all are used.
    - `causal`: query t sees tokens 0 to t; there must be as many queries as tokens.

    For several heads, `jax.vmap` over the leading axis.

    **Raises:** `ValueError` for wrong shapes, where a query has no token to attend to, or where
    its weights do not have a positive sum. Under `jit`, the last is an Equinox run-time error.
    """
    check_tokens(q, k, v, mask, causal)
    k, v = forget_masked(k, mask), forget_masked(v, mask)
    weights = features.queries(q, k) @ features.keys(k).T
    weights = jnp.where(_allowed(q, k, mask, causal), weights, 0.0)
    total = jnp.sum(weights, axis=-1)
    weights = require_positive("sum of its weights", weights, total, mask, causal)
    return quotient(weights @ v, total[:, None])


@checked
def fixed_point(
    features: AbstractFeatureMap,
    q: Float[Array, "queries d"],
    k: Float[Array, "tokens d"],
    v: Float[Array, "tokens d_v"],
    *,
    mask: Mask = None,
    causal: bool = False,
) -> Float[Array, "queries d_v"]:
    """Where the neuron-astrocyte circuit comes to rest, in closed form: its output neurons x*.

    With c_ij the written synapses and p* the calcium once it has spread (arXiv 2311.08135,
    appendix C; N outputs, M features):

        c_ij = (1/M) sum_b v_bi K~_bj        p*   = (1/NM) sum_ij Q~_j sum_s K~_sj
        s*_ij = c_ij / p*                    x*_i = sum_j s*_ij Q~_j

    which *is* linear attention of the features, for any feature map. A masked token is never
    written. Causal: each token is written, then its query is read.

    **Arguments:** as for `linear_attention`. Differentiable; cost linear in the number of tokens.

    **Raises:** `ValueError` for wrong shapes, where nothing was written, or where the calcium does
    not sum to something positive: the circuit then has no stable fixed point. Under `jit`, the
    last is an Equinox run-time error.
    """
    check_tokens(q, k, v, mask, causal)
    query_rates, key_rates = masked_features(features, q, k, mask)
    v = forget_masked(v, mask)
    if causal:
        numerator, calcium = _read_as_written(query_rates, key_rates, v)
    else:
        weights = v.T @ key_rates / key_rates.shape[1]
        numerator = query_rates @ weights.T
        calcium = query_rates @ jnp.sum(key_rates, axis=0) / key_rates.shape[1]
    calcium = require_positive("total calcium", calcium, calcium, mask, causal)
    return numerator / calcium[:, None]


def _read_as_written(
    query_rates: Rates, key_rates: Rates, v: Float[Array, "tokens d_v"]
) -> tuple[Float[Array, "tokens d_v"], Float[Array, " tokens"]]:
    """`sum_j c_ij Q~_j` and p* of each query, right after its own token was written."""
    size = key_rates.shape[1]

    def token(memory: tuple[Array, Array], now: tuple[Array, Array, Array]) -> Any:
        weights, key_sum = memory
        query, rates, value = now
        weights = weights + value[:, None] * rates[None, :] / size
        key_sum = key_sum + rates
        return (weights, key_sum), (weights @ query, query @ key_sum / size)

    empty = (jnp.zeros((v.shape[1], size), v.dtype), jnp.zeros((size,), v.dtype))
    _, (numerator, calcium) = jax.lax.scan(token, empty, (query_rates, key_rates, v))
    return numerator, calcium


def masked_features(
    features: AbstractFeatureMap, q: Array, k: Array, mask: Mask
) -> tuple[Rates, Rates]:
    """Q~ and K~, with the rows of masked tokens silent: they are never written."""
    k = forget_masked(k, mask)
    query_rates, key_rates = features.queries(q, k), features.keys(k)
    if mask is not None:
        key_rates = jnp.where(mask[:, None], key_rates, 0.0)
    return query_rates, key_rates


def forget_masked(tokens: Array, mask: Mask) -> Array:
    """Puts a token that counts in the place of each that does not.

    So that what stands there, be it infinite, reaches neither a maximum over tokens nor a gradient.
    """
    if mask is None:
        return tokens
    return jnp.where(mask[:, None], tokens, tokens[jnp.argmax(mask)][None, :])


def _allowed(q: Array, k: Array, mask: Mask, causal: bool) -> Bool[Array, "queries tokens"]:
    allowed = jnp.ones((q.shape[0], k.shape[0]), bool)
    if mask is not None:
        allowed = allowed & mask[None, :]
    return jnp.tril(allowed) if causal else allowed


def check_tokens(q: Array, k: Array, v: Array, mask: Mask, causal: bool) -> None:
    """**Raises:** `ValueError` if the shapes do not fit together."""
    for name, tokens in (("q", q), ("k", k), ("v", v)):
        require_tokens(name, tokens)
    if q.shape[1] != k.shape[1]:
        raise ValueError(
            f"q and k must have the same size d, got q of shape {q.shape} and k of {k.shape}."
        )
    if v.shape[0] != k.shape[0] or k.shape[0] == 0:
        raise ValueError(
            "there must be one value for each key and at least one token, got "
            f"k of shape {k.shape} and v of {v.shape}."
        )
    if mask is not None and (mask.shape != k.shape[:1] or mask.dtype != bool):
        raise ValueError(
            f"mask must be boolean of shape {k.shape[:1]}, True for the tokens that count, got "
            f"shape {mask.shape} and dtype {mask.dtype}."
        )
    if causal and q.shape[0] != k.shape[0]:
        raise ValueError(
            "causal attention reads one query after each token: give as many queries as tokens, "
            f"got {q.shape[0]} and {k.shape[0]}."
        )


def require_positive(name: str, value: Array, amounts: Array, mask: Mask, causal: bool) -> Array:
    """Returns `value` if every query's amount is positive, and not so small that terms underflow.

    **Raises:** `ValueError` if `amounts` is concrete; an Equinox run-time error under `jit`.
    """
    limits = jnp.finfo(amounts.dtype)
    # Below, terms of the sum have underflowed, and the gradient of a quotient overflows.
    least = float(limits.tiny / limits.eps)
    return raise_if(
        require_written(value, mask, causal),
        ~(amounts > least),
        f"the {name} of query {{index}} is not positive: its features sum to zero (or below, or to "
        f"NaN, or to less than {least:.0e}) over the tokens written, and there is nothing to "
        "divide by. Scale q and k down, or take a positive feature map or more features.",
    )


def require_written(value: Array, mask: Mask, causal: bool) -> Array:
    """Returns `value` if every query has a token to read; raises as `require_positive` does."""
    if mask is None:
        return value
    written = jax.lax.cummax(mask.astype(int)) if causal else jnp.any(mask)[None].astype(int)
    return raise_if(
        value,
        written == 0,
        "nothing was written: every token that query {index} could read is masked. Leave at "
        "least one token unmasked (in causal use, the first).",
    )


def raise_if(value: Array, bad: Array, message: str) -> Array:
    """Returns `value`, or raises `message`, its `{index}` replaced by the first bad entry's.

    **Raises:** `ValueError` if `bad` is concrete, an Equinox run-time error otherwise.
    """
    if is_concrete(bad):
        wrong = np.flatnonzero(np.asarray(bad))
        if wrong.size:
            raise ValueError(message.format(index=wrong[0]))
        return value
    return eqx.error_if(value, bad, message.format(index="one"))
