"""What stands in for the derivative of a spike, which as a step function of v has none."""

import abc
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core.parameters import AbstractParametrised, Parameter, parameter

# Beyond so many mV every pseudo-derivative here is below round-off, and no square overflows.
_FAR = 1e9


class AbstractSurrogate(AbstractParametrised):
    """A pseudo-derivative: how fast a smoothed step rises, at a distance from the threshold.

    Those of this file rise from 0 to 1 over all distances, at the threshold by 1 / `width`: widths
    of different kinds can be compared, and a narrower one is nearer to the step. Finite, with its
    own derivatives, at every distance.
    """

    @abc.abstractmethod
    def __call__(self, distance: Array) -> Array:
        """The pseudo-derivative (1/mV) at `distance` (mV) above the threshold."""


class Rectangular(AbstractSurrogate):
    """`1 / width` within `width / 2` of the threshold, and 0 outside.

    The step made a ramp; among the shapes of Neftci, Mostafa and Zenke, IEEE Signal Process. Mag.
    36(6), 51 (2019). **Arguments:** `width` in mV.
    """

    width: Parameter = parameter(10.0, "mV", positive=True, trainable=False)

    def __call__(self, distance: Array) -> Array:
        inside = _away(distance) <= 0.5 * self.width
        return jnp.where(inside, 1.0 / self.width, 0.0).astype(distance.dtype)


class Sigmoid(AbstractSurrogate):
    """`4 s (1 - s) / width`, `s = 1 / (1 + exp(-4 x / width))`: the step made a logistic curve.

    Neftci, Mostafa and Zenke (2019). **Arguments:** `width` in mV.
    """

    width: Parameter = parameter(10.0, "mV", positive=True, trainable=False)

    def __call__(self, distance: Array) -> Array:
        # Of the two tails, the one that does not round to 1.
        tail = jax.nn.sigmoid(-4.0 * _away(distance) / self.width)
        return 4.0 * tail * (1.0 - tail) / self.width


class FastSigmoid(AbstractSurrogate):
    """`1 / (width (1 + 2 |x| / width)^2)`: the step made `x / (1 + |x|)`, moved and scaled.

    Zenke and Ganguli, Neural Comput. 30, 1514 (2018), `1 / (1 + beta |x|)^2`: that is `width` times
    this, with beta = 2 / width. **Arguments:** `width` in mV.
    """

    width: Parameter = parameter(10.0, "mV", positive=True, trainable=False)

    def __call__(self, distance: Array) -> Array:
        fall = 1.0 / (1.0 + 2.0 * _away(distance) / self.width)
        return fall * fall / self.width


class Arctan(AbstractSurrogate):
    """`1 / (width (1 + (pi x / width)^2))`: the step made `1/2 + arctan(pi x / width) / pi`.

    Fang et al., Incorporating learnable membrane time constant, ICCV 2021, where the width is 1.
    **Arguments:** `width` in mV.
    """

    width: Parameter = parameter(10.0, "mV", positive=True, trainable=False)

    def __call__(self, distance: Array) -> Array:
        ratio = jnp.pi * _away(distance) / self.width
        return 1.0 / (self.width * (1.0 + ratio * ratio))


def spike(fired: Array, able: Array, distance: Array, surrogate: AbstractSurrogate | None) -> Array:
    """`fired` as 1 or 0, which to a derivative is as steep as `surrogate` says.

    Of the value nothing changes. Forward and reverse mode both see `surrogate(distance)` as its
    derivative with respect to `distance`; without a surrogate they see 0, the truth but at the
    threshold itself. Where a cell could not have fired, whatever its voltage, it is 0, too.

    **Arguments:** `fired` and `able`, true or false: who did, and who could have; `distance` of v
    above the threshold, mV, which decides the dtype; `surrogate` or `None`.
    """
    value = fired.astype(distance.dtype)
    if surrogate is None:
        return value
    slope = jnp.where(able, surrogate(distance), 0.0).astype(distance.dtype)
    return _steep(value, distance, slope)


@jax.custom_jvp
def _steep(value: Array, distance: Array, slope: Array) -> Array:
    return value


@_steep.defjvp
def _steep_jvp(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    value, _, slope = primals
    return value, slope * tangents[1]


def require_surrogate(owner: str, value: Any) -> None:
    """**Raises:** `ValueError` for what is neither a surrogate nor `None`."""
    if value is not None and not isinstance(value, AbstractSurrogate):
        raise ValueError(
            f"{owner}.surrogate must be a core.surrogates.AbstractSurrogate or None, got "
            f"{value!r}: for example core.surrogates.FastSigmoid(width=10.0)."
        )


def _away(distance: Array) -> Array:
    """|distance|, mV, as far as it matters."""
    return jnp.minimum(jnp.abs(distance), _FAR)
