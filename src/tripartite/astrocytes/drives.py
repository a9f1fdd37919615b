"""Stimuli for astrocytes: a drive made of parts, glutamate by the vesicle, spikes, an IP3 pulse."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.astrocytes.base import AstrocyteDrive, require_not_negative
from tripartite.core import Parameter, signal
from tripartite.core.errors import is_concrete
from tripartite.stimuli import AbstractStimulus, as_stimulus


def drive(
    *, glutamate: Any = 0.0, coupling: Any = 0.0, bias: Any = 0.0, spikes: Any = 0.0
) -> "Drive":
    """A stimulus from its parts, each a number, an array (one per cell) or a stimulus.

    **Arguments:** as in `AstrocyteDrive`.

    **Raises:** `ValueError` for a negative concentration of glutamate.
    """
    require_not_negative("glutamate", glutamate if not callable(glutamate) else ())
    dtype = jnp.result_type(float)
    for leaf in jax.tree.leaves((glutamate, coupling, bias, spikes)):
        dtype = leaf.dtype if isinstance(leaf, jax.Array) else dtype
    parts = (as_stimulus(part, dtype) for part in (glutamate, coupling, bias, spikes))
    return Drive(*map(_lasting, parts))


def _lasting(stimulus: AbstractStimulus) -> AbstractStimulus:
    """The stimulus with a `stop` that never comes as the largest number: parts must be finite."""

    def finite(x: Any) -> Any:
        if not eqx.is_inexact_array(x):
            return x
        return jnp.where(jnp.isposinf(x), jnp.finfo(x.dtype).max, x)

    return jax.tree.map(finite, stimulus)


class Drive(AbstractStimulus):
    """An `AstrocyteDrive` in time; made by `drive`. **Arguments:** one stimulus for each part."""

    glutamate: AbstractStimulus
    coupling: AbstractStimulus
    bias: AbstractStimulus
    spikes: AbstractStimulus

    def __call__(self, t: Array) -> AstrocyteDrive:
        return AstrocyteDrive(self.glutamate(t), self.coupling(t), self.bias(t), self.spikes(t))

    def jumps(self) -> Array:
        parts = (self.glutamate, self.coupling, self.bias, self.spikes)
        return jnp.concatenate([jnp.ravel(part.jumps()) for part in parts])


class Transients(AbstractStimulus):
    """A concentration that jumps and is cleared: `sum over s of J exp(-Omega (t - s))`.

    The glutamate of vesicles released at the times s, with first-order uptake (Stimberg et al.
    2019, figure 2).

    **Arguments:** `jump` (J) in uM; `times` `[k]` in ms; `clearance` (Omega) in 1/ms.

    **Raises:** `ValueError` if the jump is negative.
    """

    jump: Parameter = signal()
    times: Parameter = signal()
    clearance: Parameter = signal(0.04)

    def __check_init__(self) -> None:
        require_not_negative("jump", self.jump)

    def __call__(self, t: Array) -> Array:
        since = t - self.times
        past = since >= 0
        left = jnp.exp(-self.clearance * jnp.where(past, since, 0.0))
        return self.jump * jnp.sum(jnp.where(past, left, 0.0))

    def jumps(self) -> Array:
        return jnp.ravel(self.times)


class SpikeArrivals(AbstractStimulus):
    """The weighted spikes that arrive at the end of a step, for fixed steps of `dt`.

    A spike counts at the grid point nearest to its time.

    **Arguments:** `times` `[k]` in ms; `dt` the solve's step in ms; `weight` of each spike.
    """

    times: Parameter = signal()
    dt: Parameter = signal()
    weight: Parameter = signal(1.0)

    def __call__(self, t: Array) -> Array:
        here = jnp.abs(t - self.times) < 0.5 * self.dt
        return jnp.sum(jnp.where(here, self.weight, 0.0))

    def jumps(self) -> Array:
        return jnp.zeros((0,), self.times.dtype)


class IP3Pulse(AbstractStimulus):
    """IP3 that rises towards a plateau, then decays: the input of Taheri et al. (2017).

        A (1 - exp(-r (t - s))) / (1 - exp(-r d_rise))   for s <= t <= s + d_rise
        A exp(-ln(A / 0.005 uM) (t - s - d_rise) / d_decay)   afterwards

    Front. Syst. Neurosci. 11, 79, equation 1; ModelDB 189344.

    **Arguments:** `amplitude` (A) in uM; `rise` (d_rise), `decay` (d_decay) and `start` (s) in ms;
    `rate` (r) in 1/ms; `end` in uM, what is left after `decay`.

    **Raises:** `ValueError` if the amplitude is not above `end`.
    """

    amplitude: Parameter = signal()
    rise: Parameter = signal()
    rate: Parameter = signal()
    decay: Parameter = signal()
    start: Parameter = signal(0.0)
    end: Parameter = signal(0.005)

    def __check_init__(self) -> None:
        known = is_concrete(self.amplitude) and is_concrete(self.end)
        if known and not np.all(np.asarray(self.amplitude) > np.asarray(self.end)):
            raise ValueError(
                f"IP3Pulse.amplitude must be above its end, got {self.amplitude} and {self.end} uM."
            )

    def __call__(self, t: Array) -> Array:
        since = t - self.start
        rising = jnp.clip(since, 0.0, self.rise)
        risen = -jnp.expm1(-self.rate * rising) / -jnp.expm1(-self.rate * self.rise)
        falling = jnp.maximum(since - self.rise, 0.0) / self.decay
        return self.amplitude * risen * jnp.exp(-jnp.log(self.amplitude / self.end) * falling)

    def jumps(self) -> Array:
        return jnp.stack([self.start, self.start + self.rise])
