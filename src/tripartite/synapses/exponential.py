"""Conductances that a spike raises at once and that decay exponentially, with or without a rise."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.core import Parameter, Relaxation, as_cleft, parameter
from tripartite.core.errors import is_concrete
from tripartite.synapses.base import AbstractLinearSynapse, require_weight
from tripartite.synapses.magnesium import MagnesiumBlock

_CHAPTER = "Stimberg et al. 2019, table of parameters"


class ExponentialState(NamedTuple):
    """`g`, the conductance (mS/cm2 or nS)."""

    g: Array


class Exponential(AbstractLinearSynapse):
    """`dg/dt = -g / decay`, and `g += weight` at each spike.

    Roth and van Rossum, Modeling synapses (2009). Exact on fixed steps: constant coefficients,
    spikes on the grid.

    **Arguments:** `weight` in mS/cm2 (or nS), not negative; `decay` in ms; `reversal` in mV.

    **Raises:** `ValueError` for a negative weight or a time constant that is not positive.
    """

    weight: Parameter = parameter(0.05, "mS/cm2", source=f"{_CHAPTER} (0.05 nS)")
    decay: Parameter = parameter(5.0, "ms", positive=True, source=_CHAPTER)
    reversal: Parameter = parameter(0.0, "mV", source=_CHAPTER)

    def __check_init__(self) -> None:
        require_weight("Exponential", self.weight)

    def init(self) -> ExponentialState:
        """Closed."""
        return ExponentialState(jnp.zeros_like(self.weight))

    def units(self) -> ExponentialState:
        """The unit of the weight."""
        return ExponentialState("mS/cm2")  # pyright: ignore[reportArgumentType]

    def relax(self, t: Array, y: ExponentialState, u: Any) -> Relaxation:
        """Drive `weight * rate`, decay `1 / decay`."""
        rate = 1.0 / self.decay + jnp.zeros_like(y.g)
        drive = self.weight * as_cleft(u).rate + jnp.zeros_like(y.g)
        return Relaxation(ExponentialState(drive), ExponentialState(rate))

    def jump(self, t: Array, before: Any, y: ExponentialState, u: Any) -> ExponentialState:
        """`g += weight * spike`."""
        return ExponentialState(y.g + self.weight * as_cleft(u).spike)

    def conductance(self, y: ExponentialState, v_post: Array) -> tuple[Array, Array]:
        """`(g, reversal)`."""
        return y.g, self.reversal


class DoubleExponentialState(NamedTuple):
    """`slow` and `fast`, whose difference is the conductance (mS/cm2 or nS)."""

    slow: Array
    fast: Array


class DoubleExponential(AbstractLinearSynapse):
    """`g = weight n (exp(-t / decay) - exp(-t / rise))` after a spike: a peak of `weight`.

    Roth and van Rossum, Modeling synapses (2009): n is one over the difference at its peak,
    which comes `rise decay / (decay - rise) * ln(decay / rise)` after the spike. Exact on fixed
    steps.

    **Arguments:** `weight` in mS/cm2 (or nS), not negative: the peak after one spike; `rise` and
    `decay` in ms, `rise < decay`; `reversal` in mV; `block` a `MagnesiumBlock`, or `None`.

    **Raises:** `ValueError` for a negative weight, a time constant that is not positive, or a rise
    that is not shorter than the decay.
    """

    weight: Parameter = parameter(0.05, "mS/cm2")
    rise: Parameter = parameter(0.5, "ms", positive=True)
    decay: Parameter = parameter(5.0, "ms", positive=True)
    reversal: Parameter = parameter(0.0, "mV")
    block: MagnesiumBlock | None = None

    def __check_init__(self) -> None:
        require_weight("DoubleExponential", self.weight)
        if not (is_concrete(self.rise) and is_concrete(self.decay)):
            return
        if np.any(np.asarray(self.rise) >= np.asarray(self.decay)):
            raise ValueError(
                f"DoubleExponential.rise must be shorter than its decay, got rise {self.rise} ms "
                f"and decay {self.decay} ms: swap them, or for equal ones shorten the rise by a "
                "hundredth."
            )

    def peak_time(self) -> Array:
        """How long after a spike the conductance peaks, ms."""
        return self.rise * self.decay / (self.decay - self.rise) * jnp.log(self.decay / self.rise)

    def init(self) -> DoubleExponentialState:
        """Closed."""
        zero = jnp.zeros_like(self.weight)
        return DoubleExponentialState(zero, zero)

    def units(self) -> DoubleExponentialState:
        """The unit of the weight."""
        return DoubleExponentialState("mS/cm2", "mS/cm2")  # pyright: ignore[reportArgumentType]

    def relax(self, t: Array, y: DoubleExponentialState, u: Any) -> Relaxation:
        """Drive `weight * n * rate` of both, decays `1 / decay` and `1 / rise`."""
        zero = jnp.zeros_like(y.slow)
        drive = self._kick() * as_cleft(u).rate + zero
        return Relaxation(
            DoubleExponentialState(drive, drive),
            DoubleExponentialState(1.0 / self.decay + zero, 1.0 / self.rise + zero),
        )

    def jump(self, t: Array, before: Any, y: Any, u: Any) -> DoubleExponentialState:
        """Both grow by `weight * n * spike`: the conductance does not jump, its slope does."""
        kick = self._kick() * as_cleft(u).spike
        return DoubleExponentialState(y.slow + kick, y.fast + kick)

    def conductance(self, y: DoubleExponentialState, v_post: Array) -> tuple[Array, Array]:
        """`(slow - fast, reversal)`, times the open fraction of the block if there is one."""
        g = y.slow - y.fast
        return (g if self.block is None else g * self.block(v_post)), self.reversal

    def _kick(self) -> Array:
        """`weight * n`."""
        peak = self.peak_time()
        return self.weight / (jnp.exp(-peak / self.decay) - jnp.exp(-peak / self.rise))
