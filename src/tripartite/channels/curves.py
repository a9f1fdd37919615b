"""What a gate tends to and how long it takes: steady states and time constants, as data."""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.channels.rates import AbstractRate
from tripartite.core import AbstractParametrised, Parameter, parameter, whole
from tripartite.core.numerics import hill, logistic


class AbstractSteadyState(AbstractParametrised):
    """An open fraction (between 0 and 1) as a function of the surroundings."""

    @abc.abstractmethod
    def __call__(self, v: Array, calcium: Array | None = None) -> Array:
        """The fraction at `v` (mV) and `calcium` (uM; `None` in a cell without a pool)."""


class AbstractTimeConstant(AbstractParametrised):
    """A time constant (ms) as a function of the membrane potential."""

    @abc.abstractmethod
    def __call__(self, v: Array) -> Array:
        """The time constant in ms at `v` (mV)."""

    def rate(self, v: Array) -> Array:
        """One over it, in 1/ms, at `v` (mV)."""
        return 1.0 / self(v)


class AbstractReadsCalcium(AbstractParametrised):
    """Marks a channel, or a part of one, that works only in a cell with a calcium pool."""


class Boltzmann(AbstractSteadyState):
    """`(1 / (1 + exp(-(v - midpoint) / scale)))^power`; a negative scale falls with v."""

    midpoint: Parameter = parameter(-40.0, "mV")
    scale: Parameter = parameter(5.0, "mV", nonzero=True)
    power: int = whole(1)

    def __call__(self, v: Array, calcium: Array | None = None) -> Array:
        return logistic((v - self.midpoint) / self.scale) ** self.power


class RateRatio(AbstractSteadyState):
    """`opening / (opening + closing)`: the steady state of a pair of rates."""

    opening: AbstractRate
    closing: AbstractRate

    def __call__(self, v: Array, calcium: Array | None = None) -> Array:
        opening = self.opening(v)
        return opening / (opening + self.closing(v))


class CalciumHill(AbstractSteadyState, AbstractReadsCalcium):
    """`c^power / (c^power + half^power)` of the calcium concentration c.

    **Raises:** `ValueError` when called without calcium.
    """

    half: Parameter = parameter(1.0, "uM", positive=True)
    power: int = whole(1)

    def __call__(self, v: Array, calcium: Array | None = None) -> Array:
        return hill(known(calcium), self.half, self.power)


def known(calcium: Array | None) -> Array:
    """The calcium concentration (uM).

    **Raises:** `ValueError` if there is none.
    """
    if calcium is None:
        raise ValueError(
            "a calcium-dependent channel needs a calcium concentration, got None: give the cell a "
            "pool, ConductanceCell(..., pool=channels.CalciumPool(...))."
        )
    return calcium


class RateTime(AbstractTimeConstant):
    """`1 / (first + second)`: a bell-shaped time constant, from two rates (1/ms).

    With two exponentials of opposite scale it is `tau / cosh((v - midpoint) / scale)`, each rate
    being 1 / (2 tau).
    """

    first: AbstractRate
    second: AbstractRate

    def __call__(self, v: Array) -> Array:
        return 1.0 / self.rate(v)

    # Not one over one over it: the square of a fast rate, in that derivative, would overflow.
    def rate(self, v: Array) -> Array:
        """`first + second`, in 1/ms, at `v` (mV)."""
        return self.first(v) + self.second(v)


class SigmoidTime(AbstractTimeConstant):
    """`base + amplitude / (1 + exp((v - midpoint) / scale))`."""

    base: Parameter = parameter(1.0, "ms", positive=True)
    amplitude: Parameter = parameter(1.0, "ms")
    midpoint: Parameter = parameter(-50.0, "mV")
    scale: Parameter = parameter(20.0, "mV", nonzero=True)

    def __call__(self, v: Array) -> Array:
        return self.base + self.amplitude * logistic(-(v - self.midpoint) / self.scale)


class RisingOverRising(AbstractTimeConstant):
    """`base + (plateau + A) / (1 + B)`, A = exp((v - rise)/steep), B = exp((v - fall)/decline).

    The inactivation of the T-type current, Destexhe's fit to Huguenard and McCormick (1992), a
    bell on a plateau. `joined=True` is the form printed in some codes, `(base + plateau + A) /
    (1 + B)`. A / (1 + B) is computed as one exponential, which never overflows.
    """

    base: Parameter = parameter(30.8, "ms", positive=True)
    plateau: Parameter = parameter(211.4, "ms", positive=True)
    size: Parameter = parameter(1.0, "ms", positive=True, doc="of the exponential A")
    rise: Parameter = parameter(-113.2, "mV")
    steep: Parameter = parameter(5.0, "mV", positive=True)
    fall: Parameter = parameter(-84.0, "mV")
    decline: Parameter = parameter(3.2, "mV", positive=True)
    joined: bool = eqx.field(static=True, default=False)

    def __call__(self, v: Array) -> Array:
        a, b = (v - self.rise) / self.steep, (v - self.fall) / self.decline
        bell = self.plateau * logistic(-b) + self.size * jnp.exp(a - jax.nn.softplus(b))
        return bell + self.base * (logistic(-b) if self.joined else 1.0)
