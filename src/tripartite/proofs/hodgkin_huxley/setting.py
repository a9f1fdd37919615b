"""The drives, the bound on round-off and the solves that the rungs share."""

import functools
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite import simulate, solvers, stimuli
from tripartite.cells import AbstractCell
from tripartite.core import AbstractDynamics
from tripartite.proofs.certificate import machine_epsilon
from tripartite.proofs.side_by_side import SideBySide

DURATION = 100.0
DRIVES = ("step", "noise", "ramp")


def round_off_bound() -> float:
    """How far two exact forms may drift apart by rounding alone, in mV (1e-9 in float64).

    Every step rounds numbers of up to 1,000 mV (the derivative form's f after a hundred
    milliseconds), and the cell amplifies a voltage error on its way into a spike: a kick of 1e-6 mV
    grew at most 111 times under the step, 210 under the noise and 644 under the ramp. The bound is
    the project's figure of 1e-9 mV in float64, 4,500 such roundings: 7 at the largest gain, or 49
    independent ones. It holds for these drives alone; a ramp at 16.3 degC amplifies 64,000 times.
    The step size does not appear: a gap proportional to dt is an error of ordering.
    """
    return machine_epsilon() * 1000.0 * 4500.0


@functools.cache
def _noise_values(length: int) -> np.ndarray:
    rng = np.random.default_rng(20240816)
    return 8.0 + 12.0 * rng.standard_normal(length)


def drives() -> stimuli.Sampled:
    """Step of 10 at 5 ms, noise 8 +/- 12 held for 0.1 ms, ramp of 0.4 per ms (uA/cm2): `[3, T]`."""
    ts = 0.1 * np.arange(int(DURATION / 0.1) + 1)
    values = np.stack([np.where(ts >= 5.0 - 1e-9, 10.0, 0.0), _noise_values(ts.size), 0.4 * ts])
    return stimuli.Sampled(values, 0.1, interpolation="previous")


def under_drives(model: AbstractDynamics, *, record: Any = None, **settings: Any) -> Any:
    """The record of `model` under each of the three drives: `[3, T, ...]`."""
    every = drives()

    def one(values: Array) -> Any:
        drive = eqx.tree_at(lambda s: s.values, every, values)
        # Without `throw` nothing calls back to Python, and a second run finds it compiled.
        return simulate(model, drive, t1=DURATION, record=record, throw=False, **settings).ys

    return jax.vmap(one)(every.values)


def gaps(cells: tuple[AbstractCell, ...], *, dt: float, solver: Any = None) -> Array:
    """max |v - v of the first cell| in mV, for each of the others, worst over the drives."""
    v = under_drives(SideBySide(cells), dt=dt, solver=solver)["v"]
    return jnp.max(jnp.abs(v[..., 1:] - v[..., :1]), axis=(0, 1))


METHODS = {
    "classical RK4": solvers.ClassicalRK4(),
    "Tsit5": diffrax.Tsit5(),
    "Euler": diffrax.Euler(),
}
STEPS = (0.01, 0.05)
