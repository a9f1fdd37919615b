"""Any adaptive solver, stopped at each event of the model: the step ends there, and it occurs."""

from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.core import Spikes, chosen
from tripartite.core.arguments import require_fields
from tripartite.core.errors import require_count
from tripartite.solvers.exponential import AbstractExponential
from tripartite.solvers.locating import AIM, END, KICK, NOTHING, Ahead, frozen
from tripartite.solvers.wrapped import AbstractAfterStep


class Course(NamedTuple):
    """What such a solve carries from step to step; all but `y` is read and written here alone.

    `times`, `cells` and `number` are the spikes so far, numbers like any state; `last`, when the
    latest event was, with its derivative; `what` the step ended with, and `aim`, where it should
    have ended (ms).
    """

    y: PyTree[Array]
    times: Array
    cells: Array
    number: Array
    last: Array
    what: Array
    aim: Array


class _Interpolation(diffrax.AbstractLocalInterpolation):
    """Of the state alone: within a step nothing else changes."""

    t0: Any
    t1: Any
    course: Course
    inner: Any

    def evaluate(self, t0: Any, t1: Any = None, left: bool = True) -> Course:
        """At the time `t0` (diffrax's name for it)."""
        return self.course._replace(y=self.inner.evaluate(t0, t1, left))


class _Retaken(diffrax.AbstractLocalInterpolation):
    """Of a solver whose step is exact: a shorter one, in place of a straight line."""

    t0: Any
    t1: Any
    y0: PyTree[Array]
    args: Any
    solver: AbstractExponential
    terms: Any

    def evaluate(self, t0: Any, t1: Any = None, left: bool = True) -> PyTree[Array]:
        """At the time `t0`."""
        state = self.solver.init(self.terms, self.t0, t0, self.y0, self.args)
        return self.solver.step(self.terms, self.t0, t0, self.y0, self.args, state, True)[0]


class AtEvents(AbstractAfterStep):
    """Steps of `solver`; one in which an event happens is done again, to end there.

    Together with `EventController`: this finds the first event within a step and says when it is;
    the controller rejects the step and lets the next one end at that time; that one finds the event
    at its end, and lets it occur. So each step is one of `solver`, smooth from end to end, and all
    that diffrax does with steps (records between them, every adjoint) holds.

    Times of steps have no derivative here. The time of an event has that of the implicit function
    theorem, t* = t - d / d' with d its distance, and the state after it is moved along its own
    vector field by what t* moves, so that all first derivatives are exact.

    **Arguments:** `solver`; `inner`, the terms that it takes; `places`, at how many in a step
    distances are looked at.
    """

    solver: diffrax.AbstractSolver
    inner: diffrax.AbstractTerm
    places: int = eqx.field(static=True, default=8)

    # Equinox runs this beside the check of the fields, which it does not replace.
    def __check_init__(self) -> None:
        require_count("places", self.places, 1)

    @property
    def term_structure(self) -> Any:
        """Any: what the wrapped solver takes is `inner`."""
        return diffrax.AbstractTerm

    @property
    def interpolation_cls(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Of the wrapped solver's, made when the step is."""
        return _Interpolation

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Any:
        """The wrapped solver's, of the bare state."""
        return self.solver.func(self.inner, t0, y0, args)

    def init(self, terms: Any, t0: Any, t1: Any, y0: Course, args: Any) -> Any:
        """The wrapped solver's."""
        return self.solver.init(self.inner, t0, t1, y0.y, args)

    def start(self, t0: Array, y0: PyTree[Array], args: Any, length: int) -> Course:
        """Nothing fired yet; a state beyond an event already fires at once."""
        zero = jnp.zeros((), t0.dtype)
        ahead = Ahead(args, self.solver, self.inner)
        what = ahead.pending(t0, y0)
        times = jnp.full((length,), jnp.inf, t0.dtype)
        return Course(y0, times, jnp.full_like(times, -1.0), zero, t0, what, t0)

    def step(
        self, terms: Any, t0: Any, t1: Any, y0: Course, args: Any, solver_state: Any, made_jump: Any
    ) -> Any:
        """One step of `solver`, and the event at its end, if there is one."""
        y, error, dense, state, result = self.solver.step(
            self.inner, t0, t1, y0.y, args, solver_state, made_jump
        )
        if isinstance(self.solver, AbstractExponential):
            curve = _Retaken(t0, t1, y0.y, args, self.solver, self.inner)
        else:
            curve = self.solver.interpolation_cls(t0=t0, t1=t1, **dense)
        ahead = Ahead(frozen(args), self.solver, self.inner)
        trial = frozen((t0, t1, y0.y, solver_state, made_jump))
        inside, aim = ahead.first(trial, frozen(curve), frozen(y), self.places)
        due = ~inside & ahead.due(t1, frozen(y), frozen(y0.y))
        course = jax.lax.cond(due, self._occur, _go_on, t1, y0._replace(y=y), args)
        what = jnp.where(inside, AIM, course.what).astype(course.what.dtype)
        course = course._replace(what=what, aim=jnp.where(inside, aim, t1))
        error = jax.tree.map(jnp.zeros_like, y) if error is None else error
        blank = jax.tree.map(jnp.zeros_like, course)
        dense = {"course": y0, "inner": curve}
        return course, blank._replace(y=error), dense, state, result

    def _occur(self, t: Array, course: Course, args: Any) -> Course:
        """The first of the events that are due occurs at `t`."""
        model, stimulus = args
        y, u = course.y, stimulus(t)
        ahead = Ahead(args, self.solver, self.inner)
        slope = ahead.slope(t, y)
        found = model.events(t, y, u)
        distance, spikes = jnp.ravel(found.distance), jnp.ravel(found.spikes)
        who = jnp.argmax(jax.lax.stop_gradient(ahead.urgency(t, y)))
        rate = jax.lax.stop_gradient(ahead.rates(t, y, slope)[who])
        # Who was lifted over the threshold by another's event has that one's time.
        lifted = course.what == KICK
        own = -distance[who] / jnp.where(rate > 0, rate, 1.0)
        moved = _exactly_zero(jnp.where(lifted | (rate <= 0), course.last, own))
        when = t + moved
        y = jax.tree.map(lambda x, f: x + f * moved, y, slope)
        which = jnp.reshape(jnp.arange(distance.size) == who, found.distance.shape)
        y = model.occur(which, when, y, u)
        after = ahead.slope(t, y)
        y = jax.tree.map(lambda x, f: x - f * moved, y, after)
        keep = spikes[who]
        slot = jnp.where(keep, course.number, -1.0)
        here = jnp.arange(course.times.size, dtype=t.dtype) == slot
        return Course(
            y,
            jnp.where(here, when, course.times),
            jnp.where(here, who.astype(t.dtype), course.cells),
            course.number + keep.astype(t.dtype),
            when,
            ahead.pending(t, jax.lax.stop_gradient(y)),
            t,
        )


def _exactly_zero(when: Array) -> Array:
    """0, with the derivative of `when`."""
    return when - jax.lax.stop_gradient(when)


def _go_on(t: Array, course: Course, args: Any) -> Course:
    """No event."""
    return course._replace(what=jnp.full_like(course.what, NOTHING))


def scanned(solver: diffrax.AbstractSolver, adjoint: diffrax.AbstractAdjoint) -> Any:
    """The solver as `adjoint` needs it, which diffrax sees to unless it is wrapped."""
    kinds = {diffrax.ForwardMode: "lax", diffrax.DirectAdjoint: "bounded"}
    kind = next((kinds[known] for known in kinds if isinstance(adjoint, known)), None)
    if kind is None or not isinstance(solver, diffrax.AbstractRungeKutta):
        return solver
    return eqx.tree_at(lambda s: s.scan_kind, solver, kind, is_leaf=lambda x: x is None)


def padded_field(t: Any, course: Course, args: Any) -> Course:
    """What diffrax takes for the vector field: nothing but its structure is read."""
    return jax.tree.map(jnp.zeros_like, course)


def spikes_of(course: Course, parts: tuple[tuple[str, int], ...]) -> Spikes:
    """The spikes that a solve found."""
    whole = course.number.astype(jnp.int32)
    return Spikes(course.times, course.cells.astype(jnp.int32), whole, parts)


class _State(NamedTuple):
    """`inner`: the controller's; `hope`: how long the next whole step should be (ms)."""

    inner: Any
    hope: Array


class EventController(diffrax.AbstractAdaptiveStepSizeController):
    """`controller`, of steps that `AtEvents` takes: it lets them end where an event is."""

    controller: diffrax.PIDController

    def __init__(self, controller: diffrax.PIDController) -> None:
        self.controller = controller

    def __check_init__(self) -> None:
        require_fields(self)

    @property
    def rtol(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The controller's."""
        return self.controller.rtol

    @property
    def atol(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The controller's."""
        return self.controller.atol

    @property
    def norm(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The controller's."""
        return self.controller.norm

    def wrap(self, direction: Any) -> "EventController":
        """The same: time runs forwards."""
        return self

    def init(
        self, terms: Any, t0: Any, t1: Any, y0: Course, dt0: Any, args: Any, func: Any,
        error_order: Any,
    ) -> Any:  # fmt: skip
        """The controller's first step, or none at all before an event that is due."""
        end, inner = self.controller.init(terms, t0, t1, y0.y, dt0, args, func, error_order)
        inner = jax.tree.map(jnp.asarray, inner)
        hope = end - t0
        return t0 + jnp.where(y0.what > END, 0.0, hope), _State(inner, hope)

    def adapt_step_size(
        self, t0: Any, t1: Any, y0: Course, y1_candidate: Course, args: Any, y_error: Any,
        error_order: Any, controller_state: _State,
    ) -> Any:  # fmt: skip
        """The controller's verdict; of a step that it would keep, whether an event cuts it."""
        keep, start, end, jumped, inner, result = self.controller.adapt_step_size(
            t0, t1, y0.y, y1_candidate.y, args, y_error.y, error_order, controller_state.inner
        )
        what, hope = y1_candidate.what, controller_state.hope
        cut = keep & (what == AIM)
        occurred = keep & (what >= END)
        longer = jnp.maximum(end - start, hope)
        after = jnp.where(what > END, 0.0, longer)
        # A whole step tells what the next one should be; one that was cut short does not.
        hope = jnp.where(cut, t1 - t0, jnp.where(occurred, longer, end - start))
        end = jnp.where(cut, y1_candidate.aim, jnp.where(occurred, start + after, end))
        start = jnp.where(cut, t0, start)
        # A step as short as an event makes it says nothing of the next: above all, not that it must
        # be kept whatever its error.
        first, second, at_shortest = controller_state.inner
        inner = chosen(cut, controller_state.inner, inner)
        inner = chosen(occurred, (first, second, jnp.zeros_like(at_shortest)), inner)
        return keep & ~cut, start, end, jumped | occurred, _State(inner, hope), result
