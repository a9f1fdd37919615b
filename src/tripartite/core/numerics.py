"""Rate functions and flows whose value and derivatives are finite everywhere.

Each removable singularity is replaced by a Taylor series inside a window, with the argument of
the other branch moved away from the pole first (the double `where`): a single `where` returns
the right value and a NaN gradient. The window is wide because the closed form loses digits long
before the pole: the error of its derivative grows as eps / x^2.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array


def _window(x: Array) -> Array:
    # The first omitted term of linoid's series is x^10 / 47,900,160: 1.2e-13 at 0.3 (float32) and
    # 2e-21 at 0.05 (float64), each far below the precision it serves.
    return jnp.abs(x) < (0.3 if x.dtype.itemsize <= 4 else 0.05)


@jax.custom_jvp
def linoid(x: Array) -> Array:
    """`x / (1 - exp(-x))`, the linear-exponential rate, equal to 1 at its pole x = 0.

    Hodgkin and Huxley (1952), equations 12 and 20. **Arguments:** `x`, a pure number.
    """
    near = _window(x)
    # Below -40 the value is under 2e-16 and exp(-x) would overflow in the derivative.
    far = jnp.where(near, 1.0, jnp.maximum(x, -40.0))
    # Nor may the series' powers overflow where it is not used.
    small = jnp.where(near, x, 0.0)
    s = small * small
    series = 1.0 + small * 0.5 + s * (1 / 12 + s * (-1 / 720 + s * (1 / 30240 - s / 1209600)))
    return jnp.where(near, series, far / (1.0 - jnp.exp(-far)))


@linoid.defjvp
def _linoid_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """`linoid' = (1 - linoid exp(-x)) / (1 - exp(-x))`, which is 1/2 at x = 0; by hand to reuse."""
    (x,), (dx,) = primals, tangents
    value = linoid(x)
    near = _window(x)
    far = jnp.where(near, 1.0, jnp.maximum(x, -40.0))
    y = jnp.where(near, x, 0.0)
    s = y * y
    # The series of linoid, term by term; the first omitted term is x^9 / 4,790,016.
    series = 1 / 2 + y * (1 / 6 + s * (-1 / 180 + s * (1 / 5040 - s / 151200)))
    survival = jnp.exp(-far)
    slope = jnp.where(near, series, (1.0 - value * survival) / (1.0 - survival))
    return value, slope * dx


def bounded_exp(x: Array) -> Array:
    """`exp(x)`, and `exp(40)` beyond: finite with its derivatives and squares for every `x`.

    A rate of exp(40) per ms, 2e17, is instantaneous; exp(90) is no number in float32, and a gate
    opened or closed at that rate has none for a derivative. **Arguments:** `x`, a pure number.
    """
    return jnp.exp(jnp.minimum(x, 40.0))


def logistic(x: Array) -> Array:
    """`1 / (1 + exp(-x))`, finite with its derivatives for every finite `x` (a pure number)."""
    return jax.lax.logistic(x)


@jax.custom_jvp
def quotient(a: Array, b: Array) -> Array:
    """`a / b`; its derivative is finite wherever it can be, where that of `/` divides by b^2."""
    return a / b


@quotient.defjvp
def _quotient_jvp(
    primals: tuple[Array, Array], tangents: tuple[Array, Array]
) -> tuple[Array, Array]:
    (a, b), (da, db) = primals, tangents
    value = quotient(a, b)
    return value, (da - value * db) / b


def length(x: Array) -> Array:
    """The Euclidean length of the last axis, with a gradient of zero where it is zero."""
    square = jnp.sum(x * x, axis=-1)
    none = square == 0
    return jnp.where(none, 0.0, jnp.sqrt(jnp.where(none, 1.0, square)))


def hill(x: Array, half: Array, power: float | Array) -> Array:
    """`x^n / (x^n + K^n)`: the Hill function of order n >= 1, zero for x <= 0.

    Finite value, first and second derivative for every `x` when n is 1 or at least 2; for
    1 < n < 2 the true second derivative is infinite at 0, and 0 is returned there instead.

    **Arguments:** `x` and `half` (K > 0) in one unit; `power` (n) a pure number.
    """
    above = x > half
    # At most 1, whichever side of K: no power of it overflows.
    ratio = jnp.where(above, half / jnp.where(above, x, half), jnp.where(x < 0, 0.0, x) / half)
    if isinstance(power, int | float) and power == int(power):
        raised = ratio ** int(power)
    else:
        # Under 1e-15 the logarithm's derivatives overflow while the power is below round-off.
        small = ratio <= 1e-15
        raised = jnp.where(small, 0.0, jnp.exp(power * jnp.log(jnp.where(small, 1.0, ratio))))
    return jnp.where(above, 1.0, raised) / (1.0 + raised)


@jax.custom_jvp
def exponential_weights(z: Array) -> tuple[Array, Array]:
    """`exp(-z)` and `phi1(z) = (1 - exp(-z)) / z`, the weights of an exactly solved relaxation.

    Over a step h with constant coefficients, y(h) = exp(-z) y(0) + h phi1(z) drive, z = h decay.
    phi1(0) = 1, with finite derivatives there. **Arguments:** `z`, a pure number.
    """
    near = _window(z)
    survival = jnp.exp(-z)
    s = jnp.where(near, z, 0.0)
    tail = 1 / 24 - s * (1 / 120 - s * (1 / 720 - s * (1 / 5040 - s / 40320)))
    series = 1.0 - s * (1 / 2 - s * (1 / 6 - s * tail))
    return survival, jnp.where(near, series, (1.0 - survival) / jnp.where(near, 1.0, z))


@exponential_weights.defjvp
def _exponential_weights_jvp(
    primals: tuple[Array], tangents: tuple[Array]
) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """`(exp(-z))' = -exp(-z)` and `phi1' = (exp(-z) - phi1) / z`, which is -1/2 at z = 0.

    By hand, since it reuses both values: a fifth less work in the gradient of a solve.
    """
    (z,), (dz,) = primals, tangents
    survival, weight = exponential_weights(z)
    near = _window(z)
    safe = jnp.where(near, z, 0.0)
    # The first omitted term is z^8 / 403,200: 2e-10 at 0.3 (float32), 1e-16 at 0.05 (float64).
    tail = 1 / 144 - safe * (1 / 840 - safe * (1 / 5760 - safe / 45360))
    series = -1 / 2 + safe * (1 / 3 - safe * (1 / 8 - safe * (1 / 30 - safe * tail)))
    bend = jnp.where(near, series, (survival - weight) / jnp.where(near, 1.0, z))
    return (survival, weight), (-survival * dz, bend * dz)
