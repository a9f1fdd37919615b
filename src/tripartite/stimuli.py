"""Stimuli: functions of time that know where they jump.

A value has the unit of the model's input (uA/cm2 for the cells here). Any field may carry a
leading axis: one entry per unit of a population.
"""

import abc
import math
from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, PRNGKeyArray, PyTree

from tripartite.core.arguments import checked, require, require_fields
from tripartite.core.errors import (
    as_numbers,
    concrete_float,
    is_concrete,
    require_finite,
    require_numbers,
)
from tripartite.core.parameters import Parameter, signal
from tripartite.core.ports import Membrane
from tripartite.core.units import per_area


class AbstractStimulus(eqx.Module):
    """A function of time (ms) to a model's input."""

    @abc.abstractmethod
    def __call__(self, t: Array) -> PyTree[Array]:
        """The input at time `t` (ms)."""

    @abc.abstractmethod
    def jumps(self) -> Array:
        """The times (ms, shape `[k]`, in any order) where the input is not smooth."""

    def flat(self) -> bool:
        """Whether it is constant between its jumps."""
        return False

    def __check_init__(self) -> None:
        require_fields(self)
        for name, value in vars(self).items():
            # A stimulus made of others: each was checked when it was made.
            for leaf in jax.tree.leaves(value, is_leaf=lambda x: isinstance(x, AbstractStimulus)):
                if eqx.is_inexact_array(leaf):
                    # A stimulus may last for ever, so `stop` alone may be infinite.
                    value = jnp.where(jnp.isinf(leaf), 0.0, leaf) if name == "stop" else leaf
                    require_finite(
                        f"{type(self).__name__}.{name}", value, "remove the NaN or infinity"
                    )


class Constant(AbstractStimulus):
    """`I(t) = amplitude`.

    **Arguments:** `amplitude` scalar or `[n]`, in the input's unit, or a `Membrane` of these.
    """

    amplitude: PyTree[Array] = signal()

    def __call__(self, t: Array) -> PyTree[Array]:
        return self.amplitude

    def jumps(self) -> Array:
        return jnp.zeros((0,), jax.tree.leaves(self.amplitude)[0].dtype)

    def flat(self) -> bool:
        """Whether it is constant between its jumps."""
        return True


class Step(AbstractStimulus):
    """`I(t) = amplitude` for `start <= t < stop`, else 0.

    **Arguments:** `amplitude` in the input's unit; `start`, `stop` in ms.
    """

    amplitude: Parameter = signal()
    start: Parameter = signal(0.0)
    stop: Parameter = signal(np.inf)

    def __call__(self, t: Array) -> Array:
        return jnp.where((t >= self.start) & (t < self.stop), self.amplitude, 0.0)

    def jumps(self) -> Array:
        return jnp.concatenate([jnp.ravel(self.start), jnp.ravel(self.stop)])

    def flat(self) -> bool:
        """Whether it is constant between its jumps."""
        return True


class PulseTrain(AbstractStimulus):
    """`count` rectangular pulses: pulse i covers `start + i period <= t < ... + width`.

    **Arguments:** `amplitude` in the input's unit; `width`, `period`, `start` in ms; `count` an
    integer.

    **Raises:** `ValueError` if a pulse is wider than the period, or `count` is below 1.
    """

    amplitude: Parameter = signal()
    width: Parameter = signal()
    period: Parameter = signal()
    count: int = eqx.field(static=True, default=1)
    start: Parameter = signal(0.0)

    def __check_init__(self) -> None:
        require_fields(self)
        if self.count < 1:
            raise ValueError(f"PulseTrain.count must be at least 1, got {self.count}.")
        if not (is_concrete(self.width) and is_concrete(self.period)):
            return
        if bool(jnp.any(self.width <= 0)) or bool(jnp.any(self.width > self.period)):
            raise ValueError(
                f"PulseTrain.width must lie in (0, period], got width {self.width} ms and "
                f"period {self.period} ms: shorten the pulse or lengthen the period."
            )

    def __call__(self, t: Array) -> Array:
        index = _passed(t, self.start, self.period)
        onset = self.start + self.period * index
        on = (index >= 0) & (index < self.count) & (t < onset + self.width)
        return jnp.where(on, self.amplitude, 0.0)

    def jumps(self) -> Array:
        times = jnp.broadcast_arrays(*map(jnp.ravel, (self.start, self.period, self.width)))
        start, period, width = (x[:, None] for x in times)
        onset = start + period * jnp.arange(self.count, dtype=self.period.dtype)[None, :]
        return jnp.concatenate([jnp.ravel(onset), jnp.ravel(onset + width)])

    def flat(self) -> bool:
        """Whether it is constant between its jumps."""
        return True


class Ramp(AbstractStimulus):
    """`I(t) = initial + slope * (t - start)`, held before `start` and after `stop`.

    **Arguments:** `slope` in the input's unit per ms; `start`, `stop` in ms; `initial` in the
    input's unit.
    """

    slope: Parameter = signal()
    start: Parameter = signal(0.0)
    stop: Parameter = signal(np.inf)
    initial: Parameter = signal(0.0)

    def __call__(self, t: Array) -> Array:
        elapsed = jnp.maximum(jnp.minimum(t, self.stop) - self.start, 0.0)
        return self.initial + self.slope * elapsed

    def jumps(self) -> Array:
        return jnp.concatenate([jnp.ravel(self.start), jnp.ravel(self.stop)])


class Sampled(AbstractStimulus):
    """Values on an even grid, interpolated: a recording, a noise path, a conductance trace.

    Before the first sample and after the last, the end value is held. `"previous"` holds each
    sample until the next; `"linear"` joins them; `"cubic"` is the Catmull-Rom spline, third-order
    accurate and once differentiable.

    **Arguments:**

    - `values`: a pytree of arrays `[..., T]`, time last (a leading axis: one per unit).
    - `spacing`, `start`: the grid in ms.
    - `interpolation`: `"linear"`, `"previous"` or `"cubic"`.

    **Raises:** `ValueError` for a NaN among the values, fewer than two samples, a spacing that is
    not positive, or an unknown interpolation.
    """

    values: PyTree[Array] = signal()
    spacing: Parameter = signal()
    start: Parameter = signal(0.0)
    interpolation: Literal["linear", "previous", "cubic"] = eqx.field(static=True, default="linear")

    def __check_init__(self) -> None:
        if self.interpolation not in ("linear", "previous", "cubic"):
            raise ValueError(
                'Sampled.interpolation must be "linear", "previous" or "cubic", got '
                f"{self.interpolation!r}."
            )
        if self.length() < 2:
            raise ValueError(f"Sampled.values needs two samples or more, got {self.length()}.")
        if is_concrete(self.spacing) and not bool(self.spacing > 0):
            raise ValueError(f"Sampled.spacing must be positive, got {self.spacing} ms.")

    def length(self) -> int:
        """The number of samples."""
        return jax.tree.leaves(self.values)[0].shape[-1]

    def __call__(self, t: Array) -> PyTree[Array]:
        last = self.length() - 1
        passed = jnp.clip(_passed(t, self.start, self.spacing), 0.0, float(last))
        if self.interpolation == "previous":
            here = passed.astype(jnp.int32)
            return jax.tree.map(lambda x: jnp.take(x, here, axis=-1), self.values)
        left = jnp.minimum(passed, float(last - 1)).astype(jnp.int32)
        position = jnp.clip((t - self.start) / self.spacing, 0.0, float(last))
        fraction = position - left.astype(position.dtype)
        if self.interpolation == "linear":
            return jax.tree.map(lambda x: _linear(x, left, fraction), self.values)
        return jax.tree.map(lambda x: _catmull_rom(x, left, fraction, last), self.values)

    def jumps(self) -> Array:
        if self.interpolation == "cubic":
            return jnp.zeros((0,), self.spacing.dtype)
        return self.start + self.spacing * jnp.arange(self.length(), dtype=self.spacing.dtype)

    def flat(self) -> bool:
        """Whether it is constant between its jumps."""
        return self.interpolation == "previous"


def _passed(t: Array, start: Array, period: Array) -> Array:
    """The index of the last of the times `start + i period` that is not after `t`.

    Decided by comparing times, exactly as `jumps` lists them: the rounding of a division would put
    a solver's stage on the wrong side of a jump.
    """
    nearest = jnp.round((t - start) / period)
    return jnp.where(t >= start + period * nearest, nearest, nearest - 1.0)


def _linear(x: Array, left: Array, fraction: Array) -> Array:
    before, after = jnp.take(x, left, axis=-1), jnp.take(x, left + 1, axis=-1)
    return before + fraction * (after - before)


def _catmull_rom(x: Array, left: Array, s: Array, last: int) -> Array:
    p1, p2 = jnp.take(x, left, axis=-1), jnp.take(x, left + 1, axis=-1)
    # Beyond either end, the straight continuation.
    p0 = jnp.where(left > 0, jnp.take(x, jnp.maximum(left - 1, 0), axis=-1), 2.0 * p1 - p2)
    p3 = jnp.where(
        left + 2 <= last, jnp.take(x, jnp.minimum(left + 2, last), axis=-1), 2.0 * p2 - p1
    )
    a, b = 0.5 * (p2 - p0), 0.5 * (p3 - p1)
    d = p2 - p1
    return p1 + s * (a + s * (3.0 * d - 2.0 * a - b + s * (a + b - 2.0 * d)))


class Parts(AbstractStimulus):
    """One stimulus for each part of a model: its value is a dictionary, too.

    **Arguments:** `parts`: name to stimulus.
    """

    parts: dict[str, AbstractStimulus]

    def __call__(self, t: Array) -> dict[str, PyTree[Array]]:
        return {name: part(t) for name, part in self.parts.items()}

    def jumps(self) -> Array:
        times = [jnp.ravel(part.jumps()) for part in self.parts.values()]
        return jnp.concatenate(times) if times else jnp.zeros((0,))

    def flat(self) -> bool:
        """Whether it is constant between its jumps."""
        return all(part.flat() for part in self.parts.values())


@checked
def as_stimulus(stimulus: Any, dtype: DTypeLike) -> AbstractStimulus:
    """A number becomes a `Constant`, nothing becomes silence, a stimulus stays what it is.

    A dictionary of these becomes `Parts`.

    **Arguments:** `dtype` of the state, which the first two take.

    **Raises:** `ValueError` for anything else.
    """
    if stimulus is None:
        return Constant(jnp.zeros((), dtype))
    if isinstance(stimulus, AbstractStimulus):
        return stimulus
    if isinstance(stimulus, dict):
        return Parts({name: as_stimulus(part, dtype) for name, part in stimulus.items()})
    if isinstance(stimulus, bool | str) or not isinstance(
        stimulus, int | float | np.ndarray | np.generic | jax.Array
    ):
        raise ValueError(
            "a stimulus must be a number, an array (one value per unit) or a "
            f"tripartite.stimuli object, got {type(stimulus).__name__}: wrap samples in "
            "stimuli.Sampled, or subclass AbstractStimulus."
        )
    return Constant(jnp.asarray(stimulus, dtype))


def ornstein_uhlenbeck(
    *,
    mean: float,
    std: float,
    tau: float,
    t1: float,
    key: PRNGKeyArray,
    spacing: float = 0.05,
    shape: tuple[int, ...] = (),
) -> Sampled:
    """Filtered noise: one path of `dx = -(x - mean)/tau dt + std sqrt(2/tau) dW`, sampled exactly.

    Between samples the recursion x' = mean + (x - mean) e^(-h/tau) + std sqrt(1 - e^(-2h/tau)) N
    holds for any spacing h (Gillespie 1996, equation 3.1); the path starts in its stationary law
    and is joined linearly.

    **Arguments:** `mean`, `std` in the input's unit; `tau`, `t1`, `spacing` in ms; `key` a JAX key;
    `shape` of leading axes, one path per unit.

    **Raises:** `ValueError` if `std` is negative or a time is not positive.
    """
    for name, value in (("tau", tau), ("t1", t1), ("spacing", spacing)):
        if concrete_float(name, value) <= 0:
            raise ValueError(f"{name} must be positive, got {value} ms.")
    if concrete_float("std", std) < 0:
        raise ValueError(f"std must not be negative, got {std}.")
    require("shape", shape, tuple)
    require_finite("mean", as_numbers("mean", mean), "give a number")
    length = max(2, math.ceil(t1 / spacing) + 1)
    normal = jax.random.normal(key, (length, *shape))
    keep = math.exp(-spacing / tau)
    kick = math.sqrt(-math.expm1(-2.0 * spacing / tau))

    def advance(x: Array, n: Array) -> tuple[Array, Array]:
        x = keep * x + kick * n
        return x, x

    _, path = jax.lax.scan(advance, normal[0], normal[1:])
    path = jnp.moveaxis(jnp.concatenate([normal[:1], path]), 0, -1)
    return Sampled(mean + std * path, spacing)


def point_conductances(
    *,
    t1: float,
    key: PRNGKeyArray,
    area: float = 34636.0,
    excitatory: tuple[float, float, float] = (12.1, 3.0, 2.728),
    inhibitory: tuple[float, float, float] = (57.3, 6.6, 10.49),
    reversals: tuple[float, float] = (0.0, -75.0),
    spacing: float = 0.05,
    shape: tuple[int, ...] = (),
) -> Sampled:
    """Synaptic bombardment: an excitatory and an inhibitory conductance, each filtered noise.

    Destexhe, Rudolph, Fellous and Sejnowski, Neuroscience 107, 13 (2001), table 1: a layer VI
    cell of 34,636 um2. A path that would turn negative is held at zero. The value is a `Membrane`:
    the current g_e E_e + g_i E_i (uA/cm2) and the conductance g_e + g_i (mS/cm2).

    **Arguments:** `excitatory`, `inhibitory`: mean and standard deviation in nS, and time constant
    in ms; `reversals` in mV; `area` in um2; the rest as `ornstein_uhlenbeck`.
    """
    require_numbers(area=area, excitatory=excitatory, inhibitory=inhibitory, reversals=reversals)
    for name, value in (("excitatory", excitatory), ("inhibitory", inhibitory)):
        if len(value) != 3:
            raise ValueError(f"{name} must be a mean, a deviation and a time, got {value}.")
    paths = []
    for (mean, std, tau), one in zip((excitatory, inhibitory), jax.random.split(key), strict=True):
        path = ornstein_uhlenbeck(
            mean=mean, std=std, tau=tau, t1=t1, key=one, spacing=spacing, shape=shape
        )
        paths.append(jnp.maximum(per_area(path.values, area), 0.0))
    (g_e, g_i), (e_e, e_i) = paths, reversals
    return Sampled(Membrane(g_e * e_e + g_i * e_i, g_e + g_i), spacing)
