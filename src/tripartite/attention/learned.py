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
