"""A model held near a recording, so that a fit finds its way."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.core import AbstractRelaxation, Parameter, Relaxation, parameter
from tripartite.core.arguments import require_fields
from tripartite.core.errors import is_concrete


class Nudged(AbstractRelaxation):
    """A model one of whose states is pulled towards a recording of it.

        dx/dt = drive - decay x + rate (recorded - x)

    Least squares on a model that oscillates has a minimum for each oscillation it may slip. Pulled
    towards the recording the model cannot slip, and one minimum is left. Fit at a high rate, take
    what was found as the start of a fit at a lower one, and end without: at rate 0 this is the
    model itself. Abarbanel, Creveling, Farsian and Kostuk, SIAM J. Appl. Dyn. Syst. 8, 1341 (2009).
    The pull is one more relaxation, so that a step of any size stays stable.

    Its states, input and record are the model's own.

    **Arguments:**

    - `model`: any relaxation.
    - `where`: picks the state, as in `equinox.tree_at`: `lambda y: y.calcium`.
    - `recorded`: what it is pulled towards, a function of time (ms) in the state's unit, such as
        `stimuli.Sampled(trace, spacing)`.
    - `rate`: 1/ms.

    **Raises:** `ValueError` for a negative rate, another kind of model, or a `where` that does not
    pick one array of the state.
    """

    model: AbstractRelaxation
    where: Callable[[Any], Any] = eqx.field(static=True)
    recorded: Callable[[Array], Any]
    rate: Parameter = parameter(None, "1/ms", trainable=False)

    def __check_init__(self) -> None:
        require_fields(self)
        if is_concrete(self.rate) and np.any(np.asarray(self.rate) < 0):
            raise ValueError(
                f"Nudged.rate must not be negative, got {self.rate} /ms: it would push away."
            )
        if len(jax.tree.leaves(self.where(eqx.filter_eval_shape(self.model.init)))) != 1:
            raise ValueError(
                "where must pick one array of the model's state, such as lambda y: y.calcium."
            )

    def init(self) -> PyTree[Array]:
        """The model's own."""
        return self.model.init()

    def relax(self, t: Array, y: PyTree[Array], u: Any) -> Relaxation:
        """The model's own, and the pull."""
        found, seen = self.model.relax(t, y, u), self.recorded(t)

        def added(part: PyTree[Array], more: Array) -> PyTree[Array]:
            return eqx.tree_at(self.where, part, replace_fn=lambda x: jnp.add(x, more))

        return Relaxation(added(found.drive, self.rate * seen), added(found.decay, self.rate))

    def blocks(self) -> PyTree[int | None]:
        """The model's own."""
        return self.model.blocks()

    def jump(self, t: Array, before: PyTree[Array], y: PyTree[Array], u: Any) -> PyTree[Array]:
        """The model's own."""
        return self.model.jump(t, before, y, u)

    def jumping(self) -> tuple[str, ...]:
        """The model's own."""
        return self.model.jumping()

    def at_step(self, dt: float | None) -> "Nudged":
        """The model as a solve in steps of `dt` (ms) needs it, nudged."""
        ready: Any = self.model.at_step(dt)
        return eqx.tree_at(lambda nudged: nudged.model, self, ready)

    def mapped(self) -> "Nudged":
        """The model as a solve under `vmap` needs it, nudged."""
        ready: Any = self.model.mapped()
        return eqx.tree_at(lambda nudged: nudged.model, self, ready)

    def diffusion(self, t: Array, y: PyTree[Array], u: Any) -> PyTree[Array]:
        """The model's own."""
        return self.model.diffusion(t, y, u)

    def spread(self, y: PyTree[Array], kicks: PyTree[Array]) -> PyTree[Array]:
        """The model's own."""
        return self.model.spread(y, kicks)

    def noisy(self) -> bool:
        """Whether the model is."""
        return self.model.noisy()

    def units(self) -> PyTree[str] | None:
        """The model's own."""
        return self.model.units()

    def input_units(self) -> PyTree[str] | None:
        """The model's own."""
        return self.model.input_units()

    def ports(self, y: PyTree[Array]) -> dict[str, PyTree[Array]]:
        """The model's own."""
        return self.model.ports(y)

    def inputs(self) -> tuple[str, ...]:
        """The model's own."""
        return self.model.inputs()

    def probe(self, name: str, at: Any) -> Callable[[PyTree[Array]], PyTree[Array]]:
        """The model's own."""
        return self.model.probe(name, at)
