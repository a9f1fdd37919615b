"""The loop of a fixed-step solve: counted in integers, differentiable in both modes."""

from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp

from tripartite.solvers.terms import ExactStep


class FixedSteps(diffrax.AbstractAdjoint):
    """Scans `solver.step` over an integer count of steps of exactly `dt`.

    Time is `t0 + i dt`, never a running sum, and the update uses dt itself, so that float32 takes
    the steps it was asked for however long the solve. Each step is rematerialised in the backward
    pass: reverse mode stores one state per step, and nothing inside it. Forward mode works, too.

    **Arguments:** `steps` the number of steps; `dt` their length in ms.

    It serves `diffeqsolve(..., stepsize_controller=ConstantStepSize(), adjoint=FixedSteps(...))`
    with `SaveAt(t0=, t1=, steps=)`; for anything else it raises a `ValueError` that says so.
    """

    steps: int = eqx.field(static=True)
    dt: float = eqx.field(static=True)

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
        step = jax.checkpoint(self._step(terms, _both_modes(solver), t0, args))

        def block(carry: Any, j: Any) -> tuple[Any, list[Any]]:
            inner, meter = carry
            first = j * every
            if every == 1:
                inner, _ = step(inner, first)
            else:
                inner, _ = jax.lax.scan(step, inner, first + jnp.arange(every))
            t = t0 + self.dt * (first + every).astype(t0.dtype)
            meter = progress_meter.step(meter, (first + every) / self.steps)
            return (inner, meter), [sub.fn(t, inner[0], args) for sub in subs if sub.steps]

        start = (init_state.y, init_state.solver_state, init_state.result)
        blocks = self.steps // every
        (carry, meter), records = jax.lax.scan(
            block, (start, init_state.progress_meter_state), jnp.arange(blocks)
        )
        rest = jnp.arange(blocks * every, self.steps)
        if rest.size:
            carry, _ = jax.lax.scan(step, carry, rest)
        times = t0 + self.dt * (every * jnp.arange(1, blocks + 1)).astype(t0.dtype)
        end = t0 + jnp.asarray(self.dt * self.steps, t0.dtype)
        ends, records = (init_state.y, carry[0]), iter(records)
        when = (t0, times, end)
        saved = [
            _joined(sub, ends, when, args, next(records) if sub.steps else None, bool(rest.size))
            for sub in subs
        ]
        return self._finish(init_state, carry, meter, end, saved), {}

    def _step(self, terms: Any, solver: Any, t0: Any, args: Any) -> Any:
        """One step of the scan: `(state, solver's state, result)` and the step's number."""

        def step(carry: Any, i: Any) -> tuple[Any, None]:
            y, solver_state, result = carry
            before, after = (t0 + self.dt * k.astype(t0.dtype) for k in (i, i + 1))
            exact = ExactStep(terms, self.dt, before, after)
            # The input may jump between any two steps: no stage is carried over (made_jump).
            y, _, _, solver_state, new = solver.step(
                exact, before, after, y, args, solver_state, True
            )
            if new is not diffrax.RESULTS.successful:
                result = diffrax.RESULTS.where(result == diffrax.RESULTS.successful, new, result)
            return (y, solver_state, result), None

        return step

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
