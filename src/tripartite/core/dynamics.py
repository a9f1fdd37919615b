"""What every model in this library is: a state, its derivative, and what happens between steps."""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.core.arguments import checked
from tripartite.core.events import Events
from tripartite.core.parameters import AbstractParametrised


class Relaxation(eqx.Module):
    """The coefficients of `dy/dt = drive - decay * y`, leaf by leaf.

    A leaky integrator with a time-varying drive and a time-varying leak. Returning the two
    coefficients, rather than their combination, is what lets an exponential solver step stably.

    **Arguments:**

    - `drive`: same structure as the state; unit of each leaf: its state's unit per ms.
    - `decay`: same structure as the state, non-negative; unit: 1/ms.
    - `blocks`: one integer (or `None`: held) per leaf of the state, filled in by the solver's term.
    """

    drive: PyTree[Array]
    decay: PyTree[Array]
    blocks: tuple[int | None, ...] = eqx.field(static=True, default=())

    def derivative(self, y: PyTree[Array]) -> PyTree[Array]:
        """`drive - decay * y`, in each state's unit per ms."""
        return jax.tree.map(lambda a, b, x: a - b * x, self.drive, self.decay, y)


class AbstractDynamics(AbstractParametrised):
    """Anything that can be solved: `dy/dt = vector_field(t, y, u)`, with `jump` between steps.

    Implement `init` and `vector_field` (or inherit from `AbstractRelaxation` and implement
    `relax`). Everything else has a default: one block, no jump, units unknown, and a record of
    the whole state.
    """

    @abc.abstractmethod
    def init(self) -> PyTree[Array]:
        """A state to start from: arrays of the parameters' dtype."""

    @abc.abstractmethod
    def vector_field(self, t: Array, y: PyTree[Array], u: Any) -> PyTree[Array]:
        """The derivative of the state, per ms, with the state's structure.

        **Arguments:** `t` in ms; `y` the state; `u` the input, as the model defines it.
        """

    def blocks(self) -> PyTree[int | None]:
        """The order in which a fixed step sweeps the states: a tree prefix of the state.

        `None` marks a state that is held between jumps and never integrated.
        """
        return 0

    def jump(self, t: Array, before: PyTree[Array], y: PyTree[Array], u: Any) -> PyTree[Array]:
        """What happens at the end of a step (resets, clocks): the state after the jump.

        **Arguments:** `t` the end of the step in ms; `before` the state at its start; `y` the
        state at its end; `u` the input at `t`. Applied on fixed steps only.
        """
        return y

    def jumping(self) -> tuple[str, ...]:
        """What in the model jumps between steps, by name: `simulate` then asks for `dt=`.

        By default: the class, if it defines a `jump`.
        """
        jumps = type(self).jump is not AbstractDynamics.jump
        return (type(self).__name__,) if jumps else ()

    def events(self, t: Array, y: PyTree[Array], u: Any) -> Events | None:
        """How far it is from each event that is located in time, in a solve without `dt`.

        Before an event its distance is negative, and the vector field is smooth, beyond it, too,
        for a little: a mode (refractory or not) is a state that is held between events. Without
        events, `None`.

        **Arguments:** as `vector_field`.
        """
        return None

    def occur(self, which: Array, t: Array, y: PyTree[Array], u: Any) -> PyTree[Array]:
        """The state after the events that `which` (booleans, shaped as the distances) marks."""
        return y

    def begin(self, t: Array, y: PyTree[Array]) -> PyTree[Array]:
        """What a solve with located events makes of the state it starts from, at `t` (ms)."""
        return y

    def located(self) -> bool:
        """Whether it has events: by default, whether its class defines `events`."""
        return type(self).events is not AbstractDynamics.events

    def clocked(self) -> tuple[str, ...]:
        """What in the model needs a fixed step, by name: by default, what jumps without events."""
        return () if self.located() else self.jumping()

    def flows(self) -> bool:
        """Whether drive and decay are constant between events, under an input that is."""
        return False

    def parts(self) -> tuple[tuple[str, int], ...]:
        """The names of its populations, and at which event each starts; one part has none."""
        return ()

    def apart(self) -> str:
        """What in it takes other steps than the solve's, in words, for its plan; often nothing."""
        return ""

    def at_step(self, dt: float | None) -> "AbstractDynamics":
        """The model as a solve in steps of `dt` ms (`None`: adaptive) needs it: often, itself."""
        return self

    def mapped(self) -> "AbstractDynamics":
        """The model as a solve under `vmap` needs it: often, itself."""
        return self

    def packed(self) -> "AbstractDynamics":
        """The model on the state that a solve in fixed steps carries, `pack(y)`: often, itself."""
        return self

    def pack(self, y: PyTree[Array]) -> PyTree[Array]:
        """A state as the `packed` model has it."""
        return y

    def unpack(self, y: PyTree[Array]) -> PyTree[Array]:
        """The state again of a `packed` model's."""
        return y

    def diffusion(self, t: Array, y: PyTree[Array], u: Any) -> PyTree[Array]:
        """The size of each independent source of noise: `dy = f dt + spread(y, size * dW)`.

        The equation is read in Ito's sense. By default there is one source for each state, its
        size in the state's unit per sqrt(ms), and a class that overrides this is noisy. A model
        whose sources are not its states, one for two of them, for example, returns any structure
        of arrays here and overrides `spread`, too.
        """
        return jax.tree.map(jnp.zeros_like, y)

    def spread(self, y: PyTree[Array], kicks: PyTree[Array]) -> PyTree[Array]:
        """What kicks of the sources do to the state: linear in `kicks`, of the state's structure.

        **Arguments:** `y` the state; `kicks` of the structure that `diffusion` returns.
        """
        return kicks

    def noisy(self) -> bool:
        """Whether the model has noise of its own: `simulate` then asks for `key=` and `dt=`.

        By default: whether its class defines a `diffusion`.
        """
        return type(self).diffusion is not AbstractDynamics.diffusion

    def units(self) -> PyTree[str] | None:
        """The unit of each state: a tree prefix of the state, or `None` if undeclared."""
        return None

    def input_units(self) -> PyTree[str] | None:
        """The unit of each input: a tree prefix of `u`, or `None` if undeclared."""
        return None

    def ports(self, y: PyTree[Array]) -> dict[str, PyTree[Array]]:
        """What is recorded when nothing is asked for: named read-only functions of the state."""
        return {"y": y}

    def inputs(self) -> tuple[str, ...]:
        """The names of its inputs, for a model of several parts: the keys of its stimulus."""
        return ()

    def probe(self, name: str, at: Any) -> Callable[[PyTree[Array]], PyTree[Array]]:
        """What `record={name: at}` records: a function of the state.

        **Raises:** `ValueError`: only a model of several parts has records by name and index.
        """
        raise ValueError(
            'record must be None (the model\'s own ports), "state", a function of the state or a '
            f"dictionary of such functions, got {{{name!r}: {at!r}}} for {type(self).__name__}."
        )


class AbstractRelaxation(AbstractDynamics):
    """Dynamics of the form `dy/dt = drive - decay * y`: implement `relax`, and nothing twice."""

    @abc.abstractmethod
    def relax(self, t: Array, y: PyTree[Array], u: Any) -> Relaxation:
        """The drive and the decay of every state, at time `t` (ms), state `y` and input `u`."""

    def vector_field(self, t: Array, y: PyTree[Array], u: Any) -> PyTree[Array]:
        """`drive - decay * y`, derived from `relax`."""
        return self.relax(t, y, u).derivative(y)


def prefix_leaves(prefix: PyTree[Any], tree: PyTree[Array]) -> tuple[Any, ...]:
    """Spreads a tree prefix (of blocks, of units) over the leaves of a state.

    **Raises:** `ValueError` if `prefix` is not a prefix of `tree`.
    """
    spread: list[Any] = []

    def add(value: Any, subtree: PyTree[Array]) -> None:
        spread.extend([value] * len(jax.tree.leaves(subtree)))

    try:
        jax.tree.map(add, prefix, tree, is_leaf=lambda x: x is None or isinstance(x, str))
    except ValueError as error:
        raise ValueError(
            f"{prefix} is not a tree prefix of a state of structure {jax.tree.structure(tree)}: "
            "give one value for the whole state, or one for each of its fields."
        ) from error
    return tuple(spread)


@checked
def has_jump(model: AbstractDynamics) -> bool:
    """Whether anything in the model jumps between steps."""
    return bool(model.jumping())
