"""Feature maps to be trained: exponentials of the queries and, by other weights, of the keys."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from tripartite.attention.features import (
    AbstractPositiveFeatureMap,
    Rates,
    Tokens,
    require_tokens,
)
from tripartite.core import AbstractParametrised, Parameter, constant, parameter
from tripartite.core.arguments import checked


class LearnedExponential(AbstractPositiveFeatureMap):
    """`phi(x) = exp(+-(W x + b))`, with a W and a b of the queries and others of the keys.

    All features are positive. At the start W is the identity (beyond d rows, random rotations of
    it), the same for queries and keys, and b is zero: with both signs, the product of features is
    `2 sum_i cosh((W q + W k)_i)`. Kernels of this form are learned to imitate softmax attention by
    Zhang et al. 2024, The hedgehog and the porcupine (arXiv 2402.04347).

    A pytree like any Equinox module: train it with optax, save it with
    `equinox.tree_serialise_leaves`. For many heads, stack one for each (`jax.vmap` over keys).

    **Arguments:**

    - `dimension`: d, the size of a query.
    - `features`: m, the number of hidden neurons.
    - `both_signs`: pair each exponent with its negative; m must be even.
    - `stabilise`: see `AbstractPositiveFeatureMap`.
    - `key`: random key of the rotations.

    Fields: `query_weights` and `key_weights`, shape (m/2, d) with both signs, else (m, d);
    `query_bias` and `key_bias`, of as many entries as rows; pure numbers.

    **Raises:** `ValueError` if a size is below 1, m is odd with both signs, or a token has another
    size than `dimension`.
    """

    both_signs: bool = constant(static=True)
    stabilise: bool = constant(static=True)
    query_weights: Parameter = parameter(None, "1", doc="W of the queries")
    query_bias: Parameter = parameter(None, "1", doc="b of the queries")
    key_weights: Parameter = parameter(None, "1", doc="W of the keys")
    key_bias: Parameter = parameter(None, "1", doc="b of the keys")

    @checked
    def __init__(
        self,
        dimension: int,
        features: int,
        *,
        both_signs: bool = True,
        stabilise: bool = True,
        key: PRNGKeyArray,
    ):
        if dimension < 1 or features < 1 or (both_signs and features % 2):
            raise ValueError(
                "dimension and features must each be at least 1, and features even with both "
                f"signs, got dimension={dimension} and features={features}. Give an even number "
                "of features, or both_signs=False."
            )
        rows = features // 2 if both_signs else features
        self.both_signs, self.stabilise = both_signs, stabilise
        self.query_weights = self.key_weights = _rotations(rows, dimension, key)
        self.query_bias = self.key_bias = jnp.zeros((rows,))

    def _exponents(self, name: str, x: Tokens, weights: Array, bias: Array) -> Rates:
        require_tokens(name, x, weights.shape[1])
        half = x @ weights.T + bias[None, :]
        return jnp.concatenate([half, -half], axis=-1) if self.both_signs else half

    def log_queries(self, q: Tokens, k: Tokens) -> Rates:
        return self._exponents("q", q, self.query_weights, self.query_bias)

    def log_keys(self, k: Tokens) -> Rates:
        return self._exponents("k", k, self.key_weights, self.key_bias)


def _rotations(rows: int, dimension: int, key: PRNGKeyArray) -> Float[Array, "rows d"]:
    """The identity's rows, then those of as many random orthogonal matrices as are needed."""
    more = -(-rows // dimension) - 1
    blocks = [jnp.eye(dimension)]
    if more:
        gaussian = jax.random.normal(key, (more, dimension, dimension))
        blocks.append(jnp.linalg.qr(gaussian)[0].reshape(more * dimension, dimension))
    return jnp.concatenate(blocks)[:rows]


class Bend(AbstractParametrised):
    """`x + V tanh(U x + s)`: what stands before a neuron's tuning curve, to be trained.

    Fields: `inward` U, shape (h, d); `offset` s, shape (h,); `outward` V, shape (d, h).
    """

    inward: Parameter = parameter(None, "1", doc="U, into the units")
    offset: Parameter = parameter(None, "1", doc="s, of the units")
    outward: Parameter = parameter(None, "1", doc="V, out of the units")

    def __init__(self, dimension: int, hidden: int, *, key: PRNGKeyArray):
        first, second = jax.random.split(key)
        self.inward = jax.random.normal(first, (hidden, dimension)) / dimension**0.5
        self.offset = jnp.zeros((hidden,))
        self.outward = 0.1 * jax.random.normal(second, (dimension, hidden)) / max(hidden, 1) ** 0.5

    def __call__(self, x: Tokens) -> Tokens:
        return x + jnp.tanh(x @ self.inward.T + self.offset[None, :]) @ self.outward.T


class LearnedGaussian(AbstractPositiveFeatureMap):
    """`phi_n(q) = exp(w_n.q' + b_n)` and `psi_n(k) = exp(u_n.k' + c_n - |A k|^2 / 2)`: m features.

    In the space of keys each hidden neuron has a Gaussian tuning curve: with `A' A mu_n = u_n`, the
    logarithm of psi_n is `-|A (k - mu_n)|^2 / 2` and a number of the neuron's own, where k' = k.
    All curves of a head have one width, A, and centres and heights of their own. `PositiveRandom`
    is the case A = 1, w = u, of fixed random centres (`|q|^2 / 2` cancels as a factor of the
    query's own). With `hidden` units tuning is bent: `q' = q + V tanh(U q + s)`, and so is k', with
    V, U and s of its own.

    At the start w and u are the rows of a `LearnedExponential` with both signs, b = c = s = 0, A is
    0.3 times the identity, V is small. A pytree like any Equinox module; for many heads, stack one
    for each (`jax.vmap` over keys). Saved by `save_feature_maps`.

    **Arguments:**

    - `dimension`: d, the size of a query.
    - `features`: m, the number of hidden neurons; even.
    - `hidden`: h, the number of units that bend; by default none.
    - `stabilise`: see `AbstractPositiveFeatureMap`.
    - `key`: random key of the rotations and of U and V.

    Fields: `query_weights` w and `key_weights` u, shape (m, d); `query_bias` b and `key_bias` c,
    shape (m,); `width` A, shape (d, d); `query_bend` and `key_bend`; pure numbers.

    **Raises:** `ValueError` if dimension or features is below 1, m is odd, hidden is negative, or a
    token has another size than `dimension`.
    """

    query_bend: Bend
    key_bend: Bend
    stabilise: bool = constant(static=True)
    query_weights: Parameter = parameter(None, "1", doc="w, of the queries")
    query_bias: Parameter = parameter(None, "1", doc="b, of the queries")
    key_weights: Parameter = parameter(None, "1", doc="u, of the keys")
    key_bias: Parameter = parameter(None, "1", doc="c, of the keys")
    width: Parameter = parameter(None, "1", doc="A, which turns and scales the keys")

    @checked
    def __init__(
        self,
        dimension: int,
        features: int,
        *,
        hidden: int = 0,
        stabilise: bool = True,
        key: PRNGKeyArray,
    ):
        if dimension < 1 or features < 1 or features % 2 or hidden < 0:
            raise ValueError(
                "dimension must be at least 1, features an even number above 0 and hidden not "
                f"negative, got dimension={dimension}, features={features} and hidden={hidden}."
            )
        of_rows, of_queries, of_keys = jax.random.split(key, 3)
        half = _rotations(features // 2, dimension, of_rows)
        self.stabilise = stabilise
        self.query_weights = self.key_weights = jnp.concatenate([half, -half])
        self.query_bias = self.key_bias = jnp.zeros((features,))
        self.width = 0.3 * jnp.eye(dimension)
        self.query_bend = Bend(dimension, hidden, key=of_queries)
        self.key_bend = Bend(dimension, hidden, key=of_keys)

    def log_queries(self, q: Tokens, k: Tokens) -> Rates:
        require_tokens("q", q, self.query_weights.shape[1])
        return self.query_bend(q) @ self.query_weights.T + self.query_bias[None, :]

    def log_keys(self, k: Tokens) -> Rates:
        require_tokens("k", k, self.key_weights.shape[1])
        squared = jnp.sum((k @ self.width.T) ** 2, axis=-1, keepdims=True)
        return self.key_bend(k) @ self.key_weights.T + self.key_bias[None, :] - 0.5 * squared
