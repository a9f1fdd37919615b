"""Voltage-dependent rates, in the three forms of NeuroML (Cannon et al. 2014), as data."""

import abc

from jaxtyping import Array

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.numerics import bounded_exp, linoid, logistic


class AbstractRate(AbstractParametrised):
    """A rate (1/ms) as a function of the membrane potential (mV)."""

    @abc.abstractmethod
    def __call__(self, v: Array) -> Array:
        """The rate in 1/ms at `v` (mV)."""


class Linoid(AbstractRate):
    """`rate * x / (1 - exp(-x))`, x = (v - midpoint) / scale; finite at its pole `v = midpoint`."""

    rate: Parameter = parameter(1.0, "1/ms")
    midpoint: Parameter = parameter(-40.0, "mV")
    scale: Parameter = parameter(10.0, "mV", nonzero=True)

    def __call__(self, v: Array) -> Array:
        return self.rate * linoid((v - self.midpoint) / self.scale)


class Exponential(AbstractRate):
    """`rate * exp((v - midpoint) / scale)`, the exponent at most 40 (see `bounded_exp`)."""

    rate: Parameter = parameter(1.0, "1/ms")
    midpoint: Parameter = parameter(-65.0, "mV")
    scale: Parameter = parameter(10.0, "mV", nonzero=True)

    def __call__(self, v: Array) -> Array:
        return self.rate * bounded_exp((v - self.midpoint) / self.scale)


class Sigmoid(AbstractRate):
    """`rate / (1 + exp(-(v - midpoint) / scale))`."""

    rate: Parameter = parameter(1.0, "1/ms")
    midpoint: Parameter = parameter(-35.0, "mV")
    scale: Parameter = parameter(10.0, "mV", nonzero=True)

    def __call__(self, v: Array) -> Array:
        return self.rate * logistic((v - self.midpoint) / self.scale)
