"""Spike times of smooth cells as differentiable numbers."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.core import AbstractDynamics, Events, Parameter, Spikes, parameter
from tripartite.core.arguments import checked
from tripartite.core.errors import is_concrete
from tripartite.simulate import simulate


class _WatchedState(NamedTuple):
    """The model's own, and 1 while a crossing would count."""

    inner: Any
    armed: Array


class _Watched(AbstractDynamics):
    """A model whose voltage is watched: its events are the crossings, and change nothing in it."""

    model: AbstractDynamics
    threshold: Parameter = parameter(0.0, "mV")
    rearm: Parameter = parameter(-20.0, "mV")

    def init(self) -> _WatchedState:
        """The model's own, armed below the threshold."""
        y = self.model.init()
        v = self._voltage(y)
        return _WatchedState(y, jnp.where(v < self.threshold, 1.0, 0.0).astype(v.dtype))

    def vector_field(self, t: Array, y: _WatchedState, u: Any) -> _WatchedState:
        """The model's own; what is remembered is held."""
        return _WatchedState(self.model.vector_field(t, y.inner, u), jnp.zeros_like(y.armed))

    def inputs(self) -> tuple[str, ...]:
        """The model's own."""
        return self.model.inputs()

    def events(self, t: Array, y: _WatchedState, u: Any) -> Events:
        """Upwards through `threshold` while armed, else downwards through `rearm`."""
        v, armed = self._voltage(y.inner), y.armed > 0.5
        return Events(jnp.where(armed, v - self.threshold, self.rearm - v), armed)

    def occur(self, which: Array, t: Array, y: _WatchedState, u: Any) -> _WatchedState:
        """Disarmed, or armed again."""
        return y._replace(armed=jnp.where(which, 1.0 - y.armed, y.armed))

    def _voltage(self, y: PyTree[Array]) -> Array:
        return self.model.ports(y)["v"]


@checked
def crossings(
    model: AbstractDynamics,
    stimulus: Any = None,
    *,
    t1: float,
    threshold: float = 0.0,
    rearm: float = -20.0,
    max_spikes: int = 100,
    rtol: float = 1e-8,
    atol: float = 1e-8,
    **settings: Any,
) -> Spikes:
    """The times at which v crosses `threshold` upwards, located by root finding, differentiable.

    For cells without a reset: each crossing counts once v has been below `rearm` since the last.
    The derivative of its time t* is that of the implicit function theorem,
    dt*/dp = -(dv/dp) / (dv/dt), both at the crossing. It grows without bound as a spike is about to
    vanish, and says nothing of spikes that appear or disappear.

    `analysis.spike_times` reads them off a trace instead, without a derivative.

    **Arguments:** `model` with a port `v` (a `cells` class, or a population); `stimulus`, `t1` (ms)
    and all further `settings` as `simulate` takes them; `threshold` and `rearm` in mV;
    `max_spikes`, room for so many; `rtol`, `atol`.

    **Returns:** a `core.Spikes`: `times`, `cells`, `count`.

    **Raises:** `ValueError` if `rearm` is above `threshold`, for a model that jumps between steps
    or has spikes of its own, or one without a port `v`; `SolveError` for more crossings than
    `max_spikes`.
    """
    name = type(model).__name__
    if is_concrete(threshold) and is_concrete(rearm) and rearm > threshold:
        raise ValueError(
            f"rearm must not exceed threshold, got {rearm} and {threshold} mV: a crossing counts "
            "again when v has fallen below `rearm`."
        )
    if model.jumping() or model.located():
        raise ValueError(
            f"{name} has spikes of its own, or jumps between steps: simulate(..., dt=None) locates "
            'its spikes, in stats["spikes"], and dt= counts them on a grid.'
        )
    if "v" not in model.ports(jax.eval_shape(model.init)):
        raise ValueError(f"{name} has no port v to watch: give a cell or a population of cells.")
    watched = _Watched(model, threshold, rearm)
    solution = simulate(
        watched, stimulus, t1=t1, max_spikes=max_spikes, rtol=rtol, atol=atol, save_every=t1,
        **settings,
    )  # fmt: skip
    return solution.stats["spikes"]
