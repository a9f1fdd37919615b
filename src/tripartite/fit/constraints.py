"""Constraints on parameters, kept outside the model: free numbers to values that obey."""

import abc
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PRNGKeyArray

from tripartite.core.arguments import require_fields


class AbstractConstraint(eqx.Module):
    """A smooth map from free numbers `z` to values that obey, around a value that does.

    `z = 0` is the reference itself, to the last bit: packing a model and unpacking it again changes
    nothing, whatever the rounding of a logarithm.
    """

    @abc.abstractmethod
    def broken(self, value: np.ndarray) -> str | None:
        """What is wrong with a value (`"must be positive"`), or `None`."""

    @abc.abstractmethod
    def constrained(self, z: Array, reference: Array) -> Array:
        """The value at the free numbers `z`."""

    @abc.abstractmethod
    def free(self, value: Array, reference: Array) -> Array:
        """The free numbers of a value: the inverse of `constrained`."""

    @abc.abstractmethod
    def log_volume(self, value: Array, reference: Array) -> Array:
        """log |d value / d z|, a scalar: what a density of values gains as one of `z`."""

    @abc.abstractmethod
    def draw(self, key: PRNGKeyArray, reference: Array) -> Array:
        """A random value to start from."""

    def free_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of `z` for a value's shape."""
        return shape


class Free(AbstractConstraint):
    """No constraint: `x = x0 + scale z`. Draws are uniform within `scale` of the reference.

    **Arguments:** `scale`, in the parameter's unit: what counts as a large change of it.

    **Raises:** `ValueError` if the scale is not positive.
    """

    scale: float = eqx.field(static=True, default=1.0)

    def __check_init__(self) -> None:
        require_fields(self)
        if not self.scale > 0:
            raise ValueError(f"Free.scale must be positive, got {self.scale}.")

    def broken(self, value: np.ndarray) -> str | None:
        return None

    def constrained(self, z: Array, reference: Array) -> Array:
        return reference + self.scale * z

    def free(self, value: Array, reference: Array) -> Array:
        return (value - reference) / self.scale

    def log_volume(self, value: Array, reference: Array) -> Array:
        return jnp.asarray(np.size(value) * np.log(self.scale), value.dtype)

    def draw(self, key: PRNGKeyArray, reference: Array) -> Array:
        z = jax.random.uniform(key, jnp.shape(reference), reference.dtype, -1.0, 1.0)
        return self.constrained(z, reference)


class Positive(AbstractConstraint):
    """`x = x0 e^z > 0`. Draws are log-uniform, at most a factor `spread` either way.

    **Raises:** `ValueError` for a spread that is not above 1.
    """

    spread: float = eqx.field(static=True, default=3.0)

    def __check_init__(self) -> None:
        require_fields(self)
        _check_spread("Positive", self.spread)

    def broken(self, value: np.ndarray) -> str | None:
        return None if np.all(value > 0) else "must be positive"

    def constrained(self, z: Array, reference: Array) -> Array:
        return _scaled(z, reference)

    def free(self, value: Array, reference: Array) -> Array:
        return jnp.log(value / reference)

    def log_volume(self, value: Array, reference: Array) -> Array:
        return jnp.sum(jnp.log(value))

    def draw(self, key: PRNGKeyArray, reference: Array) -> Array:
        return _spread(key, reference, self.spread)


class Sign(AbstractConstraint):
    """Each number keeps its sign: `x = x0 e^z`, as a synapse under Dale's law keeps its own.

    Draws are log-uniform in size, at most a factor `spread` either way.

    **Arguments:** `sign`: 1 or -1 for all of them, or `None` for that which each has.

    **Raises:** `ValueError` for another sign, or a spread that is not above 1.
    """

    sign: int | None = eqx.field(static=True, default=None)
    spread: float = eqx.field(static=True, default=3.0)

    def __check_init__(self) -> None:
        require_fields(self)
        if self.sign not in (1, -1, None):
            raise ValueError(f"Sign.sign must be 1, -1 or None, got {self.sign!r}.")
        _check_spread("Sign", self.spread)

    def broken(self, value: np.ndarray) -> str | None:
        if np.any(value == 0):
            return "must not be zero, which has no sign to keep"
        if self.sign is not None and np.any(np.sign(value) != self.sign):
            return "must be positive" if self.sign > 0 else "must be negative"
        return None

    def constrained(self, z: Array, reference: Array) -> Array:
        return jnp.sign(reference) * _scaled(z, jnp.abs(reference))

    def free(self, value: Array, reference: Array) -> Array:
        return jnp.log(value / reference)

    def log_volume(self, value: Array, reference: Array) -> Array:
        return jnp.sum(jnp.log(jnp.abs(value)))

    def draw(self, key: PRNGKeyArray, reference: Array) -> Array:
        return jnp.sign(reference) * _spread(key, jnp.abs(reference), self.spread)


class Interval(AbstractConstraint):
    """`low < x < high`: the log-odds of (x - low) : (high - x) move by `z`. Draws are uniform.

        x = x0 + 2 p q t / (p (1 + t) + q (1 - t)),   t = tanh(z / 2),  p = x0 - low,  q = high - x0

    which is the logistic curve through x0, written as a change of x0 that no `z` overflows.

    **Arguments:** `low`, `high` in the parameter's unit.

    **Raises:** `ValueError` if they are not finite and in order.
    """

    low: float = eqx.field(static=True)
    high: float = eqx.field(static=True)

    def __check_init__(self) -> None:
        require_fields(self)
        if not self.low < self.high:
            raise ValueError(
                f"Interval needs low < high, got {self.low} and {self.high}: use Positive or Free "
                "for a side without a bound."
            )

    def broken(self, value: np.ndarray) -> str | None:
        inside = np.all((value > self.low) & (value < self.high))
        return None if inside else f"must lie between {self.low:g} and {self.high:g}"

    def constrained(self, z: Array, reference: Array) -> Array:
        p, q, t = reference - self.low, self.high - reference, jnp.tanh(0.5 * z)
        moved = reference + 2.0 * p * q * t / (p * (1.0 + t) + q * (1.0 - t))
        return jnp.clip(moved, self.low, self.high)

    def free(self, value: Array, reference: Array) -> Array:
        p, q = reference - self.low, self.high - reference
        return jnp.log((value - self.low) / p) - jnp.log((self.high - value) / q)

    def log_volume(self, value: Array, reference: Array) -> Array:
        p, q = value - self.low, self.high - value
        return jnp.sum(jnp.log(p) + jnp.log(q) - np.log(self.high - self.low))

    def draw(self, key: PRNGKeyArray, reference: Array) -> Array:
        # Away from the ends, where a start would not move.
        u = jax.random.uniform(key, jnp.shape(reference), reference.dtype, 0.001, 0.999)
        return self.low + (self.high - self.low) * u


class Simplex(AbstractConstraint):
    """Positive numbers of one sum along the last axis, such as shares that add up to 1.

        x_i = x0_i e^(z_i) s / sum_j x0_j e^(z_j),    s = sum_j x0_j,   z_n = 0

    n numbers have n - 1 freedoms: the last is the measure of the others. Draws are uniform on the
    simplex.

    **Arguments:** `total`, the sum that a value must have, to rounding.

    **Raises:** `ValueError` if it is not positive.
    """

    total: float = eqx.field(static=True, default=1.0)

    def __check_init__(self) -> None:
        require_fields(self)
        if not self.total > 0:
            raise ValueError(f"Simplex.total must be positive, got {self.total}.")

    def broken(self, value: np.ndarray) -> str | None:
        if value.ndim == 0 or value.shape[-1] < 2:
            return "must have a last axis of two numbers or more"
        if not np.all(value > 0):
            return "must be positive"
        slack = 4.0 * value.shape[-1] * np.finfo(value.dtype).eps * self.total
        if np.any(np.abs(value.sum(-1) - self.total) > slack):
            return f"must add up to {self.total:g}"
        return None

    def free_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], shape[-1] - 1)

    def constrained(self, z: Array, reference: Array) -> Array:
        z = jnp.concatenate([z, jnp.zeros_like(z[..., :1])], axis=-1)
        # The largest is left out of each exponential. No shift at all at z = 0.
        z = z - jax.lax.stop_gradient(jnp.max(z, axis=-1, keepdims=True))
        parts = reference * jnp.exp(z)
        # One reduction for both sums: at z = 0 they are the same to the last bit.
        whole, grown = jnp.sum(jnp.stack([reference, parts]), axis=-1, keepdims=True)
        return jnp.maximum(parts * (whole / grown), _tiny(reference))

    def free(self, value: Array, reference: Array) -> Array:
        moved = jnp.log(value / reference)
        return moved[..., :-1] - moved[..., -1:]

    def log_volume(self, value: Array, reference: Array) -> Array:
        # The determinant of diag(x) - x x^T / s over all but the last is prod(x) / s.
        whole = jnp.sum(reference, axis=-1)
        return jnp.sum(jnp.log(value)) - jnp.sum(jnp.log(whole))

    def draw(self, key: PRNGKeyArray, reference: Array) -> Array:
        parts = jax.random.exponential(key, jnp.shape(reference), reference.dtype)
        parts = jnp.maximum(parts, 1e-3)
        whole = jnp.sum(reference, axis=-1, keepdims=True)
        return parts * (whole / jnp.sum(parts, axis=-1, keepdims=True))


def _scaled(z: Array, size: Array) -> Array:
    """`size e^z`, kept from rounding to zero or to infinity."""
    limits = jnp.finfo(size.dtype)
    # Held back before the exponential: after it, the gradient would be zero times infinity.
    most = (1.0 - 8.0 * limits.eps) * jnp.log(limits.max) - jnp.maximum(jnp.log(size), 0.0)
    return jnp.maximum(size * jnp.exp(jnp.minimum(z, most)), limits.tiny)


def _tiny(x: Array) -> Any:
    return jnp.finfo(x.dtype).tiny


def _spread(key: PRNGKeyArray, size: Array, spread: float) -> Array:
    reach = float(np.log(spread))
    return size * jnp.exp(jax.random.uniform(key, jnp.shape(size), size.dtype, -reach, reach))


def _check_spread(name: str, spread: float) -> None:
    if not spread > 1:
        raise ValueError(f"{name}.spread must be a factor above 1, got {spread}.")
