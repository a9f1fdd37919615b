"""Feature maps with negative entries: admissible as mathematics, not as concentrations.

The circuit needs only a positive *sum* of its initial calcium (arXiv 2311.08135, appendix C), so
these maps have the same fixed point. Single processes may start below zero, and a query whose sum
is not positive is an error.
"""

import itertools
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from tripartite.attention.exponential import gaussian_projection
from tripartite.attention.features import AbstractFeatureMap, Rates, Tokens, require_tokens
from tripartite.core import Parameter, parameter
from tripartite.core.arguments import checked, require_fields


class Trigonometric(AbstractFeatureMap):
    """`phi(x) = m^(-1/2) exp(|x|^2 / 2) [sin(W x), cos(W x)]`: 2m features of both signs.

    `E[phi(q) . phi(k)] = exp(q.k)` with the mean square error
    `(1/2m) exp(|q+k|^2) exp(q.k)^(-2) (1 - exp(-|q-k|^2))^2`: good where queries resemble keys, and
    worst where the weight is small. Choromanski et al. 2021 (arXiv 2009.14794), lemmas 1 and 2.

    **Arguments:**

    - `features`: m, the number of projections.
    - `dimension`: d, the size of a query.
    - `key`: random key of the projection.
    - `orthogonal`: rows orthogonal within blocks of d.
    - `stabilise`: leave out each query's own factor and divide all keys by the largest theirs.

    **Raises:** `ValueError` if a size is below 1, or a token has another size than `dimension`.
    """

    stabilise: bool = eqx.field(static=True)
    projection: Parameter = parameter(None, "1", trainable=False)

    @checked
    def __init__(
        self,
        features: int,
        dimension: int,
        *,
        key: PRNGKeyArray,
        orthogonal: bool = False,
        stabilise: bool = True,
    ):
        self.projection = gaussian_projection(features, dimension, orthogonal, key)
        self.stabilise = stabilise

    def _waves(self, name: str, x: Tokens) -> Rates:
        require_tokens(name, x, self.projection.shape[1])
        phase = x @ self.projection.T
        waves = jnp.concatenate([jnp.sin(phase), jnp.cos(phase)], axis=-1)
        return waves / math.sqrt(self.projection.shape[0])

    def queries(self, q: Tokens, k: Tokens) -> Rates:
        waves = self._waves("q", q)
        if self.stabilise:
            return waves
        return waves * jnp.exp(0.5 * jnp.sum(q * q, axis=-1, keepdims=True))

    def keys(self, k: Tokens) -> Rates:
        exponents = 0.5 * jnp.sum(k * k, axis=-1, keepdims=True)
        if self.stabilise:
            exponents = exponents - jax.lax.stop_gradient(jnp.max(exponents))
        return self._waves("k", k) * jnp.exp(exponents)

    def tokenwise(self) -> bool:
        return not self.stabilise


class Taylor(AbstractFeatureMap):
    """`phi_a(x) = x^a / sqrt(a!)` for all multi-indices |a| <= degree: features of both signs.

    `phi(q) . phi(k)` is the Taylor polynomial of exp(q.k) (the multinomial theorem), so the
    error is the series' remainder: at most `|q.k|^(degree+1) exp(|q.k|) / (degree+1)!`.
    There are `(d + degree)! / (d! degree!)` features.

    **Arguments:** `degree`, at least 0.

    **Raises:** `ValueError` if `degree` is negative.
    """

    degree: int = eqx.field(static=True)

    def __check_init__(self):
        require_fields(self)
        if self.degree < 0:
            raise ValueError(f"degree must be at least 0, got {self.degree}.")

    def _monomials(self, name: str, x: Tokens) -> Rates:
        require_tokens(name, x)
        columns = [jnp.ones((x.shape[0], 1), x.dtype)]
        for total in range(1, self.degree + 1):
            chosen = list(itertools.combinations_with_replacement(range(x.shape[1]), total))
            scale = [_inverse_root_factorial(indices) for indices in chosen]
            monomials = jnp.prod(x[:, np.array(chosen)], axis=-1)
            columns.append(monomials * jnp.asarray(scale, x.dtype)[None, :])
        return jnp.concatenate(columns, axis=-1)

    def queries(self, q: Tokens, k: Tokens) -> Rates:
        return self._monomials("q", q)

    def keys(self, k: Tokens) -> Rates:
        return self._monomials("k", k)


def _inverse_root_factorial(indices: tuple[int, ...]) -> float:
    """`1 / sqrt(a!)` of the multi-index that counts how often each axis occurs."""
    return math.prod(math.factorial(indices.count(axis)) for axis in set(indices)) ** -0.5
