"""What a recording can tell, against closed forms; and models nudged towards a recording."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite.analysis import Nudged, fisher_information


class Line(NamedTuple):
    slope: jax.Array
    ends: jax.Array


def linear(rng):
    """A linear recording in two parts of 3 numbers: its matrices, the noise, and the function."""
    a, b = rng.normal(size=(40, 3)), rng.normal(size=(5, 2, 3))
    sizes = {"a": rng.uniform(0.5, 2.0, 40), "b": 0.7}

    def trace(p):
        x = jnp.concatenate([p.slope[None], p.ends])
        return {"a": a @ x - 1.0, "b": b @ x}

    stacked = np.concatenate([a / sizes["a"][:, None], b.reshape(10, 3) / 0.7])
    return trace, sizes, stacked


AT = Line(jnp.asarray(0.3), jnp.asarray([-2.0, 1.0]))


def test_a_linear_recording():
    trace, sizes, stacked = linear(np.random.default_rng(0))
    found = fisher_information(trace, AT, sizes)
    information = stacked.T @ stacked
    # A condition of some 2: a few roundings each.
    np.testing.assert_allclose(found.matrix, information, rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.linalg.inv(information), rtol=1e-12)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose(found.standard_errors.slope, errors[0], rtol=1e-12)
    np.testing.assert_allclose(found.standard_errors.ends, errors[1:], rtol=1e-12)
    half = fisher_information(trace, AT, {"a": 0.5 * sizes["a"], "b": 0.35})
    np.testing.assert_allclose(half.standard_errors.ends, 0.5 * errors[1:], rtol=1e-12)


def test_least_squares_reaches_the_bound():
    trace, sizes, stacked = linear(np.random.default_rng(1))
    bound = fisher_information(trace, AT, sizes).covariance
    draws = np.random.default_rng(2).normal(size=(stacked.shape[0], 20_000))
    spread = np.cov(np.linalg.lstsq(stacked, draws)[0])
    # Of 20,000 draws a variance is known to 1 %, and a covariance to that of the variances.
    scale = np.sqrt(np.outer(np.diag(bound), np.diag(bound)))
    np.testing.assert_allclose(spread / scale, bound / scale, rtol=0, atol=0.04)


def test_an_exponential_has_relative_errors_in_its_logarithms():
    ts = np.linspace(0.0, 5.0, 21)
    size, rate, noise = 3.0, 0.8, 0.1

    def trace(logs):
        return jnp.exp(logs["size"] - jnp.exp(logs["rate"]) * ts)

    logs = {"rate": jnp.log(jnp.asarray(rate)), "size": jnp.log(jnp.asarray(size))}
    found = fisher_information(trace, logs, noise)
    y = size * np.exp(-rate * ts)
    sensitivities = np.stack([-rate * ts * y, y], axis=1) / noise
    expected = np.sqrt(np.diag(np.linalg.inv(sensitivities.T @ sensitivities)))
    np.testing.assert_allclose(found.standard_errors["rate"], expected[0], rtol=1e-12)
    np.testing.assert_allclose(found.standard_errors["size"], expected[1], rtol=1e-12)


def test_an_experiment_is_designed_by_gradient():
    """One sample of exp(-r t) tells most of r at t = 1 / r, where t exp(-r t) is largest."""

    def error(time):
        found = fisher_information(lambda r: jnp.exp(-r * time)[None], jnp.asarray(0.5), 0.1)
        return found.standard_errors

    slope = jax.jit(jax.grad(error))
    assert abs(float(slope(jnp.asarray(2.0)))) < 1e-12
    # 0.1 exp(t / 2) / t, differentiated.
    expected = 0.1 * np.exp(0.5) * (0.5 - 1.0)
    assert float(slope(jnp.asarray(1.0))) == pytest.approx(expected, rel=1e-12)


def test_in_float32():
    with jax.enable_x64(False):
        ts = jnp.linspace(0.0, 5.0, 21)
        found = fisher_information(lambda r: jnp.exp(-r * ts), jnp.asarray(0.8), 0.1)
    assert found.matrix.dtype == found.standard_errors.dtype == jnp.float32
    ts = np.linspace(0.0, 5.0, 21)
    expected = 0.1 / np.linalg.norm(ts * np.exp(-0.8 * ts))
    assert float(found.standard_errors) == pytest.approx(expected, rel=1e-6)


MISTAKES = {
    "found no floating-point parameters": lambda: fisher_information(jnp.sin, {}, 1.0),
    "found no floating-point parameters: pass arrays": lambda: fisher_information(
        lambda x: 1.0 * x, jnp.arange(2), 1.0
    ),
    "noise must be positive and finite, got 0.0": lambda: fisher_information(
        jnp.sin, jnp.ones(2), 0.0
    ),
    "noise must be one number or have the recording's structure": lambda: fisher_information(
        lambda x: (x, x), jnp.ones(2), {"a": 1.0}
    ),
    "the trace records nothing": lambda: fisher_information(lambda x: None, jnp.ones(2), 1.0),
    "1 samples cannot tell 2 parameters: record more": lambda: fisher_information(
        lambda x: jnp.sum(x)[None], jnp.ones(2), 1.0
    ),
    "a sensitivity is not finite": lambda: fisher_information(jnp.sqrt, jnp.zeros(2), 1.0),
    # Only a product is seen, and a third has no part in it.
    r"this change of the parameters: \+1 of a, -1 of b\. Record": lambda: fisher_information(
        lambda p: jnp.arange(1.0, 9.0) * jnp.exp(p["a"] + p["b"]) + jnp.arange(8.0) ** 2 * p["c"],
        dict.fromkeys("abc", jnp.asarray(0.5)),
        1.0,
    ),
    r"this change of the parameters: \+1 of the parameters\[1\]\.": lambda: fisher_information(
        lambda x: x[0] * jnp.arange(4.0), jnp.ones(2), 1.0
    ),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_named(text):
    with pytest.raises(ValueError, match=text):
        MISTAKES[text]()


# Nudged models


def passive(leak=0.1):
    return tp.cells.ConductanceCell((tp.channels.Leak(leak, -70.0),), v_init=-20.0)


def voltage(y):
    return y.v


def pulled(rate, recorded=None, model=None):
    recorded = tp.stimuli.Constant(jnp.asarray(10.0)) if recorded is None else recorded
    return Nudged(passive() if model is None else model, voltage, recorded, rate)


# Without a rate it is the model.
@pytest.mark.parametrize("k", [0.4, 0.0])
def test_a_nudged_relaxation_is_one(k):
    """dv/dt = -g (v + 70) + k (10 - v): exact at any step."""
    g = 0.1
    solution = tp.simulate(pulled(k), t1=20.0, dt=2.0)
    limit = (-70.0 * g + 10.0 * k) / (g + k)
    expected = limit + (-20.0 - limit) * np.exp(-(g + k) * np.asarray(solution.ts))
    np.testing.assert_allclose(solution.ys["v"], expected, rtol=1e-12)


@pytest.mark.slow
def test_a_nudged_model_conforms():
    seen = tp.stimuli.Sampled(jnp.asarray([-60.0, -50.0]), 10.0)
    tp.testing.check(pulled(0.3, seen)).assert_ok()


NUDGING_MISTAKES = {
    "Nudged.rate must not be negative, got -0.1 /ms": lambda: pulled(-0.1),
    r"Nudged.model must be an AbstractRelaxation, got FitzHughNagumo": lambda: pulled(
        0.1, model=tp.cells.FitzHughNagumo()
    ),
    "where must pick one array of the model's state": lambda: Nudged(
        tp.astrocytes.GChI(), lambda y: (y.calcium, y.h), tp.stimuli.Constant(1.0), 0.1
    ),
}


@pytest.mark.parametrize("text", NUDGING_MISTAKES)
def test_nudging_mistakes_are_named(text):
    with pytest.raises(ValueError, match=text):
        NUDGING_MISTAKES[text]()
