"""Guarded functions against arithmetic of 120 digits, at their poles and on both sides of them."""

import functools

import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from hypothesis import given

from tripartite.core import numerics

EXACT = {
    "linoid": lambda x: x / (1 - mpmath.exp(-x)) if x else mpmath.mpf(1),
    "logistic": lambda x: 1 / (1 + mpmath.exp(-x)),
    "phi1": lambda x: (1 - mpmath.exp(-x)) / x if x else mpmath.mpf(1),
    "survival": lambda x: mpmath.exp(-x),
}
GUARDED = {
    "linoid": numerics.linoid,
    "logistic": numerics.logistic,
    "phi1": lambda x: numerics.exponential_weights(x)[1],
    "survival": lambda x: numerics.exponential_weights(x)[0],
}
DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["f32", "f64"])


def derivatives(f, x):
    """f, f' and f'' at each x, as the library's gradients see them: under jit, vmap and grad."""
    orders = (f, jax.grad(f), jax.grad(jax.grad(f)))
    return [np.asarray(jax.jit(jax.vmap(one))(x), np.float64) for one in orders]


@functools.cache
def exact(name, x):
    with mpmath.workdps(120):
        f = EXACT[name]
        if x == 0.0 and name in ("linoid", "phi1"):
            # Taylor: x/(1-e^-x) = 1 + x/2 + x^2/12, (1-e^-x)/x = 1 - x/2 + x^2/6.
            return (1.0, 0.5, 1 / 6) if name == "linoid" else (1.0, -0.5, 1 / 3)
        # A central difference of 120-digit numbers: far more digits than are compared.
        h = mpmath.mpf(10) ** -15
        low, mid, high = f(x - h), f(mpmath.mpf(x)), f(x + h)
        return float(mid), float((high - low) / (2 * h)), float((high - 2 * mid + low) / h**2)


def points(window):
    edges = [
        window * (1 - 1e-3),
        window * (1 + 1e-3),
        window / 2,
        2 * window,
        1e-8,
        1e-30,
        1.0,
        5.0,
    ]
    return [0.0, *edges, *(-x for x in edges), 30.0, -30.0]


@DTYPES
@pytest.mark.parametrize("name", EXACT)
def test_value_and_derivatives_around_the_pole(name, dtype):
    window, eps = (0.3, 2**-23) if dtype == jnp.float32 else (0.05, 2**-52)
    x = np.asarray(points(window), dtype)
    found = derivatives(GUARDED[name], jnp.asarray(x))
    truth = np.array([exact(name, float(value)) for value in x]).T
    for k, (values, expected) in enumerate(zip(found, truth, strict=True)):
        # The closed forms divide a rounding of 1 - exp(-x) by x, k + 1 times; the series stops
        # where its error equals that at the window's edge; logistic's are differences of terms of
        # the value's size.
        size = np.maximum(np.abs(x), window)
        bound = 8 * eps * (np.abs(expected) + np.abs(truth[0]) + size ** -(k + 1.0))
        np.testing.assert_array_less(np.abs(values - expected), bound)


@DTYPES
def test_the_linoid_keeps_its_relative_precision_in_its_tail(dtype):
    x = np.linspace(-38, -2, 37).astype(dtype)
    value = np.asarray(numerics.linoid(jnp.asarray(x)), np.float64)
    truth = np.array([exact("linoid", float(one))[0] for one in x])
    # exp(-x) of a rounded x: no input error here, a few roundings of each operation.
    np.testing.assert_allclose(value, truth, rtol=8 * float(jnp.finfo(dtype).eps))


@DTYPES
@pytest.mark.parametrize("name", GUARDED)
def test_absurd_arguments_stay_finite(name, dtype):
    sizes = np.array([1e2, 1e3, 1e10, 1e30], dtype)
    # The exponential weights are of a decay times a step: never negative.
    x = sizes if name in ("phi1", "survival") else np.concatenate([sizes, -sizes])
    for values in derivatives(GUARDED[name], jnp.asarray(x)):
        assert np.isfinite(values).all(), values


def hill_exact(x, half, power):
    return x**power / (x**power + half**power) if x > 0 else mpmath.mpf(0)


@DTYPES
@pytest.mark.parametrize("power", [1, 2, 4, 2.5, 1.4])
def test_hill(power, dtype):
    half = 0.7
    x = np.array([1e-3, 0.1, 0.699, 0.7, 0.701, 2.0, 50.0], dtype)
    h = dtype(half)
    found = derivatives(lambda z: numerics.hill(z, jnp.asarray(h), power), jnp.asarray(x))
    with mpmath.workdps(120):
        step = mpmath.mpf(10) ** -15
        exponent = mpmath.mpf(power)
        f = functools.partial(hill_exact, half=mpmath.mpf(float(h)), power=exponent)
        rows = [(f(z - step), f(z), f(z + step)) for z in map(mpmath.mpf, map(float, x))]
        truth = [
            [float(mid) for _, mid, _ in rows],
            [float((high - low) / (2 * step)) for low, _, high in rows],
            [float((high - 2 * mid + low) / step**2) for low, mid, high in rows],
        ]
    eps = float(jnp.finfo(dtype).eps)
    for k, (values, expected) in enumerate(zip(found, truth, strict=True)):
        # Each derivative divides terms of the value's size by x; powers amplify by the exponent,
        # and log-exp by the logarithm's size (below 20).
        terms = (1 + power) ** (k + 1) * np.asarray(truth[0]) / x.astype(float) ** k
        np.testing.assert_array_less(np.abs(values - expected), 64 * eps * terms)


@DTYPES
@pytest.mark.parametrize("power", [1, 2, 3, 2.5, 1.4])
def test_hill_is_zero_and_smooth_at_and_below_zero(power, dtype):
    x = jnp.asarray([-1e30, -1.0, -1e-30, 0.0], dtype)
    value, first, second = derivatives(
        lambda z: numerics.hill(z, jnp.asarray(0.7, dtype), power), x
    )
    np.testing.assert_array_equal(value, 0.0)
    np.testing.assert_array_equal(first[:3], 0.0)
    np.testing.assert_array_equal(second[:3], 0.0)
    assert np.isfinite([first, second]).all()
    if power > 1:
        assert first[3] == 0.0


@DTYPES
def test_hill_of_absurd_concentrations(dtype):
    x = jnp.asarray([1e-37, 1e-20, 1e10, 1e30], dtype)
    for power in (1, 2, 2.5):
        parts = derivatives(lambda z, n=power: numerics.hill(z, jnp.asarray(0.7, dtype), n), x)
        assert np.isfinite(parts).all()
        np.testing.assert_allclose(parts[0][2:], 1.0, rtol=1e-6)


def test_hill_is_differentiable_in_its_half_point_and_its_order():
    # d/dK = -n x^n K^(n-1) / (x^n + K^n)^2 and d/dn = h (1 - h) log(x / K).
    x, half, n = 0.4, 0.7, 2.5
    value = x**n / (x**n + half**n)
    f = jax.grad(numerics.hill, argnums=(1, 2))
    d_half, d_n = f(jnp.asarray(x), jnp.asarray(half), jnp.asarray(n))
    assert float(d_half) == pytest.approx(-n / half * value * (1 - value), rel=1e-13)
    assert float(d_n) == pytest.approx(value * (1 - value) * np.log(x / half), rel=1e-13)


finite = st.floats(-700, 700, allow_nan=False)


@given(finite)
def test_linoid_and_its_mirror_image_differ_by_x(x):
    # x/(1 - e^-x) + x/(1 - e^x) = x: on either side of -40, where the tail is held at 2e-16.
    value = numerics.linoid(jnp.asarray(x)) - numerics.linoid(jnp.asarray(-x))
    assert float(value) == pytest.approx(x, rel=1e-14, abs=1e-14)


@given(finite)
def test_logistic_and_its_mirror_image_sum_to_one(x):
    total = numerics.logistic(jnp.asarray(x)) + numerics.logistic(jnp.asarray(-x))
    assert float(total) == pytest.approx(1.0, rel=4e-16)


@given(st.floats(1e-3, 1e3), st.sampled_from([1, 2, 3, 1.5, 2.7]))
def test_hill_of_reciprocal_ratios_sums_to_one(ratio, power):
    half = jnp.asarray(0.7)
    total = numerics.hill(half * ratio, half, power) + numerics.hill(half / ratio, half, power)
    assert float(total) == pytest.approx(1.0, rel=1e-14)


@given(st.floats(0, 50), st.floats(0, 50))
def test_two_relaxations_in_a_row_are_one(first, second):
    """exp and phi1 form a flow: y -> y exp(-z) + z phi1(z) target, towards target = 1."""

    def flow(y, z):
        survival, weight = numerics.exponential_weights(jnp.asarray(z))
        return y * survival + z * weight

    assert float(flow(flow(0.3, first), second)) == pytest.approx(
        float(flow(0.3, first + second)), rel=1e-14
    )
