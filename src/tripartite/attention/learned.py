"""A feature map to be trained: exponentials of two affine maps, one of queries and one of keys."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from tripartite.attention.features import (
    AbstractPositiveFeatureMap,
    Rates,
    Tokens,
    require_tokens,
)
from tripartite.core import Parameter, constant, parameter


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


class LearnedGaussian(AbstractPositiveFeatureMap):
    """`phi_n(q) = exp(w_n.q + b_n)` and `psi_n(k) = exp(u_n.k + c_n - |A k|^2 / 2)`: m features.

    In the space of keys each hidden neuron has a Gaussian tuning curve: with `A' A mu_n = u_n`, the
    logarithm of psi_n is `-|A (k - mu_n)|^2 / 2` and a number of the neuron's own. All curves of a
    head have one width, A, and centres and heights of their own. `PositiveRandom` is the case
    A = 1, w = u, of fixed random centres, where `|q|^2 / 2` cancels as a factor of the query's own.

    At the start w and u are the rows of a `LearnedExponential` with both signs, b = c = 0, and A is
    0.3 times the identity. A pytree like any Equinox module; for many heads, stack one for each
    (`jax.vmap` over keys). Saved by `save_feature_maps`.

    **Arguments:**

    - `dimension`: d, the size of a query.
    - `features`: m, the number of hidden neurons; even.
    - `stabilise`: see `AbstractPositiveFeatureMap`.
    - `key`: random key of the rotations.

    Fields: `query_weights` w and `key_weights` u, shape (m, d); `query_bias` b and `key_bias` c,
    shape (m,); `width` A, shape (d, d); pure numbers.

    **Raises:** `ValueError` if a size is below 1, m is odd, or a token has another size than
    `dimension`.
    """

    stabilise: bool = constant(static=True)
    query_weights: Parameter = parameter(None, "1", doc="w, of the queries")
    query_bias: Parameter = parameter(None, "1", doc="b, of the queries")
    key_weights: Parameter = parameter(None, "1", doc="u, of the keys")
    key_bias: Parameter = parameter(None, "1", doc="c, of the keys")
    width: Parameter = parameter(None, "1", doc="A, which turns and scales the keys")

    def __init__(
        self, dimension: int, features: int, *, stabilise: bool = True, key: PRNGKeyArray
    ):
        if dimension < 1 or features < 1 or features % 2:
            raise ValueError(
                "dimension must be at least 1 and features an even number above 0, got "
                f"dimension={dimension} and features={features}."
            )
        half = _rotations(features // 2, dimension, key)
        self.stabilise = stabilise
        self.query_weights = self.key_weights = jnp.concatenate([half, -half])
        self.query_bias = self.key_bias = jnp.zeros((features,))
        self.width = 0.3 * jnp.eye(dimension)

    def log_queries(self, q: Tokens, k: Tokens) -> Rates:
        require_tokens("q", q, self.query_weights.shape[1])
        return q @ self.query_weights.T + self.query_bias[None, :]

    def log_keys(self, k: Tokens) -> Rates:
        require_tokens("k", k, self.key_weights.shape[1])
        squared = jnp.sum((k @ self.width.T) ** 2, axis=-1, keepdims=True)
        return k @ self.key_weights.T + self.key_bias[None, :] - 0.5 * squared
