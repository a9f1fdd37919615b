"""Random queries, keys and values on which the attention theorems are checked."""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tripartite.attention import (
    AbstractFeatureMap,
    EluPlusOne,
    GaussHermite,
    Hyperbolic,
    OneProcessPerToken,
    PositiveRandom,
    Taylor,
    Trigonometric,
    linear_attention,
)
from tripartite.proofs.certificate import machine_epsilon

NEURONS = 4
# Every map below has as many features, so that one compiled circuit serves them all.
FEATURES = 36
TOKENS = 36
QUERIES = 2
# Inputs of signed maps are kept to denominators of at least 1/10 of the sum of magnitudes.
CANCELLATION = 10.0


class Case(NamedTuple):
    """A feature map with queries (queries, d), keys (tokens, d) and values (tokens, neurons)."""

    name: str
    features: AbstractFeatureMap
    q: Float[Array, "queries d"]
    k: Float[Array, "tokens d"]
    v: Float[Array, "tokens neurons"]

    def rates(self) -> tuple[Array, Array]:
        """The features of the queries and of the keys."""
        return self.features.queries(self.q, self.k), self.features.keys(self.k)

    def target(self) -> Float[Array, "queries neurons"]:
        """Linear attention, token by token."""
        return linear_attention(self.features, self.q, self.k, self.v)

    def conditioning(self) -> Array:
        """The smallest denominator over the sum of its terms' magnitudes: 1 if all are positive."""
        queries, keys = self.rates()
        weights = queries @ keys.T
        magnitudes = jnp.abs(queries) @ jnp.abs(keys).T
        return jnp.min(jnp.sum(weights, -1) / jnp.sum(magnitudes, -1))


@eqx.filter_jit
def smallest_conditioning(cases: list[Case]) -> Array:
    """Of all the maps: at least 1 / `CANCELLATION`."""
    return jnp.min(jnp.stack([case.conditioning() for case in cases]))


def draw(seed: int, *shapes: tuple[int, ...]) -> list[Array]:
    """Standard normal arrays in the precision in force; NumPy's, which need no compilation."""
    rng = np.random.default_rng(seed)
    return [jnp.asarray(rng.standard_normal(shape), dtype=float) for shape in shapes]


def feature_cases(seed: int) -> list[Case]:
    """Eight feature maps, each with `FEATURES` features; two have negative entries.

    Unstabilised, so that the denominators, hence the calcium, are of one size for all of them.
    """
    keys = jax.random.split(jax.random.key(seed), 4)
    # Of elu(x) + 1 the exponential branch mostly: elsewhere 36 features of order 1 for 36 tokens
    # make a calcium, and so a relaxation rate, of 1,300.
    maps: list[tuple[str, AbstractFeatureMap, int, float, float]] = [
        ("elu + 1", EluPlusOne(), FEATURES, 0.3, -1.7),
        ("positive random", PositiveRandom(36, 8, key=keys[0], stabilise=False), 8, 0.35, 0.0),
        (
            "positive random, orthogonal",
            PositiveRandom(36, 8, key=keys[1], orthogonal=True, stabilise=False),
            8,
            0.35,
            0.0,
        ),
        ("hyperbolic", Hyperbolic(18, 8, key=keys[2], stabilise=False), 8, 0.35, 0.0),
        ("trigonometric (signed)", Trigonometric(18, 8, key=keys[3], stabilise=False), 8, 0.4, 0.0),
        ("Taylor (signed)", Taylor(2), 7, 0.4, 0.0),
        ("Gauss-Hermite", GaussHermite(6, 2, stabilise=False), 2, 0.5, 0.0),
        ("one process per token", OneProcessPerToken(), 8, 0.5, 0.0),
    ]
    return [
        Case(name, features, *_tokens(seed + 100 * i, size, scale, shift))
        for i, (name, features, size, scale, shift) in enumerate(maps)
    ]


def _tokens(seed: int, size: int, scale: float, shift: float) -> tuple[Array, Array, Array]:
    q, k, v = draw(seed, (QUERIES, size), (TOKENS, size), (TOKENS, NEURONS))
    return shift + scale * q, shift + scale * k, v


def sum_bound(tokens: int, features: int) -> float:
    """`2 (L + M) eps`: the round-off of two ratios of sums over tokens and features.

    Each sum of n terms is off by at most n eps of its terms' magnitudes (Higham 2002, eq. 4.4).
    """
    return 2 * (tokens + features) * machine_epsilon()
