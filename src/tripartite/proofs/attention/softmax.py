"""Theorem: linear attention is softmax attention, exactly or in the limit of its features."""

import functools
import math
from collections.abc import Callable, Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.attention import (
    AbstractFeatureMap,
    CircuitAttention,
    GaussHermite,
    OneProcessPerToken,
    circuit_attention,
    fixed_point,
    linear_attention,
    softmax_attention,
)
from tripartite.core.arguments import checked
from tripartite.proofs.attention.digits import random_feature_digits_claims
from tripartite.proofs.attention.inputs import draw, sum_bound
from tripartite.proofs.attention.random_features import error_formula_claims, rate_claims
from tripartite.proofs.certificate import (
    Certificate,
    Check,
    Claim,
    Theorem,
    certify,
    machine_epsilon,
)

LINEAR_ATTENTION_IS_SOFTMAX_IN_THE_LIMIT = Theorem(
    name="linear_attention_is_softmax_in_the_limit",
    statement=(
        "Normalised linear attention equals softmax attention exactly for the feature map with one "
        "process per token, spectrally fast for Gauss-Hermite features, and in mean square as "
        "1/m for m random features, with a factor exp(|q+k|^2)."
    ),
    latex=(
        r"\mathbb{E}_{w\sim N(0,I)}\!\left[e^{w\cdot q-|q|^2/2}\,e^{w\cdot k-|k|^2/2}\right]"
        r" = e^{q\cdot k},\qquad"
        r"\mathrm{MSE}_m = \tfrac1m\, e^{|q+k|^2} e^{2 q\cdot k}\left(1-e^{-|q+k|^2}\right)"
    ),
    assumptions=(
        "Queries and keys are each divided by d^(1/4).",
        "Random features: m well above exp(|q+k|^2); below, the estimate fails, and is shown to.",
        "One process per token: as many processes per output as tokens.",
    ),
    source="Choromanski et al. 2021 (arXiv 2009.14794), lemmas 1 and 2; arXiv 2311.08135v2",
)

_NODES = 16
_TOKENS, _SIZE, _QUERIES = 196, 64, 4


@checked
def linear_attention_is_softmax_in_the_limit(
    *,
    precision: str = "float64",
    on_check: Callable[[str, Check], None] | None = None,
) -> Certificate:
    """Checks when, and how fast, linear attention becomes softmax attention, on this machine.

    **Arguments:** as for `certify`.
    """
    return certify(
        LINEAR_ATTENTION_IS_SOFTMAX_IN_THE_LIMIT, _claims, precision=precision, on_check=on_check
    )


def _claims() -> Iterator[Claim]:
    yield from error_formula_claims()
    yield from _quadrature_claims()
    yield from _one_process_claims()
    yield from rate_claims()
    yield from random_feature_digits_claims()


def _quadrature_claims() -> Iterator[Claim]:
    q, k, v = _planar_tokens(12)
    for name, attend in (("closed form", fixed_point), ("ODE", _integrated)):
        yield Claim(
            name=f"Gauss-Hermite features against softmax, {name}: d = 2, 12 tokens, "
            "max |q.k| = 2.65, M = 256",
            rung="algebra" if attend is fixed_point else "trajectory",
            bound=_quadrature_bound(q, k) + 10 * sum_bound(12, 256),
            why="each axis of a weight is off by a^32 16!/32! relative, the remainder of "
            "quadrature with 16 nodes at a = |q+k|; twice that for two sums, and round-off; "
            "float64: below 1e-9",
            measure=functools.partial(_softmax_gap, attend, GaussHermite(_NODES, 2), q, k, v),
        )


def _planar_tokens(seed: int) -> tuple[Array, Array, Array]:
    """12 tokens in a square of half-width sqrt(2.65 / 2), two in its corner: max |q.k| = 2.65."""
    rng = np.random.default_rng(seed)
    half = (2.65 / 2) ** 0.5
    q, k = rng.uniform(-half, half, (2, 12, 2))
    q[0] = k[0] = half
    v = draw(seed, (12, 4))[0]
    return jnp.asarray(q, dtype=float), jnp.asarray(k, dtype=float), v


def _quadrature_bound(q: Array, k: Array) -> float:
    """Relative error of an attention output, from the quadrature's first neglected term.

    n nodes integrate Hermite polynomials below degree 2n exactly and give -n! for that of degree
    2n, so E exp(a z - a^2/2) = 1 is off by a^(2n) n!/(2n)! per axis to leading order.
    """
    a = float(jnp.max(jnp.abs(q[:, None, :] + k[None, :, :])))
    remainder = a ** (2 * _NODES) * math.factorial(_NODES) / math.factorial(2 * _NODES)
    return 2 * q.shape[1] * remainder


def _integrated(features: AbstractFeatureMap, q: Array, k: Array, v: Array) -> Array:
    return _circuit(features, q, k, v).output


@eqx.filter_jit
def _circuit(features: AbstractFeatureMap, q: Array, k: Array, v: Array) -> CircuitAttention:
    return circuit_attention(features, q, k, v, dt=1.0, t_read=60.0)


def _softmax_gap(
    attend: Callable[..., Array], features: AbstractFeatureMap, q: Array, k: Array, v: Array
) -> float:
    return float(_gap(attend, features, q, k, v))


@eqx.filter_jit
def _gap(
    attend: Callable[..., Array], features: AbstractFeatureMap, q: Array, k: Array, v: Array
) -> Array:
    gap = jnp.max(jnp.abs(attend(features, q, k, v) - softmax_attention(q, k, v)))
    return gap / jnp.max(jnp.abs(v))


def _image_tokens(seed: int) -> tuple[Array, Array, Array]:
    """196 tokens of a head of 64, of the size that normalised tokens have after d^(1/4)."""
    q, k, v = draw(seed, *[(_TOKENS, _SIZE)] * 3)
    return q * _SIZE**-0.25, k * _SIZE**-0.25, v


def _one_process_claims() -> Iterator[Claim]:
    features = OneProcessPerToken()
    q, k, v = _image_tokens(13)
    size = f"d = {_SIZE}, {_TOKENS} tokens"
    largest = float(jnp.max(jnp.linalg.norm(q, axis=-1)) * jnp.max(jnp.linalg.norm(k, axis=-1)))
    bound = sum_bound(_TOKENS, _TOKENS) + 2 * _SIZE * largest * machine_epsilon()
    yield Claim(
        name=f"one process per token against softmax, closed form: {size}",
        rung="algebra",
        bound=bound,
        why="an identity: round-off of the sums, 2 (L + M) eps, and of the scores, 2 d |q| |k| "
        "eps; float64: below 1e-10",
        measure=functools.partial(_softmax_gap, fixed_point, features, q, k, v),
        float64_only=False,
    )
    solved = functools.cache(lambda: _circuit(features, q[:_QUERIES], k, v))
    yield Claim(
        name=f"one process per token against softmax, ODE on {_QUERIES} queries: {size}",
        rung="trajectory",
        bound=10 * bound,
        why="exponential steps leave the fixed point alone and 60 ms leave exp(-60) of the start; "
        "ten for the steps whose round-off one relaxation remembers; float64: below 1e-10",
        measure=lambda: float(
            jnp.max(jnp.abs(solved().output - softmax_attention(q[:_QUERIES], k, v)))
            / jnp.max(jnp.abs(v))
        ),
        float64_only=False,
        note=lambda: (
            f"{int(solved().states):,} states; within 1e-6 after at most "
            f"{float(jnp.max(solved().settling_time)):.3g} ms."
        ),
    )
    yield Claim(
        name=f"one process per token: gradients with respect to q, k and v, {size}",
        rung="gradient",
        bound=10 * bound,
        why="relative to the largest; each is a difference of two such sums",
        measure=lambda: _gradient_gap(q, k, v),
        float64_only=False,
    )
    yield Claim(
        name="control: a maximum subtracted for each key",
        rung="negative control",
        bound=1e4 * bound,
        why="a factor of each key's own changes the weights: ten thousand times the bound above",
        measure=lambda: _softmax_gap(linear_attention, _MaximumPerKey(), q, k, v),
        above=True,
    )


def _gradient_gap(q: Array, k: Array, v: Array) -> float:
    probe = jnp.cos(jnp.arange(v.size, dtype=v.dtype)).reshape(v.shape)

    def circuit(tokens: tuple[Array, Array, Array]) -> Array:
        return jnp.sum(probe * fixed_point(OneProcessPerToken(), *tokens))

    def softmax(tokens: tuple[Array, Array, Array]) -> Array:
        return jnp.sum(probe * softmax_attention(*tokens))

    found, expected = (jax.jit(jax.grad(f))((q, k, v)) for f in (circuit, softmax))
    gaps = [
        jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(b)) for a, b in zip(found, expected, strict=True)
    ]
    return float(jnp.max(jnp.stack(gaps)))


class _MaximumPerKey(AbstractFeatureMap):
    """One process per token, with each key's rate divided by that key's largest weight: wrong."""

    def queries(self, q: Array, k: Array) -> Array:
        return jnp.exp(q @ k.T - jnp.max(q @ k.T, axis=-1, keepdims=True))

    def keys(self, k: Array) -> Array:
        return jnp.diag(jnp.exp(-jnp.max(k @ k.T, axis=-1)))
