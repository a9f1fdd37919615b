"""Where within a step the first event is."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

# What a step ended with: an event inside, which it should end at; nothing; an event; and one after
# which another is due at the same time, by coincidence or because it was lifted there.
AIM, NOTHING, END, TIE, KICK = -1, 0, 1, 2, 3

# Rounding of a time, and of a distance, in units of their last place.
_TIME, _SIZE = 4, 64


def frozen(tree: Any) -> Any:
    """The tree without derivatives."""
    arrays, rest = eqx.partition(tree, eqx.is_array)
    return eqx.combine(jax.lax.stop_gradient(arrays), rest)


class Ahead(eqx.Module):
    """What lies ahead of a state: how far its events are, and how fast they come.

    **Arguments:** `args`, the model and its stimulus; `solver` and `terms`, whose steps are taken.
    """

    args: Any
    solver: diffrax.AbstractSolver
    terms: Any

    def distances(self, t: Array, y: PyTree[Array]) -> Array:
        """`[events]`, negative before each."""
        model, stimulus = self.args
        return jnp.ravel(model.events(t, y, stimulus(t)).distance)

    def slope(self, t: Array, y: PyTree[Array]) -> PyTree[Array]:
        """The derivative of the state, per ms."""
        model, stimulus = self.args
        return model.vector_field(t, y, stimulus(t))

    def rates(self, t: Array, y: PyTree[Array], slope: PyTree[Array]) -> Array:
        """How fast each distance grows along the solution, per ms."""
        return jax.jvp(self.distances, (t, y), (jnp.ones_like(t), slope))[1]

    def _rounding(self, t: Array, y: PyTree[Array], rate: Array) -> Array:
        """How much of a distance is within the rounding of the state and of the time."""
        eps = float(jnp.finfo(t.dtype).eps)
        still = jnp.zeros_like(t)
        size = jnp.abs(jax.jvp(self.distances, (t, y), (still, y))[1])
        return eps * (_SIZE * size + _TIME * jnp.abs(t) * jnp.abs(rate)) + _tiny(t)

    def _standing(self, t: Array, y: PyTree[Array], before: PyTree[Array]) -> Any:
        """Distances, their rounding, and whether each is at zero or beyond and not leaving."""
        rate = self.rates(t, y, self.slope(t, y))
        slack = jnp.maximum(self._rounding(t, y, rate), self._rounding(t, before, rate))
        distance = self.distances(t, y)
        there = (distance > slack) | ((distance >= -slack) & (rate > 0))
        return distance, slack, there

    def due(self, t: Array, y: PyTree[Array], before: PyTree[Array]) -> Array:
        """Whether an event is at `t`, to within rounding. **Arguments:** `before`, a step ago."""
        return jnp.any(self._standing(t, y, before)[2])

    def urgency(self, t: Array, y: PyTree[Array]) -> Array:
        """The distances of those that are due, and nothing else above minus infinity."""
        distance, _, there = self._standing(t, y, y)
        # If rounding hides all of them, the nearest is the one.
        return jnp.where(there | ~jnp.any(there), distance, -jnp.inf)

    def pending(self, t: Array, y: PyTree[Array]) -> Array:
        """`TIE` or `KICK` if another event is due at once, else `END`; `NOTHING` has no event."""
        distance, slack, there = self._standing(t, y, y)
        kicked = jnp.any(distance > slack)
        found = jnp.where(kicked, KICK, jnp.where(jnp.any(there), TIE, END))
        return found.astype(t.dtype)

    def first(self, trial: Any, curve: Any, y1: PyTree[Array], places: int) -> tuple[Array, Array]:
        """Whether an event happens within a step, before its end, and when.

        The distances are looked at in `places` places of the step's interpolation. Before the first
        of these beyond an event the time is found by Newton's method, kept inside a bracket, over
        steps that are taken anew from the start: it is as good as the solver is.

        **Arguments:** `trial`: start, end and state of the step, the solver's state and whether
        there was a jump before it; `curve` the step's interpolation; `y1` its end.
        """
        t0, t1, y0, solver_state, made_jump = trial
        span = t1 - t0
        parts = jnp.arange(1, places, dtype=t0.dtype) / places

        def nearest(part: Array) -> Array:
            t = t0 + part * span
            return jnp.max(self.distances(t, curve.evaluate(t)))

        last = jnp.max(self.distances(t1, y1))
        seen = jnp.append(jax.vmap(nearest)(parts), last) >= 0
        k = jnp.argmax(seen)
        found = jnp.any(seen) & (span > 0)
        high = span * (k + 1).astype(span.dtype) / places
        within = float(jnp.finfo(t0.dtype).eps) * jnp.maximum(jnp.abs(t1), _tiny(t1))

        def look(s: Array) -> tuple[Array, Array]:
            y, _, _, _, _ = self.solver.step(
                self.terms, t0, t0 + s, y0, self.args, solver_state, made_jump
            )
            t = t0 + s
            distance, rate = self.distances(t, y), self.rates(t, y, self.slope(t, y))
            who = jnp.argmax(distance)
            return distance[who], rate[who]

        s = _newton(look, high, within, found)
        aim = jnp.maximum(t0 + s, jnp.nextafter(t0, t1))
        return found & (aim < t1 - 2 * within), aim


def _newton(look: Any, high: Array, within: Array, wanted: Array) -> Array:
    """The root of `look` between 0 and `high`, or `high`, if there is none.

    By Newton's method, and by halves where that leaves the bracket. Not run at all where it is not
    `wanted`: mapped over many solves, it takes as long as those need that have an event.
    """

    def going(carry: Any) -> Array:
        _, _, _, moved, turn = carry
        return wanted & (moved > 0.5 * within) & (turn < 60)

    def turn(carry: Any) -> Any:
        low, high, s, _, count = carry
        distance, rate = look(s)
        low = jnp.where(distance < 0, s, low)
        high = jnp.where(distance < 0, high, s)
        new = s - distance / jnp.where(rate > 0, rate, 1.0)
        inside = (rate > 0) & (new >= low) & (new <= high)
        new = jnp.where(inside, new, 0.5 * (low + high))
        return low, high, new, jnp.abs(new - s), count + 1

    start = (jnp.zeros_like(high), high, high, jnp.full_like(high, jnp.inf), 0)
    return jax.lax.while_loop(going, turn, start)[2]


def _tiny(t: Array) -> float:
    return float(jnp.finfo(t.dtype).tiny)
