"""Lagrangians of layers of neurons: convex functions whose gradients are the activations."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.arguments import require_fields
from tripartite.core.numerics import length

_KROTOV_HOPFIELD = "Krotov and Hopfield 2021 (arXiv 2008.06996)"


class AbstractLagrangian(AbstractParametrised):
    """A convex function of the activity of a layer; its gradient is what the layer sends out.

    A layer's share of an energy is the Legendre transform `x . a - L(x)` with `a = grad L(x)`:
    hence the energy falls along the dynamics wherever the Hessian of L is positive semidefinite.
    Any function of an array to a scalar may stand where a Lagrangian is asked for.
    """

    @abc.abstractmethod
    def __call__(self, x: Array) -> Float[Array, ""]:
        """L(x): a pure number; `x` of any shape, a pure number."""


class Identity(AbstractLagrangian):
    """`L = sum x^2 / 2`: linear neurons, `a = x`."""

    def __call__(self, x: Array) -> Float[Array, ""]:
        return 0.5 * jnp.sum(x * x)


class ReluPower(AbstractLagrangian):
    """`L = sum relu(x)^n / n`: rectified powers, `a = relu(x)^(n-1)`.

    **Arguments:** `power`: n, at least 2.

    **Raises:** `ValueError` for a power below 2.
    """

    power: int = eqx.field(static=True)

    def __check_init__(self):
        require_fields(self)
        if self.power < 2:
            raise ValueError(
                f"ReluPower.power must be an integer of at least 2, got {self.power}: below 2 the "
                "activation jumps at zero."
            )

    def __call__(self, x: Array) -> Float[Array, ""]:
        return jnp.sum(jax.nn.relu(x) ** self.power) / self.power


class EvenPower(AbstractLagrangian):
    """`L = sum x^n / n` for even n: `a = x^(n-1)`, for which a pattern and its negative are one.

    **Arguments:** `power`: n, even and at least 2.

    **Raises:** `ValueError` for an odd power, whose Lagrangian is not convex, or one below 2.
    """

    power: int = eqx.field(static=True)

    def __check_init__(self):
        require_fields(self)
        if self.power < 2 or self.power % 2:
            raise ValueError(
                f"EvenPower.power must be an even integer of at least 2, got {self.power}: another "
                "power is not convex; use ReluPower for it."
            )

    def __call__(self, x: Array) -> Float[Array, ""]:
        return jnp.sum(x**self.power) / self.power


class Exponential(AbstractLagrangian):
    """`L = sum exp(x)`: exponential neurons, `a = exp(x)`. Demircigil et al. 2017's energy."""

    def __call__(self, x: Array) -> Float[Array, ""]:
        return jnp.sum(jnp.exp(x))


class LogSumExp(AbstractLagrangian):
    """`L = log sum exp(beta x) / beta`: neurons that share one normaliser, `a = softmax(beta x)`.

    **Arguments:** `beta`: inverse temperature, a pure number.

    **Raises:** `ValueError` if `beta` is not positive.
    """

    beta: Parameter = parameter(1.0, "1", positive=True, source=_KROTOV_HOPFIELD)

    def __call__(self, x: Array) -> Float[Array, ""]:
        return jax.nn.logsumexp(self.beta * x) / self.beta


class Absolute(AbstractLagrangian):
    """`L = sum |x|`: binary neurons, `a = sign(x)`; at x = 0, `a = 0`.

    The activation jumps, so an adaptive solver takes short steps wherever a neuron changes sign;
    `LogCosh` is its smooth form.
    """

    def __call__(self, x: Array) -> Float[Array, ""]:
        return jnp.sum(jnp.abs(x))


class LogCosh(AbstractLagrangian):
    """`L = sum log cosh(beta x) / beta`: saturating neurons, `a = tanh(beta x)`.

    **Arguments:** `beta`: the gain, a pure number. As it grows, L becomes `Absolute`.

    **Raises:** `ValueError` if `beta` is not positive.
    """

    beta: Parameter = parameter(1.0, "1", positive=True, source=_KROTOV_HOPFIELD)

    def __call__(self, x: Array) -> Float[Array, ""]:
        return jnp.sum(log_cosh(self.beta * x)) / self.beta

    def inverse(self, a: Array) -> Array:
        """The activity behind an activation: `artanh(a) / beta`, for |a| < 1."""
        return jnp.arctanh(a) / self.beta


class Spherical(AbstractLagrangian):
    """`L = |x|`, the length: divisive normalisation, `a = x / |x|`; at x = 0, `a = 0`."""

    def __call__(self, x: Array) -> Float[Array, ""]:
        return length(jnp.ravel(x))


@jax.custom_jvp
def log_cosh(x: Array) -> Array:
    """`log cosh x`, elementwise, for every finite `x`; its derivative is `tanh x`.

    In the form |x| + log1p(exp(-2|x|)) - log 2: cosh itself overflows beyond 710 (float32: 89),
    which a neuron driven by some hundred others reaches. Its derivative is written out, since that
    of |x| would leave a hole in the second derivative at 0.
    """
    size = jnp.abs(x)
    return size + jnp.log1p(jnp.exp(-2.0 * size)) - jnp.log(jnp.asarray(2.0, x.dtype))


@log_cosh.defjvp
def _log_cosh_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    return log_cosh(x), jnp.tanh(x) * dx
