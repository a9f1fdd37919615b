"""The loop of a fixed-step solve: counted in integers, differentiable in both modes."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core.arguments import require_fields
from tripartite.solvers import scans
from tripartite.solvers.exponential import AbstractExponential
from tripartite.solvers.wrapped import AbstractAfterStep

GRADIENTS = ("by steps", "nested", "linearised")

# Beyond so many numbers in the state, a step's Jacobian costs more than it saves.
_FEW = 10
# And beyond so many steps the Jacobians, some 800 bytes a step for one cell, fill gigabytes.
_LONG = 1_000_000


class FixedSteps(diffrax.AbstractAdjoint):
    """Scans `solver.step` over an integer count of steps of exactly `dt`.

    Time is `t0 + i dt`, never a running sum, and the update uses dt itself, so that float32 takes
    the steps it was asked for however long the solve. Forward and reverse mode both work, in one
    of three ways:

    - `"by steps"`: each step is rematerialised in the backward pass, so that reverse mode stores
      one state per step and nothing inside it;
    - `"nested"`: stores 2 sqrt(steps) states, for one more forward pass;
    - `"linearised"`: the Jacobians of all steps at once, then a product of small matrices. For
      one cell ten to twenty times faster. Stores the Jacobians: 25 times what `"by steps"` does.

    **Arguments:** `steps` the number of steps; `dt` their length in ms; `gradient` one of the
    above, or `None` to choose: linearised for a state of at most ten numbers and a million steps,
    else by steps (under `vmap` over more than a few states by steps is faster:
    `tripartite.simulate` sees to it); `first`: how many steps were taken before from the same t0,
    a scalar of int32, or `None`.

    It serves `diffeqsolve(..., stepsize_controller=ConstantStepSize(), adjoint=FixedSteps(...))`
    with `SaveAt(t0=, t1=, steps=)`; for anything else it raises a `ValueError` that says so.
    """

    steps: int = eqx.field(static=True)
    dt: float = eqx.field(static=True)
    gradient: str | None = eqx.field(static=True, default=None)
    first: Array | None = None

    def __check_init__(self) -> None:
        require_fields(self)
        if self.steps < 1 or not self.dt > 0:
            raise ValueError(
                f"steps must be at least 1 and dt above 0 ms, got {self.steps} and {self.dt}."
            )
        if self.gradient is not None and self.gradient not in GRADIENTS:
            raise ValueError(f"gradient must be one of {GRADIENTS} or None, got {self.gradient!r}.")

    def loop(
        self,
        *,
        args: Any,
        terms: Any,
        solver: Any,
        stepsize_controller: Any,
        event: Any,
        saveat: Any,
        t0: Any,
        init_state: Any,
        progress_meter: Any,
        **unused: Any,
    ) -> tuple[Any, dict[str, Any]]:
        """diffrax's hook: from the state before the first step to the state after the last."""
        subs = jax.tree.leaves(saveat.subs, is_leaf=_is_sub)
        self._refuse(stepsize_controller, event, saveat, subs)
        # The spacing of records: of all that ask for steps, else one block for the whole solve.
        every = max((sub.steps for sub in subs), default=0) or self.steps
        # diffrax hides arrays in the closures of these, where no derivative would see them.
        records = [
            eqx.filter_closure_convert(sub.fn, t0, init_state.y, args) for sub in subs if sub.steps
        ]
        context = scans.Context(args, terms, _both_modes(solver), t0, records, self.first)
        walk = scans.Walk(self.steps, self.dt, every, progress_meter)
        start = (init_state.y, init_state.solver_state, init_state.result)
        meter = init_state.progress_meter_state
        gradient = self.choose(solver, start[0], start[1])
        if not isinstance(progress_meter, diffrax.NoProgressMeter) and self.gradient is None:
            gradient = GRADIENTS[0]
        carry, meter, records = scans.run(walk, gradient, context, start, meter)
        blocks = self.steps // every
        numbers = every * jnp.arange(1, blocks + 1)
        end = t0 + jnp.asarray(self.dt * self.steps, t0.dtype)
        if self.first is not None:
            numbers = self.first + numbers.astype(jnp.int32)
            end = walk.time(context, self.steps)
        times = t0 + self.dt * numbers.astype(t0.dtype)
        ends, records = (init_state.y, carry[0]), iter(records)
        when, ragged = (t0, times, end), bool(self.steps % every)
        saved = [
            _joined(sub, ends, when, args, next(records) if sub.steps else None, ragged)
            for sub in subs
        ]
        return self._finish(init_state, carry, meter, end, saved), {}

    def choose(self, solver: Any, y: Any, solver_state: Any) -> str:
        """The way that a solve from `y` by `solver` is differentiated.

        **Raises:** `ValueError` for `"linearised"` where it would be wrong.
        """
        while isinstance(solver, AbstractAfterStep):
            solver, solver_state = solver.solver, solver.inner_state(solver_state)
        sure = not isinstance(solver, diffrax.AbstractImplicitSolver)
        # An exponential solver keeps a record, never anything that the next step depends on.
        kept = [] if isinstance(solver, AbstractExponential) else jax.tree.leaves(solver_state)
        leaves = jax.tree.leaves(y)
        fits = (
            sure
            and all(jnp.issubdtype(x.dtype, jnp.inexact) for x in leaves)
            and not any(jnp.issubdtype(x.dtype, jnp.inexact) for x in kept)
        )
        if self.gradient == "linearised" and not fits:
            raise ValueError(
                "a linearised gradient needs a state of floating-point numbers and a solver that "
                "cannot fail and carries nothing from step to step: use adjoint='by steps' for "
                f"{type(solver).__name__} on this model."
            )
        if self.gradient is not None:
            return self.gradient
        small = sum(x.size for x in leaves) <= _FEW and self.steps <= _LONG
        return "linearised" if fits and small else "by steps"

    def _refuse(self, controller: Any, event: Any, saveat: Any, subs: list[Any]) -> None:
        if not isinstance(controller, diffrax.ConstantStepSize):
            raise ValueError(
                f"FixedSteps needs ConstantStepSize(), got {type(controller).__name__}: leave "
                "`adjoint` to simulate, or pass diffrax.RecursiveCheckpointAdjoint() for adaptive "
                "steps."
            )
        if event is not None:
            raise ValueError("FixedSteps runs no events: solve with adaptive steps (dt=None).")
        intervals = {sub.steps for sub in subs if sub.steps}
        if saveat.dense or any(sub.ts is not None for sub in subs) or len(intervals) > 1:
            raise ValueError(
                "FixedSteps records at t0, at t1 and at every n-th step, one n for all: use "
                "SaveAt(t0=, t1=, steps=n) (simulate's save_every=)."
            )

    def _finish(self, init_state: Any, carry: Any, meter: Any, end: Any, saved: list[Any]) -> Any:
        y, solver_state, result = carry
        leaves, structure = jax.tree.flatten(init_state.save_state, is_leaf=_is_save_state)
        filled = [
            eqx.tree_at(lambda s: (s.ts, s.ys, s.save_index), leaf, (ts, ys, ts.shape[0]))
            for leaf, (ts, ys) in zip(leaves, saved, strict=True)
        ]
        return eqx.tree_at(
            lambda s: (
                s.y,
                s.solver_state,
                s.result,
                s.progress_meter_state,
                s.tprev,
                s.tnext,
                s.num_steps,
                s.num_accepted_steps,
                s.save_state,
            ),
            init_state,
            (
                y,
                solver_state,
                result,
                meter,
                end,
                end,
                self.steps,
                self.steps,
                jax.tree.unflatten(structure, filled),
            ),
            is_leaf=lambda x: x is None,
        )


def _both_modes(solver: Any) -> Any:
    """The solver with its loop over stages in the form that both modes can differentiate."""

    def unset(x: Any) -> bool:
        # By class: diffrax lets a wrapped solver pass for an instance of what it wraps.
        return issubclass(type(x), diffrax.AbstractRungeKutta) and x.scan_kind is None

    def bounded(x: Any) -> Any:
        if not unset(x):
            return x
        return eqx.tree_at(lambda s: s.scan_kind, x, "bounded", is_leaf=lambda y: y is None)

    return jax.tree.map(bounded, solver, is_leaf=unset)


def _is_sub(x: Any) -> bool:
    return isinstance(x, diffrax.SubSaveAt)


def _is_save_state(x: Any) -> bool:
    return isinstance(x, eqx.Module) and {"save_index", "saveat_ts_index"} <= set(vars(x))


def _joined(
    sub: Any, ends: Any, times: Any, args: Any, record: Any, ragged: bool
) -> tuple[Any, Any]:
    """The times and values that one `SubSaveAt` asks for, in order."""
    (y0, y1), (t0, grid, end) = ends, times
    ts, ys = [], []
    if sub.t0:
        ts.append(t0[None])
        ys.append(jax.tree.map(lambda x: jnp.asarray(x)[None], sub.fn(t0, y0, args)))
    if sub.steps:
        ts.append(grid)
        ys.append(record)
    if sub.t1 and (ragged or not sub.steps):
        ts.append(end[None])
        ys.append(jax.tree.map(lambda x: jnp.asarray(x)[None], sub.fn(end, y1, args)))
    return jnp.concatenate(ts), jax.tree.map(lambda *parts: jnp.concatenate(parts), *ys)
