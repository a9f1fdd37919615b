"""The unit that the released code of He et al. (2024) trains under the name of Hodgkin-Huxley."""

from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from tripartite.core import Parameter, parameter
from tripartite.core.arguments import require
from tripartite.core.errors import require_numbers
from tripartite.core.surrogates import AbstractSurrogate, Rectangular, require_surrogate
from tripartite.layers.lif import threshold_spike
from tripartite.layers.spiking import AbstractSpikingLayer, require_callable

_RELEASE = "He et al. 2024, released code, the HH net of the multi-task experiment"


class ReleaseHHState(NamedTuple):
    """`v` in mV above rest; `n`, `m` and `h`, pure numbers."""

    v: Array
    n: Array
    m: Array
    h: Array


class ReleaseHHLayer(AbstractSpikingLayer):
    """Hodgkin-Huxley conductances whose gates' rates are random constants, not functions of v.

        v <- v + dt (W x - 120 m^3 h (v - 115) - 36 n^4 (v + 12) - 0.3 (v - 10.6))
        g <- g + dt (alpha_g (1 - g) - beta_g g)      for g = m, n, h, from zero

    by forward Euler, and a level for a spike: 1 at every tick with v > threshold; no reset. Only
    for comparison: with the released constants the gates stay near zero for the 15 ticks of a
    picture, so that the unit is a leaky integrator without a reset and fires no action potential.
    `HHLayer` has the real equations.

    **Arguments:** `synapse`, a map of one tick's input, or `None`; `units`, their shape; `scale`
    (1/ms): the six rates of each unit are drawn from [0, scale); `dt` in ms; `threshold` in mV;
    `surrogate`; `key`.

    **Raises:** `ValueError` for a step that is not positive, a surrogate that is none, a synapse
    that is no map, or inputs for other units than those that were made.
    """

    neuronal: ClassVar[tuple[str, ...]] = ()

    synapse: Any
    rates: Parameter = parameter(None, "1/ms", trainable=False, source=_RELEASE)
    dt: Parameter = parameter(0.01, "ms", positive=True, trainable=False, source=_RELEASE)
    threshold: Parameter = parameter(0.2, "mV", trainable=False, source=_RELEASE)
    surrogate: AbstractSurrogate | None = None
    learn: bool = eqx.field(static=True, default=False)
    remat: bool = eqx.field(static=True, default=False)

    def __init__(
        self,
        synapse: Any,
        units: tuple[int, ...],
        *,
        scale: float = 0.01,
        dt: Any = 0.01,
        threshold: Any = 0.2,
        surrogate: AbstractSurrogate | None = None,
        remat: bool = False,
        key: PRNGKeyArray,
    ) -> None:
        require_callable("ReleaseHHLayer", "synapse", synapse)
        require("units", units, tuple)
        require_numbers(scale=scale, units=units)
        self.synapse = synapse
        self.rates = scale * jax.random.uniform(key, (6, *units))
        self.dt, self.threshold = dt, threshold
        self.surrogate = Rectangular(width=0.6) if surrogate is None else surrogate
        self.learn, self.remat = False, remat

    def __check_init__(self) -> None:
        require_surrogate("ReleaseHHLayer", self.surrogate)

    def initial_state(self, shape: tuple[int, ...]) -> ReleaseHHState:
        """All four at zero.

        **Raises:** `ValueError` for another shape than that of the rates.
        """
        if tuple(shape) != self.rates.shape[1:]:
            raise ValueError(
                f"ReleaseHHLayer was made for units of shape {self.rates.shape[1:]}, each with its "
                f"rates, got inputs for {tuple(shape)}."
            )
        zero = jnp.zeros(shape, self.rates.dtype)
        return ReleaseHHState(zero, zero, zero, zero)

    def step(self, current: Array, state: ReleaseHHState) -> tuple[Array, ReleaseHHState]:
        """One tick, one step of Euler's."""
        v, n, m, h = state
        dt, rates = jax.lax.stop_gradient((self.dt, self.rates))
        sodium, potassium = 120.0 * m**3 * h, 36.0 * n**4
        ionic = sodium * (v - 115.0) + potassium * (v + 12.0) + 0.3 * (v - 10.6)
        gates = [
            g + dt * (rates[2 * i] * (1.0 - g) - rates[2 * i + 1] * g)
            for i, g in enumerate((n, m, h))
        ]
        v = v + dt * (current - ionic)
        spikes = threshold_spike(v, jax.lax.stop_gradient(self.threshold), self.surrogate)
        return spikes, ReleaseHHState(v, *gates)
