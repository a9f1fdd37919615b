"""A white noise current on a membrane."""

from tripartite.core import AbstractParametrised, Parameter, parameter


class CurrentNoise(AbstractParametrised):
    """White noise of a cell's current: `C dv = (...) dt + sqrt(intensity) dW`.

    On a membrane of constant conductance g it makes v an Ornstein-Uhlenbeck process of variance
    intensity / (2 g C) (Tuckwell, Introduction to Theoretical Neurobiology 2, 1988, section 9.5).
    A current of standard deviation s and correlation time tau, much shorter than the membrane's,
    acts as an intensity of 2 s^2 tau.

    **Arguments:** `intensity` in uA2 ms/cm4 (or pA2 ms), the spectral density of the current over
    positive and negative frequencies.
    """

    intensity: Parameter = parameter(None, "uA2 ms/cm4", positive=True)
