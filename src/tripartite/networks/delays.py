"""What travels takes time: a line that remembers the last signals of the presynaptic cells."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.core import constant
from tripartite.core.errors import is_concrete


class LineState(NamedTuple):
    """`history`, `[slots, cells]`; `latest`, the slot last written; `now`, its time in ms."""

    history: Array
    latest: Array
    now: Array


class Line(eqx.Module):
    """A ring of the signals at the ends of the last steps, with linear interpolation between.

    A delay of m + f steps reads `(1 - f)` of the signal m steps back and `f` of the one before it,
    so that a spike arrives on two neighbouring steps, in shares, and the derivative with respect to
    the delay is that of the straight line between them. It jumps where a delay passes a whole
    number of steps.

    **Arguments:** `dt` in ms; `slots`: one more than the steps of the longest delay, rounded up;
    `per_edge`: whether each edge has a delay of its own.
    """

    slots: int = eqx.field(static=True)
    per_edge: bool = eqx.field(static=True)
    dt: float = constant(static=True)

    def init(self, signal: Array) -> LineState:
        """As if the signal `[cells]` had always been what it is."""
        zero = jnp.zeros((), signal.dtype)
        return LineState(jnp.broadcast_to(signal, (self.slots, *signal.shape)), zero, zero)

    def write(self, y: LineState, signal: Array, t: Array) -> LineState:
        """The signal at the end of a step, at `t` (ms)."""
        latest = jnp.where(y.latest + 1.5 > self.slots, 0.0, y.latest + 1.0)
        history = y.history.at[latest.astype(jnp.int32)].set(signal)
        return LineState(history, latest, t.astype(y.now.dtype))

    def read(self, y: LineState, delay: Array, t: Array, pre: Array) -> Array:
        """What was sent `delay` (ms) before `t` (ms), within the step after the latest entry.

        `[cells]` for one delay, and for one per edge `[edges]`, from the cells `pre`.
        """
        age = jnp.clip((y.now - t + delay) / self.dt, 0.0, self.slots - 1.0)
        whole = jnp.minimum(jnp.floor(age), self.slots - 2.0)
        share = age - whole
        # At most one turn round the ring; a remainder of floats would be a call for each edge.
        back = y.latest - whole
        later = jnp.where(back < 0, back + self.slots, back).astype(jnp.int32)
        earlier = jnp.where(later == 0, self.slots - 1, later - 1)
        at = (pre,) if self.per_edge else ()
        return (1.0 - share) * y.history[(later, *at)] + share * y.history[(earlier, *at)]


def line(name: str, delay: Any, max_delay: float, dt: float) -> tuple[Line, Any]:
    """A line for steps of `dt` ms, and the delay with a check of its value if it is traced.

    **Raises:** `ValueError` for a delay shorter than a step, or longer than the line.
    """
    # A delay of one step that was computed may fall short of it by round-off.
    low, high = dt * (1.0 - 1e-6), max_delay * (1.0 + 1e-6)
    if is_concrete(delay):
        shortest = np.min(np.asarray(delay), initial=np.inf)
        longest = np.max(np.asarray(delay), initial=0.0)
        if shortest < low:
            raise ValueError(
                f"{name}: a delay of {shortest} ms is shorter than a step of dt = {dt} ms: take a "
                "smaller dt, a longer delay, or delay=None for arrival at the end of the step."
            )
        if longest > high:
            raise ValueError(
                f"{name}: a delay of {longest} ms is beyond max_delay = {max_delay} ms, which the "
                "projection was made for: make it with a larger max_delay=."
            )
    else:
        delay = eqx.error_if(
            delay,
            (delay < low) | (delay > high),
            f"{name}: a delay is shorter than a step of {dt} ms, or beyond max_delay.",
        )
    slots = int(np.ceil(max_delay / dt * (1.0 - 1e-9))) + 2
    return Line(slots, bool(np.ndim(delay)), dt), delay
