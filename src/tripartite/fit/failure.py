"""What a fit says when a loss or a gradient is not finite."""

import os
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.fit.descent import Descent, State, Step


class FitError(RuntimeError):
    """A fit that came to a loss or a gradient that is not finite.

    `step`, at which; `parameters`, whose change made it so, or whose derivative is not finite;
    `model`, the last good one, `None` if the first was not; `checkpoint`, where that is kept.
    """

    def __init__(
        self, message: str, step: int, parameters: tuple[str, ...], model: Any, checkpoint: Any
    ) -> None:
        RuntimeError.__init__(self, message)
        self.step, self.parameters = step, parameters
        self.model, self.checkpoint = model, checkpoint


def failed(
    problem: Descent,
    step: int,
    good: State | None,
    bad: State,
    seen: Step | str,
    checkpoint: str | os.PathLike[str] | None,
) -> FitError:
    """The error of a step.

    **Arguments:** `good`, the state before the last step that went well; `bad`, the one after it,
    at which the loss or a derivative is not finite; `seen`, what the step saw, or an error's text.
    """
    packing, many = problem.packing, problem.many
    z = bad.z[0] if many else bad.z
    before = None if good is None else (good.z[0] if many else good.z)
    blamed = _blamed(problem, step, before, z)
    what = f"the loss could not be computed ({seen})"
    if isinstance(seen, Step):
        what = f"the loss became {np.asarray(problem.objective(z, jnp.asarray(step)))}"
        slopes = np.asarray(seen.slopes[0] if many else seen.slopes)
        lost = [n for n, x in zip(packing.labels(), slopes, strict=True) if not np.isfinite(x)]
        if np.isfinite(np.asarray(problem.objective(z, jnp.asarray(step)))):
            what = f"the derivative is not finite with respect to {', '.join(lost)}"
        blamed = blamed or tuple(lost)
    text = f"step {step}: {what}{' (of the first; no start is finite)' if many else ''}."
    values = packing.values(z)
    if blamed:
        told = ", ".join(f"{name} = {_shown(values, name)}" for name in blamed)
        text += f" It comes of {told}."
    if good is None:
        text += " The fit begins there: start from a model whose loss is finite."
    else:
        text += " Take a smaller learning rate, or a narrower constraint."
        if checkpoint is not None:
            text += f" The last good state is kept in {os.fspath(checkpoint)}."
    model = None if before is None else packing.unpack(before)
    return FitError(text, step, blamed, model, None if good is None else checkpoint)


def _blamed(problem: Descent, step: int, before: Array | None, z: Array) -> tuple[str, ...]:
    """The parameters one of which, put back to where it was, makes the loss finite again."""
    if before is None:
        return ()
    found, start = [], 0
    for name, piece in zip(problem.packing.names, problem.packing.split(z), strict=True):
        end = start + piece.size
        back = z.at[start:end].set(before[start:end])
        try:
            value = np.asarray(problem.objective(back, jnp.asarray(step)))
        except RuntimeError:
            value = np.asarray(np.nan)
        found += [name] if np.isfinite(value) else []
        start = end
    return tuple(found)


def _shown(values: dict[str, Array], name: str) -> str:
    value = values.get(name)
    return "an entry" if value is None else f"{np.asarray(value)}"
