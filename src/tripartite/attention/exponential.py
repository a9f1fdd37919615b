"""Feature maps whose product estimates exp(q.k): random, or on a grid of quadrature nodes."""

import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from tripartite.attention.features import AbstractPositiveFeatureMap, Rates, Tokens, require_tokens
from tripartite.core import Parameter, parameter
from tripartite.core.arguments import checked

_PERFORMER = "Choromanski et al. 2021 (arXiv 2009.14794)"


def gaussian_projection(
    features: int, dimension: int, orthogonal: bool, key: PRNGKeyArray
) -> Float[Array, "features d"]:
    """Rows w ~ N(0, I_d); if orthogonal, exactly so within each block of d rows.

    Orthogonal rows keep the lengths of independent Gaussian vectors, so each row's distribution
    is unchanged and the estimate stays unbiased (Choromanski et al. 2021, section 2.4).
    """
    if features < 1 or dimension < 1:
        raise ValueError(
            "features and dimension must each be at least 1, got "
            f"features={features} and dimension={dimension}."
        )
    if not orthogonal:
        return jax.random.normal(key, (features, dimension))
    blocks = -(-features // dimension)
    of_direction, of_length = jax.random.split(key)
    gaussian = jax.random.normal(of_direction, (blocks, dimension, dimension))
    rotation, triangle = jnp.linalg.qr(gaussian)
    # Without the signs of R's diagonal, Q is not uniform over the rotations (Mezzadri 2007).
    signs = jnp.sign(jnp.diagonal(triangle, axis1=-2, axis2=-1))
    directions = (rotation * signs[:, None, :]).reshape(blocks * dimension, dimension)[:features]
    lengths = jnp.linalg.norm(jax.random.normal(of_length, (features, dimension)), axis=-1)
    return directions * lengths[:, None]


def _exponents(grid: Float[Array, "features d"], x: Tokens) -> Rates:
    """`w_n . x - |x|^2 / 2` for every token and feature."""
    return x @ grid.T - 0.5 * jnp.sum(x * x, axis=-1, keepdims=True)


class PositiveRandom(AbstractPositiveFeatureMap):
    """Positive random features (FAVOR+): `phi(x) = m^(-1/2) exp(W x - |x|^2 / 2)`.

    `E[phi(q) . phi(k)] = exp(q.k)` for rows w ~ N(0, I), with the mean square error
    `(1/m) exp(|q+k|^2) exp(q.k)^2 (1 - exp(-|q+k|^2))`: m must exceed exp(|q+k|^2) before a single
    weight can be trusted. Choromanski et al. 2021 (arXiv 2009.14794), lemmas 1 and 2.

    **Arguments:**

    - `features`: m, their number.
    - `dimension`: d, the size of a query.
    - `key`: random key of the projection.
    - `orthogonal`: rows orthogonal within blocks of d, which lowers the error.
    - `stabilise`: subtract each query's largest exponent and one maximum over all keys. The
        attention is unchanged and nothing overflows, but the product of features then estimates
        the kernel up to those factors. The maximum over keys sees later tokens; in causal use it
        cancels to round-off unless their scales differ so much that the earlier ones underflow.

    **Raises:** `ValueError` if a size is below 1, or a token has another size than `dimension`.
    """

    stabilise: bool = eqx.field(static=True)
    projection: Parameter = parameter(None, "1", source=_PERFORMER, trainable=False)

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

    def _scaled_exponents(self, name: str, x: Tokens) -> Rates:
        require_tokens(name, x, self.projection.shape[1])
        return _exponents(self.projection, x) - 0.5 * math.log(self.projection.shape[0])

    def log_queries(self, q: Tokens, k: Tokens) -> Rates:
        return self._scaled_exponents("q", q)

    def log_keys(self, k: Tokens) -> Rates:
        return self._scaled_exponents("k", k)


class Hyperbolic(AbstractPositiveFeatureMap):
    """`phi(x) = (2m)^(-1/2) exp(-|x|^2 / 2) [exp(W x), exp(-W x)]`: 2m positive features.

    Mean square error `(1 - exp(-|q+k|^2)) / 2` times that of m `PositiveRandom` features, hence
    never more than theirs at 2m. Choromanski et al. 2021 (arXiv 2009.14794), lemmas 1 and 2.

    **Arguments:** as for `PositiveRandom`, with `features` the number m of projections.

    **Raises:** `ValueError` if a size is below 1, or a token has another size than `dimension`.
    """

    stabilise: bool = eqx.field(static=True)
    projection: Parameter = parameter(None, "1", source=_PERFORMER, trainable=False)

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

    def _scaled_exponents(self, name: str, x: Tokens) -> Rates:
        require_tokens(name, x, self.projection.shape[1])
        both = jnp.concatenate([self.projection, -self.projection])
        return _exponents(both, x) - 0.5 * math.log(both.shape[0])

    def log_queries(self, q: Tokens, k: Tokens) -> Rates:
        return self._scaled_exponents("q", q)

    def log_keys(self, k: Tokens) -> Rates:
        return self._scaled_exponents("k", k)


class GaussHermite(AbstractPositiveFeatureMap):
    """`phi_n(x) = sqrt(w_n) exp(z_n . x - |x|^2 / 2)` on a grid of quadrature nodes: positive.

    The expectation behind `PositiveRandom`, by Gauss-Hermite quadrature instead of by chance:
    z = sqrt(2) times the nodes and w = the weights over sqrt(pi), per axis, on a tensor grid of
    nodes^d features. It converges spectrally, but its size grows exponentially with d.

    **Arguments:** `nodes` per axis; `dimension` d, the size of a query; `stabilise` as for
    `PositiveRandom`.

    **Raises:** `ValueError` if a size is below 1, or a token has another size than `dimension`.
    """

    stabilise: bool = eqx.field(static=True)
    grid: Parameter = parameter(None, "1", source="Gauss-Hermite nodes", trainable=False)
    weights: Parameter = parameter(
        None, "1", source="Gauss-Hermite weights", positive=True, trainable=False
    )

    @checked
    def __init__(self, nodes: int, dimension: int, *, stabilise: bool = True):
        if nodes < 1 or dimension < 1:
            raise ValueError(
                "nodes and dimension must each be at least 1, got "
                f"nodes={nodes} and dimension={dimension}."
            )
        z, w = np.polynomial.hermite.hermgauss(nodes)
        axes = np.meshgrid(*[np.sqrt(2.0) * z] * dimension, indexing="ij")
        weights = np.meshgrid(*[w / np.sqrt(np.pi)] * dimension, indexing="ij")
        dtype = jnp.result_type(float)
        self.grid = jnp.asarray(np.stack([a.ravel() for a in axes], axis=-1), dtype=dtype)
        self.weights = jnp.asarray(np.prod([a.ravel() for a in weights], axis=0), dtype=dtype)
        self.stabilise = stabilise

    def _scaled_exponents(self, name: str, x: Tokens) -> Rates:
        require_tokens(name, x, self.grid.shape[1])
        return _exponents(self.grid, x) + 0.5 * jnp.log(self.weights)[None, :]

    def log_queries(self, q: Tokens, k: Tokens) -> Rates:
        return self._scaled_exponents("q", q)

    def log_keys(self, k: Tokens) -> Rates:
        return self._scaled_exponents("k", k)
