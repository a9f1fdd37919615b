"""A spike as a smooth function of a voltage, for gradients through what spikes cause."""

from jaxtyping import Array

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.numerics import logistic


class SmoothSpikes(AbstractParametrised):
    """A firing rate read off a voltage: `peak / (1 + exp(-(v - threshold) / slope))`.

    While an action potential is above the threshold its rate is near `peak`, so that it counts as
    `peak` times its width: one spike where the two multiply to 1. Choose `peak` as one over the
    width of your cell's action potential at the threshold.

    **Arguments:** `peak` in 1/ms; `threshold` and `slope` in mV.
    """

    peak: Parameter = parameter(1.0, "1/ms", positive=True)
    threshold: Parameter = parameter(0.0, "mV")
    slope: Parameter = parameter(2.0, "mV", positive=True)

    def __call__(self, v: Array) -> Array:
        """The rate at `v` (mV), 1/ms."""
        return self.peak * logistic((v - self.threshold) / self.slope)
