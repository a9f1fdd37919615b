"""The modern Hopfield network in discrete time: the update that is attention, and its theory."""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from tripartite.core.arguments import checked
from tripartite.core.errors import is_concrete, require_axes, require_count, require_numbers
from tripartite.core.numerics import length
from tripartite.memory.two_layer import require_patterns


def hopfield_update(
    patterns: Float[Array, "memories d"], state: Float[Array, " d"], beta: Array | float
) -> Float[Array, " d"]:
    """`xi_new = X softmax(beta X^T xi)`: attention with the patterns as keys and as values.

    Ramsauer et al. 2021 (arXiv 2008.02217), equation 3. All pure numbers.

    **Arguments:** `patterns`, one memory a row; `state` xi (for several, `jax.vmap`); `beta` the
    inverse temperature, 1/sqrt(d_k) in a transformer.

    **Raises:** `ValueError` for shapes that do not fit.
    """
    return hopfield_weights(patterns, state, beta) @ patterns


def hopfield_weights(
    patterns: Float[Array, "memories d"], state: Float[Array, " d"], beta: Array | float
) -> Float[Array, " memories"]:
    """`softmax(beta X^T xi)`: how much of each memory the update takes. Arguments as there."""
    require_numbers(beta=beta)
    _check(patterns, state)
    return jax.nn.softmax(beta * (patterns @ state))


def hopfield_energy(
    patterns: Float[Array, "memories d"], state: Float[Array, " d"], beta: Array | float
) -> Float[Array, ""]:
    """`E = -lse(beta, X^T xi) + |xi|^2 / 2 + log(N) / beta + M^2 / 2`, lse = log sum exp / beta.

    Ramsauer et al. 2021, equation 2, M being the length of the longest pattern. The update never
    increases it, and 0 <= E <= 2 M^2 within the patterns' convex hull. Arguments as for
    `hopfield_update`.

    **Raises:** `ValueError` for shapes that do not fit.
    """
    require_numbers(beta=beta)
    _check(patterns, state)
    lse = jax.nn.logsumexp(beta * (patterns @ state)) / beta
    longest = jnp.max(jnp.sum(patterns * patterns, axis=-1))
    return -lse + 0.5 * (state @ state) + math.log(patterns.shape[0]) / beta + 0.5 * longest


@checked
def memories_mixed(weights: Float[Array, " memories"]) -> Float[Array, ""]:
    """`exp(entropy)` of the weights: how many memories a retrieval mixes, 1 to their number.

    Near their number the state is the average of all (the first of Ramsauer et al.'s three
    regimes); near 1 it is a single memory; in between, a metastable average over a cluster.
    """
    require_axes("memories", weights=weights)
    logs = jnp.log(jnp.where(weights > 0, weights, 1.0))
    return jnp.exp(-jnp.sum(weights * logs))


def separation(patterns: Float[Array, "memories d"]) -> Float[Array, " memories"]:
    """`Delta_i = x_i . x_i - max over j != i of x_i . x_j` of each memory (definition 2 there)."""
    require_patterns("patterns", patterns)
    products = patterns @ patterns.T
    others = jnp.where(jnp.eye(patterns.shape[0], dtype=bool), -jnp.inf, products)
    return jnp.diagonal(products) - jnp.max(others, axis=-1)


@checked
def one_step_bound(
    patterns: Float[Array, "memories d"],
    state: Float[Array, " d"],
    index: int | Int[Array, ""],
    beta: Array | float,
    *,
    fixed_point: Float[Array, " d"] | None = None,
) -> Float[Array, ""]:
    """A bound on the distance from memory `index` after one update.

    `|f(xi) - x_i| <= 2 (N - 1) M exp(-beta (Delta_i - 2 max(|xi - x_i|, |x* - x_i|) M))`,
    Ramsauer et al. 2021, theorem 5 in their numbering as far as is known (read in secondary
    sources).

    **Arguments:** as for `hopfield_update`; `fixed_point` x*, by default the memory itself.
    """
    require_numbers(beta=beta)
    _check(patterns, state)
    if is_concrete(index):
        require_count("index", int(index), 0, len(patterns) - 1)
    memory = patterns[index]
    longest = jnp.max(length(patterns))
    away = length(state - memory)
    if fixed_point is not None:
        away = jnp.maximum(away, length(fixed_point - memory))
    exponent = beta * (separation(patterns)[index] - 2.0 * away * longest)
    return 2.0 * (patterns.shape[0] - 1) * longest * jnp.exp(-exponent)


class Storage(NamedTuple):
    """`base`: c; `memories`: the number sqrt(p) c^((d - 1) / 4) that is guaranteed."""

    base: float
    memories: float


def exponential_storage(
    dimension: int, *, beta: float = 1.0, scale: float = 1.0, failure: float = 0.001
) -> Storage:
    """How many random patterns can be stored: theorem 3 of Ramsauer et al. 2021.

        N >= sqrt(p) c^((d-1)/4),   c = b / W_0(exp(a + ln b)),
        a = 2 / (d - 1) (1 + ln(2 beta K^2 p (d - 1))),   b = 2 K^2 beta / 5

    for patterns on the sphere of radius K sqrt(d - 1), with probability 1 - p. It says how storage
    scales; as a number it is small (7.4 patterns for d = 20, K = 3, p = 0.001).

    **Arguments:** `dimension` d; `beta`; `scale` K; `failure` p: pure numbers.

    **Raises:** `ValueError` for a dimension below 2, or numbers that are not positive (p below 1).
    """
    require_count("dimension", dimension, 2)
    require_numbers(beta=beta, scale=scale, failure=failure)
    if min(beta, scale, failure) <= 0 or failure >= 1:
        raise ValueError(
            "exponential_storage needs dimension of at least 2, positive beta and scale, and a "
            f"failure probability between 0 and 1, got dimension={dimension}, beta={beta}, "
            f"scale={scale}, failure={failure}."
        )
    free = dimension - 1
    a = 2.0 / free * (1.0 + math.log(2.0 * beta * scale**2 * failure * free))
    b = 2.0 * scale**2 * beta / 5.0
    c = b / _lambert_of_exp(a + math.log(b))
    return Storage(c, math.sqrt(failure) * c ** (free / 4.0))


def _lambert_of_exp(y: float) -> float:
    """`W_0(exp(y))`, the root of `w + ln w = y`, which never overflows.

    Newton's method in ln w, where the equation is convex and increasing, so that it converges
    from every start.
    """
    log_w = min(y, math.log(max(y, 1.0)))
    for _ in range(60):
        w = math.exp(log_w)
        step = (w + log_w - y) / (w + 1.0)
        log_w -= step
        if abs(step) < 1e-15 * (1.0 + abs(log_w)):
            break
    return math.exp(log_w)


def _check(patterns: Array, state: Array) -> None:
    require_numbers(patterns=patterns, state=state)
    require_patterns("patterns", patterns)
    if state.shape != patterns.shape[1:]:
        raise ValueError(
            f"the state must have the patterns' size, shape {patterns.shape[1:]}, got "
            f"{state.shape}: for several states, use jax.vmap over the leading axis."
        )
