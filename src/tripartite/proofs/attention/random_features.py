"""How well random features estimate the softmax kernel: error formulas and the rate in m."""

import functools
from collections.abc import Callable, Iterator
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from tripartite.attention import (
    AbstractFeatureMap,
    Hyperbolic,
    PositiveRandom,
    Trigonometric,
    linear_attention,
    softmax_attention,
)
from tripartite.core.arguments import checked
from tripartite.core.errors import require_counts
from tripartite.proofs.attention.inputs import draw
from tripartite.proofs.certificate import Claim

_DRAWS = 200_000
_PROJECTIONS = 8
_X = (0.3, -0.2, 0.5, 0.1)
_Y = (-0.4, 0.6, 0.2, 0.3)

_MAPS: dict[str, Callable[..., AbstractFeatureMap]] = {
    "positive": PositiveRandom,
    "hyperbolic": Hyperbolic,
    "trigonometric": Trigonometric,
}

_TOKENS, _SIZE, _SEEDS = 64, 64, 20
FEATURE_COUNTS = (64, 256, 1024, 4096)


def error_formula_claims() -> Iterator[Claim]:
    """The mean square errors of three kernel estimates, Choromanski et al. 2021, lemma 2."""
    gaps = functools.cache(_formula_gaps)
    for name in _MAPS:
        yield Claim(
            name=f"mean square error of {name} random features, {_DRAWS:,} draws, m = 8, d = 4",
            rung="algebra",
            bound=0.05,
            why="relative to the formula; seven standard errors of the measurement, which are 0.7 "
            "% for the heaviest-tailed of the three (fourth moment of a log-normal mean)",
            measure=functools.partial(lambda name: gaps()[name], name),
            float64_only=False,
        )


def _formula_gaps() -> dict[str, float]:
    """The measured mean square errors over their formulas, less one."""
    x, y = np.array(_X), np.array(_Y)
    kernel, plus, minus = np.exp(x @ y), np.sum((x + y) ** 2), np.sum((x - y) ** 2)
    positive = np.exp(plus) * kernel**2 * (1 - np.exp(-plus)) / _PROJECTIONS
    formulas = {
        "positive": positive,
        "hyperbolic": 0.5 * (1 - np.exp(-plus)) * positive,
        "trigonometric": np.exp(plus) / kernel**2 * (1 - np.exp(-minus)) ** 2 / (2 * _PROJECTIONS),
    }

    def square_error(make: Callable[..., AbstractFeatureMap], key: PRNGKeyArray) -> Array:
        features = make(_PROJECTIONS, len(_X), key=key, stabilise=False)
        q, k = jnp.asarray(_X)[None, :], jnp.asarray(_Y)[None, :]
        estimate = jnp.sum(features.queries(q, k) * features.keys(k))
        return (estimate - float(kernel)) ** 2

    @jax.jit
    def measure(keys: PRNGKeyArray) -> list[Array]:
        each = (functools.partial(square_error, make) for make in _MAPS.values())
        return [jnp.mean(jax.vmap(one)(keys)) for one in each]

    measured = measure(jax.random.split(jax.random.key(10), _DRAWS))
    return {
        name: abs(float(error) / float(formulas[name]) - 1)
        for name, error in zip(_MAPS, measured, strict=True)
    }


class FeatureErrors(NamedTuple):
    """Linear attention with m positive random features against softmax attention.

    - `features`: the numbers m.
    - `output`, `normaliser`: relative errors, shape (m, seeds): of the output in the Frobenius
        norm, of the normaliser the median over the queries.
    """

    features: np.ndarray
    output: np.ndarray
    normaliser: np.ndarray

    def slope(self, errors: np.ndarray) -> float:
        """Of the mean over seeds of log error, against log m (least squares)."""
        return float(np.polyfit(np.log(self.features), np.log(errors).mean(axis=1), 1)[0])


@checked
def error_against_features(
    squared_length: float,
    *,
    features: tuple[int, ...] = FEATURE_COUNTS,
    seeds: int = _SEEDS,
) -> FeatureErrors:
    """The error of positive random features as their number grows; 64 Gaussian tokens, d = 64.

    **Arguments:** `squared_length` E|q + k|^2, which sets how hard it is: ordinary attention of
    normalised tokens has 16, the error falls as m^(-1/2) at 1; `features` the numbers m; `seeds`
    how many independent draws of tokens and features.
    """
    require_counts(seeds=seeds)
    return _feature_errors(float(squared_length), features, seeds, jnp.result_type(float).name)


@functools.lru_cache(maxsize=8)
def _feature_errors(
    squared_length: float, features: tuple[int, ...], seeds: int, precision: str
) -> FeatureErrors:
    """Remembered, by the precision in force too: the claims and the figure want the same."""
    del precision
    scale = (squared_length / (2 * _SIZE)) ** 0.5
    q, k, v = draw(11, *[(seeds, _TOKENS, _SIZE)] * 3)
    keys = jax.random.split(jax.random.key(11), seeds)
    errors = [_errors(keys, scale * q, scale * k, v, m) for m in features]
    output, normaliser = (np.stack(side) for side in zip(*errors, strict=True))
    return FeatureErrors(np.array(features), output, normaliser)


@eqx.filter_jit
def _errors(keys: PRNGKeyArray, q: Array, k: Array, v: Array, m: int) -> tuple[Array, Array]:
    """Relative errors of output and normaliser with m features, for each seed."""

    def one(key: PRNGKeyArray, q: Array, k: Array, v: Array) -> tuple[Array, Array]:
        random = PositiveRandom(m, _SIZE, key=jax.random.fold_in(key, m), stabilise=False)
        expected = softmax_attention(q, k, v)
        output = linear_attention(random, q, k, v) - expected
        normaliser = jnp.sum(jnp.exp(q @ k.T), axis=-1)
        estimate = random.queries(q, k) @ jnp.sum(random.keys(k), axis=0)
        return (
            jnp.linalg.norm(output) / jnp.linalg.norm(expected),
            jnp.median(jnp.abs(estimate / normaliser - 1)),
        )

    return jax.vmap(one)(keys, q, k, v)


def rate_claims() -> Iterator[Claim]:
    """The error falls as m^(-1/2) where |q + k| is small, and not where it is ordinary."""
    easy, medium, hard = (functools.partial(error_against_features, n) for n in (1.0, 4.0, 16.0))
    for part in ("output", "normaliser"):
        yield Claim(
            name=f"E|q+k|^2 = 1: slope of log error of the {part} on log m is -1/2",
            rung="trajectory",
            bound=0.05,
            why="the law of large numbers for an estimate with finite variance, m = 64 to 4,096, "
            "20 seeds; the band is a tenth of the slope",
            measure=functools.partial(_slope_gap, easy, part),
            float64_only=False,
            note=functools.partial(_slope_note, easy, part),
        )
    yield Claim(
        name="E|q+k|^2 = 4: the slope of the output's error is flatter",
        rung="negative control",
        bound=0.05,
        why="outside the band in which the case of 1 lies: too few features for the tails",
        measure=lambda: medium().slope(medium().output) + 0.5,
        above=True,
        float64_only=False,
        note=functools.partial(_slope_note, medium, "output"),
    )
    yield Claim(
        name="E|q+k|^2 = 16 (ordinary attention): 4,096 features fail",
        rung="negative control",
        bound=0.2,
        why="the relative standard deviation of one weight is sqrt(exp(16) / 4096) = 46",
        measure=lambda: float(np.median(hard().normaliser[-1])),
        above=True,
        float64_only=False,
        note=lambda: f"relative error of the output {np.median(hard().output[-1]):.2g}.",
    )


def _slope_gap(errors: Callable[[], FeatureErrors], part: str) -> float:
    return abs(errors().slope(errors()._asdict()[part]) + 0.5)


def _slope_note(errors: Callable[[], FeatureErrors], part: str) -> str:
    return f"slope {errors().slope(errors()._asdict()[part]):.3f}."
