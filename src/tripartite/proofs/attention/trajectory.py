"""The attention circuit integrated: calcium, arrival at linear attention, gradients, controls."""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite import simulate
from tripartite.attention import (
    AttentionCircuit,
    EluPlusOne,
    Reading,
    circuit_attention,
    linear_attention,
    read,
    write,
)
from tripartite.proofs.attention.inputs import (
    CANCELLATION,
    FEATURES,
    NEURONS,
    Case,
    draw,
    feature_cases,
    smallest_conditioning,
    sum_bound,
)
from tripartite.proofs.certificate import Claim, machine_epsilon

# Calcium levels out at 10 per ms, ten times faster than tau_n and tau_s: at tau_p = 1 ms it would
# do so at N M = 144 per ms, which only makes an explicit solver take fourteen times the steps.
_TAU_P = NEURONS * FEATURES / 10
_T_WRITE = 40.0
_T_READ = 100.0
_GAUGES = {"fast": float(FEATURES), "paper": 1.0}
_CALCIUM_STEPS = 2_000


def solver_tolerance() -> float:
    """eps^(2/3), 3.7e-11 in float64: what a fifth-order method with error control can be asked."""
    return machine_epsilon() ** (2 / 3)


def trajectory_claims() -> Iterator[Claim]:
    """The circuit integrated by an adaptive fifth-order method, writing and reading."""
    yield from _calcium_claims()
    cases = feature_cases(3)
    solved = functools.cache(lambda: _solve_all(cases))
    for index, gauge in enumerate(_GAUGES):
        yield Claim(
            name=f"ODE reaches linear attention, {gauge} gauge, {len(cases)} feature maps",
            rung="trajectory",
            bound=10 * CANCELLATION * solver_tolerance(),
            why="rtol = eps^(2/3); ten for the local errors that one relaxation time remembers and "
            "ten for denominators of a tenth of their magnitudes; float64: below 1e-8",
            measure=functools.partial(_worst_gap, cases, solved, index),
            float64_only=False,
            note=functools.partial(_arrival_note, cases, solved, index),
        )
    yield Claim(
        name="ODE, causal with a masked token: masked linear attention",
        rung="trajectory",
        bound=10 * sum_bound(12, 8),
        why="exponential steps leave the fixed point alone, and 80 ms leave exp(-80) of the start: "
        "round-off of the sums, remembered for ten steps; float64: below 1e-10",
        measure=lambda: _causal_gap(6),
        float64_only=False,
    )


class Calcium(NamedTuple):
    """Calcium (times, N, M) at `ts` (ms), and what it levels out to."""

    ts: np.ndarray
    p: np.ndarray
    mean: float


def _calcium(seed: int) -> Calcium:
    circuit = AttentionCircuit(NEURONS, FEATURES, tau_p=_TAU_P)
    start = jnp.abs(draw(seed, (NEURONS, FEATURES))[0])
    y0 = circuit.init()._replace(p=start)
    u = circuit.reading(circuit.empty(), jnp.ones((FEATURES,)))
    rtol = solver_tolerance()
    solution: Any = simulate(
        circuit,
        u,
        t1=0.5,
        y0=y0,
        record=lambda y: y.p,
        save_every=0.05,
        rtol=rtol,
        atol=rtol,
        max_steps=_CALCIUM_STEPS,
    )
    return Calcium(np.asarray(solution.ts), np.asarray(solution.ys), float(jnp.mean(start)))


def _calcium_claims() -> Iterator[Claim]:
    solved = functools.cache(lambda: _calcium(7))
    yield Claim(
        name="total calcium is conserved",
        rung="trajectory",
        bound=_CALCIUM_STEPS * NEURONS * FEATURES * machine_epsilon(),
        why="a Runge-Kutta method keeps linear invariants: round-off of a sum over N M processes "
        "in each of at most 2,000 steps; float64: below 1e-8",
        measure=lambda: _calcium_drift(solved()),
    )
    yield Claim(
        name="differences of calcium decay at N M / tau_p, relative error of the rate",
        rung="trajectory",
        bound=200 * solver_tolerance(),
        why="rtol = eps^(2/3) per step over some tens of steps; float64: below 1e-8",
        measure=lambda: _calcium_rate_error(solved()),
    )


def _calcium_drift(calcium: Calcium) -> float:
    total = calcium.p.sum(axis=(1, 2))
    return float(np.max(np.abs(total / total[0] - 1)))


def _calcium_rate_error(calcium: Calcium) -> float:
    """From the largest difference between two processes, at every record after the first."""
    low, high = (index(calcium.p[0]) for index in (np.argmin, np.argmax))
    flat = calcium.p.reshape(len(calcium.ts), -1)
    difference = flat[:, high] - flat[:, low]
    rate = -np.log(difference[1:] / difference[0]) / calcium.ts[1:]
    return float(np.max(np.abs(rate * _TAU_P / (NEURONS * FEATURES) - 1)))


def _solve_all(cases: list[Case]) -> Reading:
    """All maps and queries in both gauges, in one compiled solve: (gauges, maps, queries, ...)."""
    rates = eqx.filter_jit(lambda cases: [case.rates() for case in cases])(cases)
    queries, keys = (jnp.stack(side) for side in zip(*rates, strict=True))
    values = jnp.stack([case.v for case in cases])
    tolerance = {"rtol": solver_tolerance(), "atol": 0.1 * solver_tolerance()}

    def one(gauge: Array, queries: Array, keys: Array, values: Array) -> Reading:
        circuit = AttentionCircuit(NEURONS, FEATURES, tau_p=_TAU_P, gauge=gauge)
        y, memory = write(circuit, keys, values, t_write=_T_WRITE, dt=1.0)
        return jax.vmap(
            lambda query: read(circuit, memory, query, t_read=_T_READ, y0=y, **tolerance)
        )(queries)

    over_maps = jax.vmap(one, in_axes=(None, 0, 0, 0))
    over_gauges = eqx.filter_jit(jax.vmap(over_maps, in_axes=(0, None, None, None)))
    return over_gauges(jnp.asarray(list(_GAUGES.values())), queries, keys, values)


def _worst_gap(cases: list[Case], solved: Any, gauge: int) -> float:
    targets = jnp.stack(eqx.filter_jit(lambda cases: [case.target() for case in cases])(cases))
    largest = jnp.max(jnp.abs(jnp.stack([case.v for case in cases])))
    return float(jnp.max(jnp.abs(solved().output[gauge] - targets)) / largest)


def _arrival_note(cases: list[Case], solved: Any, gauge: int) -> str:
    times = np.asarray(solved().settling_time[gauge]).max(axis=-1)
    each = ", ".join(f"{case.name} {t:.3g}" for case, t in zip(cases, times, strict=True))
    smallest = float(smallest_conditioning(cases))
    return (
        f"ms until within 1e-6, tau_n = tau_s = 1 ms: {each}; smallest denominator "
        f"{smallest:.2g} of the sum of magnitudes."
    )


def _small(seed: int, tokens: int = 12, size: int = 8) -> tuple[Array, Array, Array]:
    q, k, v = draw(seed, (tokens, size), (tokens, size), (tokens, 3))
    return 0.5 * q, 0.5 * k, v


def _causal_gap(seed: int) -> float:
    q, k, v = _small(seed)
    mask = jnp.arange(k.shape[0]) != 5
    solve = eqx.filter_jit(
        functools.partial(circuit_attention, causal=True, dt=1.0, t_read=80.0, t_write=80.0)
    )
    output = solve(EluPlusOne(), q, k, v, mask=mask).output
    target = linear_attention(EluPlusOne(), q, k, v, mask=mask, causal=True)
    return float(jnp.max(jnp.abs(output - target)))


def gradient_claims() -> Iterator[Claim]:
    """Back-propagation through writing and reading, against autodiff of linear attention."""
    yield Claim(
        name="gradients of the integrated output with respect to q, k and v",
        rung="gradient",
        bound=machine_epsilon() ** 0.5,
        why="relative to the largest; round-off grows by the stiffness and number of the steps, "
        "some 1e6: half of the digits; float64: below 1e-6",
        measure=lambda: _gradient_gap(8),
    )


def _gradient_gap(seed: int) -> float:
    q, k, v = _small(seed, tokens=6, size=4)
    q = q[:2]

    def circuit(q: Array, k: Array, v: Array) -> Array:
        return circuit_attention(EluPlusOne(), q, k, v, dt=1.0).output

    def linear(q: Array, k: Array, v: Array) -> Array:
        return linear_attention(EluPlusOne(), q, k, v)

    found, expected = (
        jax.jit(jax.jacrev(attend, argnums=(0, 1, 2)))(q, k, v) for attend in (circuit, linear)
    )
    gaps = [
        jnp.max(jnp.abs(a - b)) / jnp.max(jnp.abs(b)) for a, b in zip(found, expected, strict=True)
    ]
    return float(jnp.max(jnp.stack(gaps)))
