"""A synapse whose weight learns: any synapse, with a rule of long-term plasticity."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.core import Membrane, Parameter, Relaxation, as_cleft, has_jump, parameter
from tripartite.core.arguments import require_fields
from tripartite.core.errors import is_concrete
from tripartite.synapses.base import AbstractSynapse
from tripartite.synapses.smooth_spikes import SmoothSpikes
from tripartite.synapses.stdp import AbstractSTDP


class PlasticState(NamedTuple):
    """`weight`, a factor; `traces` of the rule; `synapse`, its own state."""

    weight: Array
    traces: Any
    synapse: Any


class AbstractPlasticSynapse(AbstractSynapse):
    """A synapse with its conductance multiplied by a weight, a pure number that a rule moves."""

    synapse: eqx.AbstractVar[AbstractSynapse]
    rule: eqx.AbstractVar[AbstractSTDP]
    initial: eqx.AbstractVar[Any]

    def init(self) -> PlasticState:
        """The initial weight, no traces, and the synapse's own start."""
        return PlasticState(self.initial, self.rule.init(), self.synapse.init())

    def units(self) -> PlasticState:
        """Pure numbers, and the synapse's."""
        return PlasticState("1", "1", self.synapse.units())  # pyright: ignore[reportArgumentType]

    def conductance(self, y: PlasticState, v_post: Array) -> tuple[Array, Array]:
        """`(weight * g, E)`."""
        g, reversal = self.synapse.conductance(y.synapse, v_post)
        return y.weight * g, reversal

    def membrane(self, y: PlasticState, v_post: Array) -> Membrane:
        """`weight` times the synapse's."""
        current, g = self.synapse.membrane(y.synapse, v_post)
        return Membrane(y.weight * current, y.weight * g)

    def transmitter(self, y: PlasticState) -> Array:
        """The synapse's: the weight is postsynaptic."""
        return self.synapse.transmitter(y.synapse)

    def ports(self, y: PlasticState) -> dict[str, Any]:
        """The synapse's, `weight` and `traces`."""
        return self.synapse.ports(y.synapse) | {"weight": y.weight, "traces": y.traces}


class PlasticSynapse(AbstractPlasticSynapse):
    """Spike by spike, in exact jumps. For fixed steps.

    The weight changes at `Cleft.spike` and `Cleft.post_spike` and is kept in `[floor, ceiling]`.
    Of two spikes at one instant each reads the traces from before both.

    **Arguments:** `synapse`: any; `rule`: a `PairSTDP` or `TripletSTDP`; `initial`, `floor` and
    `ceiling` of the weight, pure numbers.

    **Raises:** `ValueError` if not `0 <= floor <= initial <= ceiling`.
    """

    synapse: AbstractSynapse
    rule: AbstractSTDP
    initial: Parameter = parameter(1.0, "1")
    floor: Parameter = parameter(0.0, "1")
    ceiling: Parameter = parameter(10.0, "1")

    def __check_init__(self) -> None:
        bounds = (self.floor, self.initial, self.ceiling)
        if not all(map(is_concrete, bounds)):
            return
        low, start, high = map(np.asarray, bounds)
        if np.any(low < 0) or np.any(start < low) or np.any(start > high):
            raise ValueError(
                "PlasticSynapse needs 0 <= floor <= initial <= ceiling, got "
                f"{low}, {start} and {high}: widen the bounds, or move the initial weight."
            )

    def blocks(self) -> PlasticState:
        """The weight only jumps."""
        return PlasticState(None, 0, self.synapse.blocks())  # pyright: ignore[reportArgumentType]

    def relax(self, t: Array, y: PlasticState, u: Any) -> Relaxation:
        """Free decay of the traces, and the synapse's own relaxation."""
        inner = self.synapse.relax(t, y.synapse, u)
        zero = jnp.zeros_like(y.weight)
        drive, decay = self.rule.relax(y.traces, zero, zero)
        return Relaxation(
            PlasticState(zero, drive, inner.drive), PlasticState(zero, decay, inner.decay)
        )

    def jump(self, t: Array, before: PlasticState, y: PlasticState, u: Any) -> PlasticState:
        """The synapse's jump, the weight's change, then the traces'."""
        pre, post = as_cleft(u).spike, as_cleft(u).post_spike
        weight = y.weight + self.rule.change(y.traces, pre, post)
        return PlasticState(
            jnp.clip(weight, self.floor, self.ceiling),
            self.rule.raised(y.traces, pre, post),
            self.synapse.jump(t, before.synapse, y.synapse, u),
        )


class SmoothPlasticSynapse(AbstractPlasticSynapse):
    """The same rule driven smoothly by both voltages (or rates): differentiable throughout.

    `dw/dt` is the rule's change at the rates that `pre` and `post` read off the voltages, and the
    traces integrate these rates. With rates of independent Poisson trains this is their mean. The
    weight has no bounds.

    **Arguments:** `synapse`: one without jumps (`GradedSynapse`, `SmoothTripartiteSynapse`, ...);
    `rule`; `initial` weight; `pre` and `post`, each a `SmoothSpikes`, or `None` to use `Cleft.rate`
    and `Cleft.post_rate`.

    **Raises:** `ValueError` for a synapse that jumps.
    """

    synapse: AbstractSynapse
    rule: AbstractSTDP
    initial: Parameter = parameter(1.0, "1")
    pre: SmoothSpikes | None = eqx.field(default_factory=SmoothSpikes)
    post: SmoothSpikes | None = eqx.field(default_factory=SmoothSpikes)

    def __check_init__(self) -> None:
        require_fields(self)
        if has_jump(self.synapse):
            raise ValueError(
                "SmoothPlasticSynapse.synapse must not jump, got "
                f"{type(self.synapse).__name__}: use PlasticSynapse, or a smooth synapse such as "
                "synapses.ampa()."
            )

    def blocks(self) -> PlasticState:
        """The traces first, then the weight."""
        return PlasticState(1, 0, self.synapse.blocks())  # pyright: ignore[reportArgumentType]

    def relax(self, t: Array, y: PlasticState, u: Any) -> Relaxation:
        """The rule at the present rates; the weight has no decay."""
        cleft = as_cleft(u)
        pre = cleft.rate if self.pre is None else self.pre(cleft.v_pre)
        post = cleft.post_rate if self.post is None else self.post(cleft.v_post)
        inner = self.synapse.relax(t, y.synapse, u)
        drive, decay = self.rule.relax(y.traces, pre, post)
        zero = jnp.zeros_like(y.weight)
        change = self.rule.change(y.traces, pre, post) + zero
        return Relaxation(
            PlasticState(change, drive, inner.drive), PlasticState(zero, decay, inner.decay)
        )
