"""What integrate-and-fire cells have in common: a threshold, and what happens there."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.cells.base import AbstractCell
from tripartite.core import Events, chosen
from tripartite.core.errors import is_concrete
from tripartite.core.surrogates import AbstractSurrogate, require_surrogate, spike


class FiringState(NamedTuple):
    """`v` in mV; `spike`: 1 on a fixed step that fired."""

    v: Array
    spike: Array


class RecoveringState(NamedTuple):
    """`v` in mV; `w`, what slows the cell down, in the cell's own unit; `spike`."""

    v: Array
    w: Array
    spike: Array


class AbstractResettingCell(AbstractCell):
    """A cell whose `v` is set back whenever it reaches `threshold`.

    In steps (`dt=`) the threshold is looked at once per step, and spikes lie on the grid. Without
    `dt` each spike is located by root finding, and its time is in `solution.stats["spikes"]`.

    The derivative of a clocked spike is that of `surrogate`, 0 by default; those of a located one's
    time, and of the state after it, are exact.

    **Raises:** `ValueError` if the threshold does not exceed the reset, or for a surrogate that is
    none.
    """

    threshold: eqx.AbstractVar[Array]
    reset: eqx.AbstractVar[Array]
    surrogate: eqx.AbstractVar[AbstractSurrogate | None]

    def __check_init__(self) -> None:
        require_surrogate(type(self).__name__, self.surrogate)
        require_above_reset(type(self).__name__, self.threshold, self.reset)

    @abc.abstractmethod
    def set_back(self, y: Any) -> Any:
        """The state after a spike."""

    def blocks(self) -> Any:
        """All moves together but the spike's mark, which only jumps."""
        y = self.init()
        return y._make(None if name == "spike" else 0 for name in y._fields)

    def voltage(self, y: Any) -> Array:
        """`v` in mV."""
        return y.v

    def ports(self, y: Any) -> dict[str, Array]:
        """The states by name; `spike`: 1 where the fixed step that ends there fired."""
        return y._asdict()

    def jump(self, t: Array, before: Any, y: Any, u: Any) -> Any:
        """Fires where v has reached the threshold by the end of a step."""
        fired = y.v >= self.threshold
        mark = spike(fired, jnp.ones_like(fired), y.v - self.threshold, self.surrogate)
        return chosen(fired, self.set_back(y), y)._replace(spike=mark)

    def events(self, t: Array, y: Any, u: Any) -> Events:
        """A spike, where v reaches the threshold."""
        return Events(y.v - self.threshold, jnp.ones_like(y.v, bool))

    def occur(self, which: Array, t: Array, y: Any, u: Any) -> Any:
        """The reset."""
        return chosen(which, self.set_back(y), y)


def require_above_reset(owner: str, threshold: Any, reset: Any) -> None:
    """**Raises:** `ValueError` if a threshold does not exceed the reset."""
    known = is_concrete(threshold) and is_concrete(reset)
    if known and np.any(np.asarray(threshold) <= np.asarray(reset)):
        raise ValueError(
            f"{owner}.threshold must exceed {owner}.reset, got {threshold} and {reset} mV: "
            "otherwise the cell fires on every step."
        )
