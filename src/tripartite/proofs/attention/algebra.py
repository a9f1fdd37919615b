"""Algebra of the attention circuit: its fixed point, its stability, masks and causality."""

import functools
import importlib.util
from collections.abc import Iterator

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from tripartite.attention import (
    AttentionCircuit,
    EluPlusOne,
    Memory,
    fixed_point,
    linear_attention,
)
from tripartite.proofs.attention.inputs import (
    CANCELLATION,
    FEATURES,
    NEURONS,
    TOKENS,
    Case,
    draw,
    feature_cases,
    sum_bound,
)
from tripartite.proofs.certificate import Claim, machine_epsilon

_DRAWS = 2_000
_SPECTRA = 64
_SYMBOLIC_SIZES = ((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 3, 2))


def algebra_claims() -> Iterator[Claim]:
    """Identities: no time is integrated."""
    eps = machine_epsilon()
    with_sympy = importlib.util.find_spec("sympy") is not None
    yield Claim(
        name=f"field vanishes at the claimed fixed point, {_DRAWS} random memories and queries",
        rung="algebra",
        bound=NEURONS * FEATURES * eps,
        why="round-off of a sum over the N M = 144 processes; relative to each term's largest",
        measure=lambda: _largest_distance(1),
        float64_only=False,
        note=lambda: "" if with_sympy else "SymPy is absent: the symbolic proof did not run.",
    )
    yield Claim(
        name="Jacobian there is stable: its largest real part is minus the slowest predicted rate",
        rung="algebra",
        bound=1e2 * eps**0.5,
        why="eigenvalues -1/tau_n, -p*/tau_s, -NM/tau_p on the states of equal total calcium, "
        "difference relative to the rate; a repeated eigenvalue moves by the square root of "
        "round-off times the matrix's size (1 would be marginal)",
        measure=lambda: _slowest_rate_error(2),
    )
    if with_sympy:
        yield Claim(
            name="SymPy: fixed point minus linear attention simplifies to zero, "
            f"N, M, tokens = {', '.join(map(str, _SYMBOLIC_SIZES))}",
            rung="algebra",
            bound=0.0,
            why="an identity: the number of expressions that do not simplify to zero",
            measure=_symbolic_differences,
            float64_only=False,
            note=lambda: "SymPy ran.",
        )
    yield from closed_form_claims()


def closed_form_claims() -> Iterator[Claim]:
    """The fixed point against linear attention: every map, causal, masked."""
    cases = feature_cases(3)
    yield Claim(
        name=f"closed-form fixed point is linear attention, {len(cases)} feature maps",
        rung="algebra",
        bound=CANCELLATION * sum_bound(TOKENS, FEATURES),
        why="sums over tokens and features on both sides, 2 (L + M) eps, times 10 for "
        "denominators of a tenth of their magnitudes",
        measure=lambda: float(jnp.max(_closed_form_gaps(cases))),
        float64_only=False,
        note=lambda: ", ".join(case.name for case in cases),
    )
    yield Claim(
        name="causal: writing a token, then reading it, is masked linear attention",
        rung="algebra",
        bound=CANCELLATION * sum_bound(TOKENS, FEATURES),
        why="as above; float64: below 1e-10",
        measure=lambda: float(jnp.max(_closed_form_gaps(cases, causal=True))),
        float64_only=False,
    )
    yield Claim(
        name="causal: an output does not change when later tokens do",
        rung="algebra",
        bound=0.0,
        why="it is computed before they are read, by the same operations in the same order",
        measure=lambda: _leak(4),
        float64_only=False,
    )
    yield Claim(
        name="masks: a masked token, even a NaN, is as good as deleted",
        rung="algebra",
        bound=CANCELLATION * sum_bound(TOKENS, FEATURES),
        why="the same sums with zeros among them",
        measure=lambda: _mask_gap(5),
        float64_only=False,
    )


def _random_readings(seed: int, draws: int, n: int, m: int) -> tuple[Memory, Array]:
    """Memories of both signs, and features whose calcium has a positive sum; `draws` of each."""
    weights, facilitation, query = draw(seed, (draws, n, m), (draws, m), (draws, m))
    return Memory(weights, jnp.abs(facilitation) + 0.1), jnp.abs(query) + 0.1


def _largest_distance(seed: int) -> float:
    @jax.jit
    @jax.vmap
    def one(memory: Memory, query: Array) -> Array:
        circuit = AttentionCircuit(NEURONS, FEATURES)
        return circuit.distance(circuit.rest(memory, query), circuit.reading(memory, query))

    return float(jnp.max(one(*_random_readings(seed, _DRAWS, NEURONS, FEATURES))))


def _slowest_rate_error(seed: int) -> float:
    """Over random circuits, on the states that share their total calcium.

    Total calcium is conserved, so along it the Jacobian has the eigenvalue 0 by design; the fixed
    point is unique and stable among the states that can be reached from one another.
    """
    n, m = 2, 4

    @jax.jit
    @jax.vmap
    def one(taus: Array, memory: Memory, query: Array) -> tuple[Array, Array]:
        circuit = AttentionCircuit(n, m, *taus)
        u, rest = circuit.reading(memory, query), circuit.rest(memory, query)
        flat, unflatten = ravel_pytree(rest)
        rates = jnp.stack([1 / taus[0], rest.p[0, 0] / taus[1], n * m / taus[2]])

        def field(z: Array) -> Array:
            return ravel_pytree(circuit.vector_field(jnp.zeros(()), unflatten(z), u))[0]

        return jax.jacfwd(field)(flat), jnp.min(rates)

    taus = jnp.asarray(np.random.default_rng(seed).uniform(0.5, 5.0, (_SPECTRA, 3)), dtype=float)
    jacobians, slowest = one(taus, *_random_readings(seed, _SPECTRA, n, m))
    total = np.concatenate([np.zeros(n + n * m), np.ones(n * m)])
    along = np.linalg.svd(total[None, :])[2][1:]
    reduced = along @ np.asarray(jacobians) @ along.T
    real = np.linalg.eigvals(reduced).real.max(axis=-1)
    return float(np.max(np.abs(real / np.asarray(slowest) + 1)))


def _symbolic_differences() -> float:
    return float(sum(_symbolic_difference(*sizes) for sizes in _SYMBOLIC_SIZES))


def _symbolic_difference(n: int, m: int, tokens: int) -> int:
    """How many of: the field at the fixed point, and x* minus linear attention, are not zero."""
    import sympy

    def matrix(name: str, rows: int, columns: int) -> sympy.Matrix:
        # Positive features: their sums then cannot vanish.
        return sympy.Matrix(
            rows, columns, lambda i, j: sympy.Symbol(f"{name}{i}_{j}", positive=True)
        )

    value, key, query = matrix("v", tokens, n), matrix("k", tokens, m), matrix("q", 1, m)
    tau_n, tau_s, tau_p, gauge = sympy.symbols("tau_n tau_s tau_p lambda", positive=True)
    all_ones = sympy.ones(n, m)
    c = gauge * value.T * key / m
    key_sum = sympy.ones(1, tokens) * key
    start = sympy.Matrix(n, m, lambda _, j: gauge * query[0, j] * key_sum[0, j])
    calcium = sum(start.flat()) / (n * m)
    s = c / calcium
    x = s * query.T
    p = calcium * all_ones
    field = [
        *((-x + s * query.T) / tau_n),
        *((c - p.multiply_elementwise(s)) / tau_s),
        *((sum(p.flat()) * all_ones - n * m * p) / tau_p),
    ]
    weights = query * key.T
    attention = (weights * value).T / sum(weights.flat())
    return sum(sympy.simplify(e) != 0 for e in [*field, *(x - attention)])


@eqx.filter_jit
def _closed_form_gaps(cases: list[Case], causal: bool = False) -> Array:
    """For each map, the largest difference over the largest value."""

    def gap(case: Case) -> Array:
        q = case.k if causal else case.q
        circuit, attention = (
            attend(case.features, q, case.k, case.v, causal=causal)
            for attend in (fixed_point, linear_attention)
        )
        return jnp.max(jnp.abs(circuit - attention)) / jnp.max(jnp.abs(case.v))

    return jnp.stack([gap(case) for case in cases])


def _leak(seed: int) -> float:
    seen, size = TOKENS // 2, (TOKENS, 8)
    q, k, v, other_k, other_v = draw(seed, size, size, size, size, size)
    later = (jnp.arange(TOKENS) >= seen)[:, None]
    attend = jax.jit(functools.partial(fixed_point, EluPlusOne(), causal=True))
    first = attend(q, k, v)
    second = attend(q, jnp.where(later, 10 * other_k, k), jnp.where(later, 10 * other_v, v))
    return float(jnp.max(jnp.abs(first - second)[:seen]))


def _mask_gap(seed: int) -> float:
    q, k, v = draw(seed, (TOKENS, 8), (TOKENS, 8), (TOKENS, 8))
    mask = np.arange(TOKENS) % 3 != 1
    spoilt_k, spoilt_v = (jnp.asarray(np.where(mask[:, None], x, np.nan)) for x in (k, v))

    @jax.jit
    def both(k: Array, v: Array, spoilt_k: Array, spoilt_v: Array) -> tuple[Array, Array]:
        masked = fixed_point(EluPlusOne(), q, spoilt_k, spoilt_v, mask=jnp.asarray(mask))
        return masked, linear_attention(EluPlusOne(), q, k, v)

    masked, deleted = both(k[mask], v[mask], spoilt_k, spoilt_v)
    return float(jnp.max(jnp.abs(masked - deleted)) / jnp.max(jnp.abs(v)))
