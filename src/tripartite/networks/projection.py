"""From one population to another: a synapse, the edges, their weights, delays and astrocytes."""

from typing import Any, Literal

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.core import AbstractParametrised, Parameter, constant, parameter
from tripartite.core.arguments import require_fields
from tripartite.core.errors import is_concrete, require_numbers
from tripartite.networks.edges import Edges
from tripartite.networks.ensheathing import Ensheathed
from tripartite.networks.population import Population, shared
from tripartite.synapses import (
    AbstractLinearSynapse,
    AbstractReleasingSynapse,
    AbstractSynapse,
    MeanFieldTsodyksMarkram,
    SmoothSpikes,
)

Sign = Literal["excitatory", "inhibitory"]

# By how much a delay may grow while it is trained, before its line is too short.
_ROOM = 1.25


class Projection(AbstractParametrised):
    """Synapses of one class from population `pre` to population `post`.

    Each edge conducts `weight` times its synapse's conductance. A *linear* synapse without
    parameters that vary has one state for each cell of `post`, which receives the sum of weight
    times spike; any other has one for each edge, but terminals on a linear receptor
    (Tsodyks-Markram, tripartite) share one state of that.

    With a `trigger` the synapses hear a firing rate, a smooth function of the presynaptic voltage,
    and no spikes; without one, synapses with a jump hear spikes, and the others the voltage.

    **Arguments:**

    - `pre`, `post`: names of populations of cells.
    - `synapse`: one synapse for all, or `population(make, len(edges), ...)`, one for each edge.
    - `edges`: an `Edges`.
    - `weight`: a pure number, not negative, or one for each edge.
    - `delay`: ms, one or one for each edge; `max_delay`: ms, the longest that it may become
        (default: a quarter more than the longest given). Read between steps by linear
        interpolation, hence differentiable; it needs `dt=`.
    - `astrocytes`: an `Ensheathed`, made by `ensheathe`, or `None`.
    - `sign`: Dale's law. `"excitatory"` wants a reversal above the target's start, `"inhibitory"`
        one not above it, and both keep weights positive under any optimiser: what is stored, and
        trained, is `strength`, with `weight = log(1 + exp(strength))`.
    - `trigger`: a `synapses.SmoothSpikes`, or `None`.
    - `name`: by default `"pre->post"`.

    **Raises:** `ValueError` for weights, delays or a map of astrocytes of the wrong length, a
    negative weight or delay, a weight of zero under Dale's law, a synapse that cannot be had, or
    one that would hear nothing.
    """

    synapse: AbstractSynapse | Population
    trigger: SmoothSpikes | None
    pre: str = eqx.field(static=True)
    post: str = eqx.field(static=True)
    edges: Edges = eqx.field(static=True)
    astrocytes: Ensheathed | None = eqx.field(static=True)
    sign: Sign | None = eqx.field(static=True)
    name: str = eqx.field(static=True)
    max_delay: float | None = constant(static=True)
    strength: Parameter = parameter(None, "1")
    delay: Any = parameter(None, "ms")

    def __init__(
        self,
        pre: str,
        post: str,
        synapse: AbstractSynapse | Population,
        edges: Edges,
        *,
        weight: Any = 1.0,
        delay: Any = None,
        max_delay: float | None = None,
        astrocytes: Ensheathed | None = None,
        sign: Sign | None = None,
        trigger: SmoothSpikes | None = None,
        name: str | None = None,
    ) -> None:
        self.pre, self.post, self.synapse, self.edges = pre, post, synapse, edges
        self.name = f"{pre}->{post}" if name is None else name
        if not isinstance(edges, Edges):
            raise ValueError(
                f"{self.name}: edges must be networks.Edges, got {type(edges).__name__}: use a "
                "builder such as networks.fixed_fan_in, or Edges(pre, post)."
            )
        if weight is None or not isinstance(max_delay, float | int | None):
            raise ValueError(
                f"{self.name}: weight and max_delay must be numbers, got {weight!r} and "
                f"{max_delay!r}."
            )
        self._require("weight", weight, "a conductance has no sign; inhibition is a reversal")
        self.sign = sign
        self.strength = weight if sign is None else _inverse(self.name, sign, weight)
        self._require("delay", delay, "a spike cannot arrive before it was fired")
        self.delay = delay
        self.max_delay = _longest(self.name, delay, max_delay)
        self.astrocytes, self.trigger = astrocytes, trigger

    def __check_init__(self) -> None:
        unit = self.unit
        if not isinstance(unit, AbstractSynapse):
            raise ValueError(
                f"{self.name}: the synapse must be an AbstractSynapse, or a population of them, "
                f"got {type(unit).__name__}."
            )
        require_fields(self)
        if self.astrocytes is not None and len(self.astrocytes.astrocyte) != len(self.edges):
            raise ValueError(
                f"{self.name}: the map of astrocytes has {len(self.astrocytes.astrocyte)} entries "
                f"for {len(self.edges)} edges: give one for each, -1 for an edge without."
            )
        if isinstance(self.synapse, Population) and self.synapse.size != len(self.edges):
            raise ValueError(
                f"{self.name}: a population of {self.synapse.size} synapses for "
                f"{len(self.edges)} edges: make it with n=len(edges)."
            )
        if unit is self.synapse and any(x.ndim for x in _numbers(unit)):
            raise ValueError(
                f"{self.name}: the synapse's parameters are arrays: make it with "
                "networks.population(make, len(edges), ...), or give the projection a weight for "
                "each edge."
            )
        if self.trigger is not None and unit.jumping() and not self.linear:
            raise ValueError(
                f"{self.name}: {type(unit).__name__} hears spikes, and a trigger makes rates: "
                "leave the trigger out, or use the smooth form of the synapse."
            )
        if self.trigger is None and any(map(_wants_rate, _parts(unit))):
            raise ValueError(
                f"{self.name}: {type(unit).__name__} hears a rate and would hear none: give the "
                "projection, or the synapse, trigger=synapses.SmoothSpikes(...)."
            )

    @property
    def weight(self) -> Array:
        """One number, or `[edges]`: the factor of each edge's conductance."""
        return self.strength if self.sign is None else jax.nn.softplus(self.strength)

    @property
    def unit(self) -> Any:
        """One synapse."""
        return self.synapse.unit if isinstance(self.synapse, Population) else self.synapse

    @property
    def linear(self) -> bool:
        """Whether the synapses onto one cell share one state."""
        return isinstance(self.synapse, AbstractLinearSynapse)

    @property
    def hears_spikes(self) -> bool:
        """Whether it hears spikes, rather than voltages or rates."""
        return self.trigger is None and bool(self.unit.jumping())

    def synapses(self, n_post: int) -> Population:
        """The synapses as a population: of one for each target, or of one for each edge."""
        if isinstance(self.synapse, Population):
            return self.synapse
        terminal = self._on_shared_receptors()
        if terminal is not None:
            return shared(terminal.terminal_alone(), len(self.edges))
        return shared(self.synapse, n_post if self.linear else len(self.edges))

    def receptors(self, n_post: int) -> Population:
        """What conducts: of terminals that share their receptors one of these for each target."""
        terminal = self._on_shared_receptors()
        return self.synapses(n_post) if terminal is None else shared(terminal.receptors(), n_post)

    @property
    def releasing(self) -> bool:
        """Whether terminals onto one cell share one linear receptor."""
        return self._on_shared_receptors() is not None

    def _on_shared_receptors(self) -> AbstractReleasingSynapse | None:
        synapse = self.synapse
        if not isinstance(synapse, AbstractReleasingSynapse):
            return None
        return synapse if isinstance(synapse.receptors(), AbstractLinearSynapse) else None

    def _require(self, name: str, value: Any, why: str) -> None:
        if value is None:
            return
        require_numbers(**{name: value})
        if np.ndim(value) and np.shape(value) != (len(self.edges),):
            raise ValueError(
                f"{self.name}: {name} has shape {np.shape(value)} for {len(self.edges)} edges: "
                "give one number, or one for each edge."
            )
        if is_concrete(value) and np.any(np.asarray(value) < 0):
            raise ValueError(
                f"{self.name}: {name} must not be negative, got {np.min(np.asarray(value))}: {why}."
            )


def _numbers(unit: AbstractSynapse) -> list[Array]:
    return [x for x in jax.tree.leaves(unit) if eqx.is_inexact_array(x)]


def _parts(unit: AbstractSynapse) -> list[Any]:
    return jax.tree.leaves(unit, is_leaf=lambda x: isinstance(x, MeanFieldTsodyksMarkram))


def _wants_rate(part: Any) -> bool:
    return isinstance(part, MeanFieldTsodyksMarkram) and part.trigger is None


def _inverse(name: str, sign: str, weight: Any) -> Array:
    """What is stored for a weight that has to stay positive."""
    if sign not in ("excitatory", "inhibitory"):
        raise ValueError(f'{name}: sign must be "excitatory" or "inhibitory", got {sign!r}.')
    if is_concrete(weight) and np.any(np.asarray(weight) == 0):
        raise ValueError(
            f"{name}: a weight under Dale's law must be positive, got 0: leave the edge out, or "
            "start from a small weight."
        )
    w = jnp.asarray(weight)
    return w + jnp.log(-jnp.expm1(-w))


def _longest(name: str, delay: Any, max_delay: float | None) -> float | None:
    """The longest delay that the line is made for, ms."""
    if delay is None:
        return None
    if not is_concrete(delay):
        if max_delay is None:
            raise ValueError(f"{name}: a traced delay needs max_delay=, the longest it may become.")
        return float(max_delay)
    longest = float(np.max(np.asarray(delay), initial=0.0))
    if max_delay is not None and max_delay < longest:
        raise ValueError(
            f"{name}: a delay of {longest} ms is beyond max_delay = {max_delay} ms: raise it."
        )
    return _ROOM * longest if max_delay is None else float(max_delay)
