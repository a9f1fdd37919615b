"""Fits by gradient descent: the loop, its record, and what stops it."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import PRNGKeyArray

from tripartite.core.arguments import checked
from tripartite.core.progress import Waiting
from tripartite.fit.checkpoints import (
    as_arrays,
    check_same,
    describe,
    digest,
    from_arrays,
    read_checkpoint,
    write_checkpoint,
)
from tripartite.fit.descent import Descent, Loss, State, Step, descent, first
from tripartite.fit.failure import failed
from tripartite.fit.fitted import Fitted, Progress
from tripartite.fit.packing import Constraints, Packing, Where, pack
from tripartite.fit.progress import ProgressLine


class _Limits(NamedTuple):
    """When to stop."""

    steps: int
    patience: int | None
    tolerance: float
    target: float | None


class _File(NamedTuple):
    """Where and how often the state is kept, and what it belongs to."""

    path: str | os.PathLike[str] | None
    every: int
    header: dict[str, Any]

    def write(self, packing: Packing, state: State, losses: list[np.ndarray]) -> None:
        if self.path is None:
            return
        read = packing.each_values if state.z.ndim > 1 else packing.values
        values = read(state.best_z)
        named = {f"value.{name}": value for name, value in values.items()}
        record = np.stack(losses) if losses else np.zeros((0, *np.shape(state.best)))
        arrays = as_arrays("state", state) | named | {"losses": record}
        write_checkpoint(self.path, self.header, arrays)

    def read(self, state: State) -> tuple[State, list[np.ndarray]]:
        if self.path is None or not Path(self.path).exists():
            return state, []
        found = read_checkpoint(self.path)
        check_same(self.path, found.header, self.header)
        return from_arrays("state", state, found.arrays), list(found.arrays["losses"])


@checked
def fit(
    model: Any,
    loss: Loss,
    data: Any,
    *,
    where: Where = None,
    constraints: Constraints = None,
    optim: optax.GradientTransformation | None = None,
    steps: int = 500,
    starts: int | Sequence[Any] | None = None,
    key: PRNGKeyArray | None = None,
    noisy: bool = False,
    forward: bool = False,
    patience: int | None = None,
    tolerance: float = 1e-6,
    target: float | None = None,
    callbacks: Sequence[Callable[[Progress], Any]] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: int = 100,
    progress: bool | None = None,
) -> Fitted:
    """Lowers `loss(model, data)` by changing some parameters of the model.

    What is changed are free numbers, of which each constraint makes values that obey it; so a
    learning rate is relative for positive parameters, and 1 is a `scale` of free ones.

    **Arguments:**

    - `model`: any tree with floating-point arrays: a cell, a network, a layer.
    - `loss`: `loss(model, data)`, a scalar; with `noisy`, `loss(model, data, key)`, where each step
        is given a key of its own.
    - `where`, `constraints`: what is fitted, and within what: see `fit.pack`.
    - `optim`: an optax optimiser, by default `optax.adam(0.02)`.
    - `steps`: how many, counted from the beginning even where a checkpoint is taken up.
    - `starts`: fits from so many random starts at once, drawn as the constraints say, by `vmap`; or
        from each of a list of models; `None` starts from the model's own values.
    - `key`: for random starts and for `noisy`.
    - `forward`: differentiate in forward mode: cheaper for a few numbers.
    - `patience`: stop after so many steps in which the best loss (of each start) did not fall by
        the share `tolerance` of itself; `target`: stop once the best is at or below it.
    - `callbacks`: each is called with a `Progress` after each step; `True` stops the fit.
    - `checkpoint`: a file to write every `checkpoint_every` steps and at the end. If it is there
        already, the fit goes on from it, and ends bit for bit where it would have ended without a
        stop. It must be the same fit: model, data, parameters, versions. (Functions cannot be
        compared: the loss is taken to be the same.)
    - `progress`: a line with loss and speed; `None` for on a terminal only.

    **Returns:** `Fitted`.

    **Raises:** `ValueError` for what cannot be fitted, and for a checkpoint of another fit or
    version, or half of one; `fit.FitError` when a loss or a gradient is not finite (of several
    starts, in all): it names the parameter and the step, and holds the last good model, which the
    checkpoint keeps. One of several starts that is not finite stays where it was.
    """
    limits = _limits(steps, patience, tolerance, target, checkpoint_every)
    if (key is None) == (isinstance(starts, int) or noisy):
        raise ValueError(
            "random starts and a noisy loss need a key, and nothing else does: pass "
            f"key=jax.random.key(0) with starts= or noisy=True, got key = {key}."
        )
    packing = pack(model, where, constraints)
    begins = packing.begins(starts, key)
    optim = optax.adam(0.02) if optim is None else optim
    used, many = key if noisy else None, begins is not None
    problem = descent(packing, loss, data, optim, many=many, key=used, forward=forward)
    seed = "none" if key is None else jax.random.key_data(key).tolist()
    more = {"starts": digest(begins), "noisy": noisy, "forward": forward, "key": seed}
    file = _File(checkpoint, checkpoint_every, describe(packing, data, **more))
    state, losses = file.read(first(packing, optim, begins))
    line = ProgressLine(steps, progress)
    why, state = _run(problem, state, losses, limits, callbacks, file, line)
    return _finished(problem, state, losses, why, line)


def _run(
    problem: Descent,
    state: State,
    losses: list[np.ndarray],
    limits: _Limits,
    callbacks: Sequence[Callable[[Progress], Any]],
    file: _File,
    line: ProgressLine,
) -> tuple[str, State]:
    """Takes the steps, adding to `losses`. Returns why they ended and the state they left."""
    good, waited, asked = None, _Waited.of(losses, limits.tolerance), False
    while True:
        best = float(np.min(np.asarray(state.best)))
        why = "callback" if asked else _why(len(losses), best, waited, limits)
        if why is not None:
            break
        # The first step compiles, and the line of the fit starts with the second.
        with Waiting("fit, first step", line.shown and good is None):
            seen = _stepped(problem, state, len(losses))
        if isinstance(seen, str) or not np.any(np.asarray(seen.finite)):
            if good is not None:
                file.write(problem.packing, good, losses[:-1])
            raise failed(problem, len(losses), good, state, seen, file.path)
        good, state = state, seen.state
        losses.append(np.asarray(seen.loss))
        waited = waited.after(losses[-1], limits.tolerance)
        line.update(len(losses), float(np.min(losses[-1])), float(np.min(np.asarray(state.best))))
        if len(losses) % file.every == 0:
            file.write(problem.packing, state, losses)
        asked = _told(callbacks, problem.packing, state, losses)
    file.write(problem.packing, state, losses)
    return why, state


def _stepped(problem: Descent, state: State, step: int) -> Step | str:
    """A step, or what a solve inside it said when it failed."""
    try:
        return jax.block_until_ready(problem.step(state, jnp.asarray(step)))
    except RuntimeError as error:
        # Between the frames of a stack stands the one line that says what happened.
        lines = str(error).strip().splitlines()
        told = [line.partition("Error: ")[2] for line in lines if "Error: " in line]
        return next(filter(None, told), lines[0])


class _Waited(NamedTuple):
    """The losses at the last real progress, and the steps since."""

    loss: Any
    steps: int

    @classmethod
    def of(cls, losses: list[np.ndarray], tolerance: float) -> "_Waited":
        """The same again from a record, so that a fit taken up stops at the same step."""
        waited = cls(np.inf, 0)
        for loss in losses:
            waited = waited.after(loss, tolerance)
        return waited

    def after(self, loss: np.ndarray, tolerance: float) -> "_Waited":
        margin = np.where(np.isfinite(self.loss), tolerance * np.abs(self.loss), 0.0)
        fell = loss < self.loss - margin
        return _Waited(np.where(fell, loss, self.loss), 0 if np.any(fell) else self.steps + 1)


def _why(step: int, best: float, waited: _Waited, limits: _Limits) -> str | None:
    if limits.target is not None and best <= limits.target:
        return "target"
    if limits.patience is not None and waited.steps >= limits.patience:
        return "patience"
    return "steps" if step >= limits.steps else None


def _told(
    callbacks: Sequence[Callable[[Progress], Any]],
    packing: Packing,
    state: State,
    losses: list[np.ndarray],
) -> bool:
    """Whether a callback asks to stop."""
    if not callbacks:
        return False
    read = packing.each_values if state.z.ndim > 1 else packing.values
    told = Progress(len(losses), losses[-1], np.asarray(state.best), read(state.z))
    answers = [callback(told) for callback in callbacks]
    return True in answers


def _finished(
    problem: Descent, state: State, losses: list[np.ndarray], why: str, line: ProgressLine
) -> Fitted:
    """The least of all that was seen, the last values among it."""
    # The same compiled step once more: what it sees are the losses of the last values.
    state = problem.step(state, jnp.asarray(len(losses))).state
    best = np.atleast_1d(np.asarray(state.best))
    every = state.best_z if problem.many else state.best_z[None]
    least = int(np.argmin(best))
    line.close(len(losses), float(np.min(losses[-1])) if losses else np.nan, best[least], why)
    packing = problem.packing
    return Fitted(
        model=packing.unpack(every[least]),
        loss=float(best[least]),
        values=packing.values(every[least]),
        losses=np.stack(losses) if losses else np.zeros((0, *np.shape(state.best))),
        steps=len(losses),
        why=why,
        every=packing.each_values(every),
        every_loss=best,
    )


def _limits(
    steps: int,
    patience: int | None,
    tolerance: float,
    target: float | None,
    every: int,
) -> _Limits:
    counts = {"steps": steps, "patience": patience, "checkpoint_every": every}
    for name, count in counts.items():
        if count is not None and count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}.")
    if not tolerance >= 0:
        raise ValueError(f"tolerance must not be negative, got {tolerance}.")
    return _Limits(steps, patience, tolerance, target)
