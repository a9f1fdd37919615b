"""What a synapse is to the rest of the library, and the checks its parameters share."""

import abc
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.core import AbstractRelaxation, Cleft, Membrane, Relaxation
from tripartite.core.errors import as_numbers, is_concrete


class AbstractSynapse(AbstractRelaxation):
    """One synapse, from one cell to another: a relaxation driven by a `Cleft`.

    Everything is elementwise array code: with parameters or states of shape `[edges]`, or under
    `vmap`, the same class is a projection. A spike acts in `jump`, at the end of the step in which
    it arrives, so that between spikes the state moves freely (exactly, where its coefficients are
    constant).
    """

    @abc.abstractmethod
    def conductance(self, y: PyTree[Array], v_post: Array) -> tuple[Array, Array]:
        """The Norton pair `(g, E)`: conductance (mS/cm2 or nS) and reversal (mV).

        The membrane receives `g (E - v)`. Where g depends on the voltage (the magnesium block), it
        is the chord conductance at `v_post`.
        """

    def membrane(self, y: PyTree[Array], v_post: Array) -> Membrane:
        """What the membrane receives: `g E` and `g`, or what a synapse without conductance says."""
        g, reversal = self.conductance(y, v_post)
        return Membrane(g * reversal, g)

    def transmitter(self, y: PyTree[Array]) -> Array:
        """The concentration that spills to the astrocyte (uM); zero for a plain receptor."""
        return jnp.zeros_like(jax.tree.leaves(y)[0])

    def timed(self) -> tuple[str, ...]:
        """What in it jumps without a spike, by name, so that it needs a fixed step; often nothing.

        By default: that of the synapses it is made of.
        """
        inside = jax.tree.leaves(
            self, is_leaf=lambda x: isinstance(x, AbstractSynapse) and x is not self
        )
        return sum((x.timed() for x in inside if isinstance(x, AbstractSynapse)), ())

    def ports(self, y: PyTree[Array]) -> dict[str, PyTree[Array]]:
        """Every state by its name."""
        return dict(y._asdict())  # pyright: ignore[reportAttributeAccessIssue]

    def input_units(self) -> Any:
        """Of a `Cleft`: mV, pure numbers, uM and rates."""
        return Cleft("mV", "mV", "1", "uM", "1", "1/ms", "1/ms")


class AbstractReleasingSynapse(AbstractSynapse):
    """A terminal that drives a receptor by the amounts it releases at spikes, and by nothing else.

    Where the receptor is linear, all that end on one cell may share one state of it: a network then
    holds for each edge only what the terminal remembers.
    """

    @abc.abstractmethod
    def receptors(self) -> AbstractSynapse:
        """The receptor."""

    @abc.abstractmethod
    def terminal_alone(self) -> "AbstractReleasingSynapse":
        """This synapse on a `NoReceptor`."""

    @abc.abstractmethod
    def released(self, y: PyTree[Array], u: Any) -> Array:
        """The amount that the spike in the `Cleft` `u` releases from `y`, before it has."""


class AbstractEventTerminal(AbstractReleasingSynapse):
    """A terminal that between spikes relaxes with constant coefficients, and hears only spikes.

    A network with many of them moves each at its spikes alone, by the time since the last. Apart is
    what gliotransmitter moves at all times: alike for all synapses of one astrocyte, it is one
    state for each of these.
    """

    @abc.abstractmethod
    def bound(self, y: PyTree[Array]) -> PyTree[Array]:
        """The part of a state that gliotransmitter moves; `None` for none."""

    @abc.abstractmethod
    def with_bound(self, y: PyTree[Array], bound: PyTree[Array]) -> PyTree[Array]:
        """The state with another such part, or with `None` in its place."""

    @abc.abstractmethod
    def clearing(self) -> Array:
        """The rate (1/ms) at which `transmitter` decays between spikes."""


class AbstractLinearSynapse(AbstractSynapse):
    """A synapse that adds up its spikes: each leaves the same response, whatever came before.

    The states of such synapses onto one cell, with the same time constants and reversal, may
    therefore be added: one state per cell, which receives the sum of weight times spike. `spike`
    may be any amount of release, and `rate` its smooth counterpart (per ms).
    """


class NoReceptor(AbstractLinearSynapse):
    """Nothing that a terminal could drive: it has no state, and the membrane receives nothing."""

    def init(self) -> tuple[()]:
        """No state."""
        return ()

    def blocks(self) -> tuple[()]:
        """None."""
        return ()

    def units(self) -> tuple[()]:
        """None."""
        return ()

    def relax(self, t: Array, y: tuple[()], u: Any) -> Relaxation:
        """Nothing moves."""
        return Relaxation((), ())

    def jump(self, t: Array, before: tuple[()], y: tuple[()], u: Any) -> tuple[()]:
        """Spikes are not heard."""
        return ()

    def conductance(self, y: tuple[()], v_post: Array) -> tuple[Array, Array]:
        """None."""
        return jnp.zeros_like(v_post), jnp.zeros_like(v_post)


def require_range(
    owner: str, name: str, value: Any, low: float, high: float, why: str, *, above: bool = False
) -> None:
    """Checks the numbers of a parameter that are known now.

    **Arguments:** `above`: whether `low` itself is forbidden; `why` what the range means.

    **Raises:** `ValueError` if one of them lies outside `[low, high]`.
    """
    if not is_concrete(value):
        return
    values = as_numbers(f"{owner}.{name}", value)
    outside = (values <= low if above else values < low) | (values > high)
    if np.any(outside):
        opening = "(" if above else "["
        closing = "infinity)" if np.isinf(high) else f"{high:g}]"
        raise ValueError(
            f"{owner}.{name} must lie in {opening}{low:g}, {closing}, got {values}: {why}."
        )


def require_weight(owner: str, value: Any) -> None:
    """**Raises:** `ValueError` for a negative weight."""
    why = "a conductance has no sign; inhibition is a reversal potential below rest"
    require_range(owner, "weight", value, 0.0, np.inf, why)
