"""Events that are located in time, and the spikes that are among them."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


class Events(NamedTuple):
    """What may happen next, one entry for each cell (or whatever else has events).

    **Arguments:** `distance`: negative before the event, and rising through zero where it happens;
    of no particular unit; `spikes`: whether it would be a spike, rather than the end of a
    refractory time, say.
    """

    distance: Array
    spikes: Array


class Spikes(eqx.Module):
    """The spikes of a solve with located events, in the order in which they happened.

    **Arguments:**

    - `times`: ms, `[max_spikes]`, filled up with infinity. Differentiable.
    - `cells`: `[max_spikes]`, who fired, filled up with -1: the number of the cell, the populations
        of a network counted end to end.
    - `count`: how many there were, which may be more than were kept.
    - `parts`: static; the names of the populations and where each starts, with the end.
    """

    times: Array
    cells: Array
    count: Array
    parts: tuple[tuple[str, int], ...] = eqx.field(static=True, default=())

    def of(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """The times (ms) and the cells, counted from 0, of one population of a network.

        **Raises:** `ValueError` for a name that is not there.
        """
        names = [part for part, _ in self.parts]
        if name not in names[:-1]:
            known = ", ".join(map(repr, names[:-1])) or "no population: read .times and .cells"
            raise ValueError(f"no population {name!r} among the spikes: there is {known}.")
        k = names.index(name)
        first, last = self.parts[k][1], self.parts[k + 1][1]
        cells = np.asarray(self.cells)
        mine = (cells >= first) & (cells < last)
        return np.asarray(self.times)[mine], cells[mine] - first

    def kept(self) -> Array:
        """Which entries are spikes, `[max_spikes]`."""
        return self.cells >= 0

    def first(self, cell: int = 0) -> Array:
        """The time of the first spike of `cell` (ms), differentiable; infinity if it is silent."""
        return self.nth(0, cell)

    def nth(self, number: int, cell: int = 0) -> Array:
        """The time of a spike of `cell` (ms), counted from 0; infinity if there are fewer."""
        mine = self.cells == cell
        at = mine & (jnp.cumsum(mine) == number + 1)
        found = jnp.sum(jnp.where(at, self.times, 0.0).astype(self.times.dtype))
        return jnp.where(jnp.any(at), found, jnp.inf).astype(self.times.dtype)


def no_spikes(length: int, like: Array) -> Spikes:
    """A buffer for `length` spikes, of the dtype of `like`, and nothing in it."""
    return Spikes(
        jnp.full((length,), jnp.inf, like.dtype),
        jnp.full((length,), -1, jnp.int32),
        jnp.zeros((), jnp.int32),
    )


def chosen(which: Any, there: Any, here: Any) -> Any:
    """The tree `there` where `which` is true, and `here` elsewhere."""
    return jax.tree.map(lambda a, b: jnp.where(which, a, b), there, here)
