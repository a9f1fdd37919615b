"""Memories with an energy: layers of neurons, and one function that couples what they send out."""

import abc
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from tripartite.core import AbstractRelaxation, Relaxation
from tripartite.core.arguments import checked, require
from tripartite.simulate import simulate

Lagrangian = Callable[[Array], Float[Array, ""]]


class Layer(NamedTuple):
    """One kind of unit of a memory with an energy.

    - `lagrangian`: its gradient is the layer's activation.
    - `tau`: ms.
    - `leak`: the rate of its own decay, in units of 1/tau.
    - `weight`: its share in the energy, 1 or, for symmetric pairs of units, 1/2.
    """

    lagrangian: Lagrangian
    tau: Array
    leak: Array | float = 1.0
    weight: float = 1.0


class AbstractEnergyMemory(AbstractRelaxation):
    """Layers y_k with activations `a_k = grad L_k(y_k)` that run down one energy.

        E = sum_k w_k leak_k [y_k . a_k - L_k(y_k)] + interaction(a)
        tau_k dy_k/dt = -leak_k y_k - (1 / w_k) d interaction / d a_k

    so that `dE/dt = -sum_k w_k tau_k ydot_k . Hess(L_k) ydot_k`, never positive while every L_k
    is convex and the input is constant, whatever the time constants. The derivative of the
    interaction is taken by `jax.grad`: a memory states its energy, and its dynamics follow.

    Krotov and Hopfield 2021 (arXiv 2008.06996), section 2; Krotov 2021 (arXiv 2107.06446) for
    several layers, from memory. The state is a NamedTuple whose first field are the feature
    neurons, which take the input and hold what is recalled.
    """

    @abc.abstractmethod
    def layers(self) -> tuple[Layer, ...]:
        """One `Layer` for each field of the state, in order."""

    @abc.abstractmethod
    def interaction(self, activations: Any, u: Any) -> Float[Array, ""]:
        """The coupling energy of activations (of the state's structure) and input `u`."""

    @abc.abstractmethod
    def start(self, cue: Array) -> Any:
        """The state in which a cue (the activity of the feature neurons) has just been shown."""

    def units(self) -> str:
        return "1"

    def input_units(self) -> str:
        return "1"

    def activations(self, y: Any) -> Any:
        """What each layer sends out, `grad L_k(y_k)`, in the structure of the state."""
        parts = zip(self.layers(), y, strict=True)
        return type(y)(*(jax.grad(layer.lagrangian)(part) for layer, part in parts))

    def relax(self, t: Array, y: Any, u: Any) -> Relaxation:
        layers = self.layers()
        forces = jax.grad(self.interaction)(self.activations(y), u)
        drive = (
            -force / (layer.weight * layer.tau) for layer, force in zip(layers, forces, strict=True)
        )
        decay = (
            jnp.broadcast_to(layer.leak / layer.tau, part.shape)
            for layer, part in zip(layers, y, strict=True)
        )
        return Relaxation(drive=type(y)(*drive), decay=type(y)(*decay))

    def energy(self, y: Any, u: Any = None) -> Float[Array, ""]:
        """E, a pure number; **arguments:** the state `y`, and the input `u` (default: none)."""
        activations = self.activations(y)
        parts = zip(self.layers(), y, activations, strict=True)
        own = [
            layer.weight * layer.leak * (jnp.sum(part * a) - layer.lagrangian(part))
            for layer, part, a in parts
        ]
        return jnp.sum(jnp.stack(own)) + self.interaction(activations, u)

    def dissipation(self, y: Any, u: Any = None) -> Float[Array, ""]:
        """`dE/dt` as the quadratic form above, per ms: not above 0 for convex Lagrangians."""
        slope = self.vector_field(jnp.zeros((), y[0].dtype), y, u)
        terms = []
        for layer, part, dot in zip(self.layers(), y, slope, strict=True):
            turned = jax.jvp(jax.grad(layer.lagrangian), (part,), (dot,))[1]
            terms.append(-layer.weight * layer.tau * jnp.sum(dot * turned))
        return jnp.sum(jnp.stack(terms))

    def residual(self, y: Any, u: Any = None) -> Float[Array, ""]:
        """How far a state is from rest: the largest `|tau dy/dt|` of all units; a pure number."""
        slope = self.vector_field(jnp.zeros((), y[0].dtype), y, u)
        pairs = zip(self.layers(), slope, strict=True)
        return jnp.max(jnp.stack([jnp.max(jnp.abs(layer.tau * dot)) for layer, dot in pairs]))


class Recall(NamedTuple):
    """What `retrieve` returns.

    - `output`: what the feature neurons send out at the end.
    - `state`: the whole state there.
    - `residual`: how far it still is from rest, `AbstractEnergyMemory.residual`.
    """

    output: Array
    state: Any
    residual: Float[Array, ""]


@checked
def retrieve(
    memory: AbstractEnergyMemory,
    cue: Array,
    *,
    stimulus: Any = None,
    t1: float = 60.0,
    y0: Any = None,
    **solve: Any,
) -> Recall:
    """Shows a cue and lets the memory run to `t1`.

    For several cues use `jax.vmap` over `cue`.

    **Arguments:**

    - `memory`: any memory with an energy.
    - `cue`: the activity from which the feature neurons start, of their shape.
    - `stimulus`: input to the feature neurons meanwhile, as for `tripartite.simulate`.
    - `t1`: ms. `y0`: where to start from, by default `memory.start(cue)`.
    - the rest goes to `tripartite.simulate` (`dt`, `solver`, `rtol`, `atol`, `adjoint`, ...).

    **Raises:** `ValueError` for a cue of another shape than the feature neurons'.
    """
    require("memory", memory, AbstractEnergyMemory)
    expected = jax.eval_shape(memory.init)[0]
    if jnp.shape(cue) != expected.shape:
        raise ValueError(
            f"the cue must have one value for each feature neuron, shape {expected.shape}, got "
            f"{jnp.shape(cue)}: for several cues, use jax.vmap over the leading axis."
        )
    options = {"record": lambda y: y[0], "save_every": t1} | solve
    y0 = memory.start(cue) if y0 is None else y0
    solution: Any = simulate(memory, stimulus, t1=t1, y0=y0, **options)
    y = solution.stats["y1"]
    u = None if stimulus is None else _at_the_end(stimulus, t1, y[0].dtype)
    return Recall(memory.activations(y)[0], y, memory.residual(y, u))


def _at_the_end(stimulus: Any, t1: float, dtype: Any) -> Any:
    if callable(stimulus):
        return stimulus(jnp.asarray(t1, dtype))
    return jnp.asarray(stimulus, dtype)
