"""A stimulus for one synapse: spikes on the step grid, voltages, gliotransmitter."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.core import Cleft, Parameter, signal
from tripartite.core.errors import as_numbers, concrete_float
from tripartite.stimuli import AbstractStimulus, as_stimulus


class SpikeTrain(AbstractStimulus):
    """What one synapse hears, as a `Cleft`: made by `spike_train`.

    **Arguments:** `v_pre` and `v_post` (mV), `modulation` (uM), `rate` and `post_rate` (1/ms):
    stimuli; `spikes` and `post_spikes`: 1 where one arrives at a step's end, `[steps]`; `spacing`
    of the steps in ms.
    """

    v_pre: AbstractStimulus
    v_post: AbstractStimulus
    modulation: AbstractStimulus
    rate: AbstractStimulus
    post_rate: AbstractStimulus
    spikes: Parameter = signal()
    post_spikes: Parameter = signal()
    spacing: Parameter = signal()

    def __call__(self, t: Array) -> Cleft:
        # The step that ends at t; within a step no spike is read.
        step = jnp.round(t / self.spacing).astype(jnp.int32) - 1
        inside = (step >= 0) & (step < self.spikes.shape[-1])
        at = jnp.clip(step, 0, self.spikes.shape[-1] - 1)

        def count(spikes: Array) -> Array:
            return jnp.where(inside, jnp.take(spikes, at, axis=-1), 0.0)

        return Cleft(
            self.v_pre(t), self.v_post(t), count(self.spikes), self.modulation(t),
            count(self.post_spikes), self.rate(t), self.post_rate(t),
        )  # fmt: skip

    def jumps(self) -> Array:
        """Those of the voltages, the gliotransmitter and the rates: spikes act between steps."""
        parts = (self.v_pre, self.v_post, self.modulation, self.rate, self.post_rate)
        return jnp.concatenate([jnp.ravel(part.jumps()) for part in parts])


def spike_train(
    times: Any = (),
    *,
    t1: float,
    dt: float,
    post_times: Any = (),
    v_pre: Any = -65.0,
    v_post: Any = -65.0,
    modulation: Any = 0.0,
    rate: Any = 0.0,
    post_rate: Any = 0.0,
) -> SpikeTrain:
    """What one synapse hears, as the stimulus of its solve with the same `t1` and `dt`.

    Synapses in event form hear the spikes; smooth ones hear the voltages or the rates instead.

    **Arguments:**

    - `times`, `post_times`: presynaptic and postsynaptic spikes in ms, on the grid of steps in
        (0, t1], at most one on a step.
    - `t1`, `dt`: the end and the step of the solve, ms.
    - `v_pre`, `v_post` in mV; `modulation`, the gliotransmitter, in uM; `rate`, `post_rate` in
        1/ms: each a number or a `tripartite.stimuli` object.

    **Raises:** `ValueError` for a spike off the grid or outside (0, t1], or two on one step.
    """
    end, step = concrete_float("t1", t1), concrete_float("dt", dt)
    if not 0 < step <= end:
        raise ValueError(f"spike_train needs 0 < dt <= t1, got dt = {step} and t1 = {end} ms.")
    dtype = jnp.zeros(()).dtype
    given = {
        "v_pre": v_pre, "v_post": v_post, "modulation": modulation, "rate": rate,
        "post_rate": post_rate,
    }  # fmt: skip
    return SpikeTrain(
        spikes=jnp.asarray(_on_grid("times", times, end, step), dtype),
        post_spikes=jnp.asarray(_on_grid("post_times", post_times, end, step), dtype),
        spacing=jnp.asarray(step, dtype),
        **{name: as_stimulus(value, dtype) for name, value in given.items()},
    )


def _on_grid(name: str, times: Any, t1: float, dt: float) -> np.ndarray:
    """1 for each step at whose end there is a spike, else 0."""
    given = as_numbers(name, jax.device_get(times)).astype(float).ravel()
    steps = np.rint(given / dt)
    # Times that were computed in double precision, from up to 1e9 steps.
    off = np.abs(given / dt - steps) > 1e-6
    outside = (steps < 1) | (steps > round(t1 / dt)) | ~np.isfinite(given)
    if np.any(off | outside):
        first = given[np.argmax(off | outside)]
        raise ValueError(
            f"spike_train: {name} must lie in (0, {t1:g}] ms on the grid of dt = {dt:g} ms, got "
            f"{first} ms: round the times to the grid, or choose a dt that divides them."
        )
    counts = np.bincount(steps.astype(int) - 1, minlength=round(t1 / dt))
    if np.any(counts > 1):
        raise ValueError(
            f"spike_train: two of {name} fall on the step that ends at "
            f"{dt * (1 + np.argmax(counts > 1)):g} ms: a cell fires once in a step; remove one, or "
            "choose a smaller dt."
        )
    return counts.astype(float)
