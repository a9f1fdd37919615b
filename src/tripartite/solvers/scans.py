"""A fixed-step solve as a scan, and the three ways to differentiate it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.solvers import linearised
from tripartite.solvers.terms import ExactStep


class Context(NamedTuple):
    """All that a step reads and does not change. Derivatives flow through every array in it."""

    args: Any
    terms: Any
    solver: Any
    t0: Array
    records: list[Callable[[Any, Any, Any], Any]]
    first: Array | None = None


class Walk(NamedTuple):
    """How many steps, of what length (ms), recorded at every which one."""

    steps: int
    dt: float
    every: int
    meter: Any

    def time(self, context: Context, number: Any) -> Array:
        """The time (ms) after `number` steps of this walk, which may go on after another."""
        number = number if context.first is None else context.first + number
        return context.t0 + self.dt * jnp.asarray(number).astype(context.t0.dtype)

    def step(self, context: Context, carry: Any, i: Array) -> Any:
        """One step of `(state, solver's state, result)`."""
        y, solver_state, result = carry
        before, after = self.time(context, i), self.time(context, i + 1)
        exact = ExactStep(context.terms, self.dt, before, after)
        # The input may jump between any two steps: no stage is carried over (made_jump).
        y, _, _, solver_state, new = context.solver.step(
            exact, before, after, y, context.args, solver_state, True
        )
        if new is not diffrax.RESULTS.successful:
            result = diffrax.RESULTS.where(result == diffrax.RESULTS.successful, new, result)
        return y, solver_state, result

    def record(self, context: Context, number: Any, y: PyTree[Array]) -> list[Any]:
        """What is recorded after `number` steps."""
        t = self.time(context, number)
        return [fn(t, y, context.args) for fn in context.records]


def run(walk: Walk, gradient: str, context: Context, carry: Any, meter: Any) -> Any:
    """The last carry, the progress meter's state, and the records: time first."""
    if gradient in ("by steps", "nested"):
        scan = jax.lax.scan if gradient == "by steps" else nested
        return _plain(walk, scan, context, carry, meter)
    y, solver_state, result = carry
    (y, solver_state), records = _linearised(walk, context, (y, solver_state))
    return (y, solver_state, result), meter, records


def _plain(walk: Walk, scan: Any, context: Context, carry: Any, meter: Any) -> Any:
    """Blocks of `every` steps with a record after each, and the rest."""

    @jax.checkpoint
    def step(carry: Any, i: Array) -> tuple[Any, None]:
        return walk.step(context, carry, i), None

    def block(carry: Any, j: Any) -> tuple[Any, list[Any]]:
        inner, meter = carry
        first = j * walk.every
        if walk.every == 1:
            inner, _ = step(inner, first)
        else:
            inner, _ = scan(step, inner, first + jnp.arange(walk.every, dtype=jnp.int32))
        meter = walk.meter.step(meter, (first + walk.every).astype(float) / walk.steps)
        return (inner, meter), walk.record(context, first + walk.every, inner[0])

    blocks = walk.steps // walk.every
    (carry, meter), records = scan(block, (carry, meter), jnp.arange(blocks, dtype=jnp.int32))
    rest = jnp.arange(blocks * walk.every, walk.steps, dtype=jnp.int32)
    if rest.size:
        carry, _ = scan(step, carry, rest)
    return carry, meter, records


def nested(body: Any, carry: Any, xs: Array) -> tuple[Any, Any]:
    """`lax.scan(body, carry, xs)`, of which reverse mode stores 2 sqrt(n) carries.

    In pieces of sqrt(n), each recomputed as a whole in the backward pass, which costs one forward
    pass more (Chen, Xu, Zhang and Guestrin 2016, arXiv 1604.06174, section 4.3).
    """
    size = max(1, round(xs.size**0.5))
    pieces = xs.size // size

    @jax.checkpoint
    def piece(carry: Any, part: Array) -> tuple[Any, Any]:
        return jax.lax.scan(jax.checkpoint(body), carry, part)

    carry, out = jax.lax.scan(piece, carry, xs[: pieces * size].reshape(pieces, size))
    out = jax.tree.map(lambda y: y.reshape(pieces * size, *y.shape[2:]), out)
    if pieces * size == xs.size:
        return carry, out
    carry, rest = piece(carry, xs[pieces * size :])
    return carry, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), out, rest)


def _linearised(walk: Walk, context: Context, start: Any) -> Any:
    """The last `(state, solver's state)` and the records; derivatives by all steps' Jacobians.

    For solvers that cannot fail: no result is carried.
    """
    result = diffrax.RESULTS.successful
    smooth, rest = eqx.partition((context, start), eqx.is_inexact_array)
    counted, fixed = eqx.partition(rest, eqx.is_array)

    def move(context: Context, y: Any, kept: Any, i: Array) -> tuple[Any, Any]:
        return walk.step(context, (y, kept, result), i)[:2]

    @jax.custom_jvp
    def solve(smooth: Any, counted: Any) -> Any:
        context, start = eqx.combine(smooth, counted, fixed)
        carry = (*start, result)
        carry, _, records = _plain(walk, jax.lax.scan, context, carry, walk.meter.init())
        return carry[:2], records

    @solve.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        context, start = eqx.combine(*primals, fixed)
        end, records, dy, drecords = _at_once(walk, move, context, start, *tangents[0])
        # What a solver keeps beside the state is no function of it (FixedSteps sees to that).
        return (end, records), ((dy, jax.tree.map(_no_tangent, end[1])), drecords)

    return solve(smooth, counted)


def _no_tangent(x: Array) -> Any:
    return jnp.zeros_like(x) if eqx.is_inexact_array(x) else np.zeros(x.shape, jax.dtypes.float0)


def _at_once(walk: Walk, move: Any, context: Any, start: Any, dcontext: Any, dstart: Any) -> Any:
    numbers = jnp.arange(walk.steps, dtype=jnp.int32)
    end, before = linearised.trajectory(move, context, start, numbers)
    ys = jax.tree.map(lambda x, last: jnp.concatenate([x[1:], last[None]]), before[0], end[0])
    dys = linearised.tangents(move, context, dcontext, dstart[0], before, numbers)
    chosen = slice(walk.every - 1, None, walk.every)
    picked, dpicked = jax.tree.map(lambda x: x[chosen], (ys, dys))

    smooth, rest = eqx.partition(context, eqx.is_inexact_array)

    def record(smooth: Any, ys: Any) -> Any:
        context = eqx.combine(smooth, rest)
        return jax.vmap(lambda i, y: walk.record(context, i + 1, y))(numbers[chosen], ys)

    records, drecords = jax.jvp(record, (smooth, picked), (dcontext, dpicked))
    return end, records, jax.tree.map(lambda d: d[-1], dys), drecords
