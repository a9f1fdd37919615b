"""Two more readings of a voltage as spikes: a smooth gate crossing, and a level."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core import Parameter, parameter
from tripartite.core.numerics import logistic
from tripartite.core.surrogates import AbstractSurrogate, require_surrogate, spike
from tripartite.networks import AbstractCrossing


class GateCrossing(AbstractCrossing):
    """A spike as a smooth amount: how far v rose through a gate of `width` around `threshold`.

    `max(G(v) - G(v before), 0)` with `G(v) = 1 / (1 + exp(-(v - threshold) / width))`. An action
    potential that starts well below the threshold and ends well above adds up to 1, however it
    rises and whatever the step; half of one adds up to a part. No surrogate: its derivative is its
    own. Remembered: G, with its derivative.

    After the gated synapses of Huh and Sejnowski, NeurIPS 2018 (arXiv 1706.04698), whose synapse is
    driven by g(v) dv/dt with a gate g of area 1 (from memory in its details). Here its integral
    over a step is taken exactly, and falls do not count.

    **Arguments:** `threshold` and `width` in mV.
    """

    threshold: Parameter = parameter(-20.0, "mV", trainable=False)
    width: Parameter = parameter(5.0, "mV", positive=True, trainable=False)

    def start(self, v: Array) -> Array:
        """G at `v`."""
        return self._gate(v)

    def unit(self) -> str:
        """A pure number."""
        return "1"

    def __call__(self, memory: Array, v: Array, after: Array, t: Array) -> tuple[Array, Array]:
        gate = self._gate(v)
        return jax.nn.relu(gate - memory), gate

    def _gate(self, v: Array) -> Array:
        return logistic((v - self.threshold) / self.width)


class Level(AbstractCrossing):
    """1 in every step that ends above `threshold`, as He et al. (2024) count. Nothing to remember.

    **Arguments:** `threshold` in mV; `surrogate`, by default `None`.

    **Raises:** `ValueError` for a surrogate that is none.
    """

    threshold: Parameter = parameter(-40.0, "mV", trainable=False, source="He et al. 2024")
    surrogate: AbstractSurrogate | None = None

    def __check_init__(self) -> None:
        require_surrogate("Level", self.surrogate)

    def start(self, v: Array) -> Array:
        """Zero."""
        return jnp.zeros_like(v)

    def unit(self) -> str:
        """A pure number."""
        return "1"

    def __call__(self, memory: Array, v: Array, after: Array, t: Array) -> tuple[Array, Array]:
        above = v - self.threshold
        return spike(above > 0, jnp.ones_like(above, bool), above, self.surrogate), memory
