"""Conductance cells, such as Hodgkin and Huxley's, as the units of a layer."""

from typing import Any, ClassVar, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.cells import AbstractCell, HodgkinHuxley
from tripartite.core import Parameter, parameter
from tripartite.core.dynamics import has_jump
from tripartite.core.surrogates import FastSigmoid
from tripartite.layers.positive import require_size
from tripartite.layers.spiking import AbstractSpikingLayer, held, require_callable
from tripartite.networks import AbstractCrossing, Crossing
from tripartite.solvers import SequentialExponential, term_for


class HHLayerState(NamedTuple):
    """`cell`, the state of each unit's cell; `memory`, what its crossing remembers."""

    cell: PyTree[Array]
    memory: Array


class HHLayer(AbstractSpikingLayer):
    """Units that obey the equations of `cell`, in `steps` steps of `dt` ms at each tick.

    The input of a tick is held during it: `gain * synapse(x)` uA/cm2. A tick's output is the sum
    over its steps of what `crossing` counts: whole spikes by default, with a surrogate as wide as
    an action potential is high, or `GateCrossing`, smooth and with its exact derivative, which is
    close to zero but at thresholds. All units share the cell's constants, which are trained where
    `learn` is true.

    **Arguments:** `synapse`, any map of one tick's input, or `None`; `cell`, any conductance cell
    (default `cells.HodgkinHuxley()`); `dt` in ms; `steps` a tick; `crossing`, by default
    `networks.Crossing(surrogate=FastSigmoid(width=50.0))`; `gain`, uA/cm2;
    `solver`, a method of fixed steps: by default the exponential step of first order,
    `solvers.SequentialExponential(midpoint=False)`, the cheapest in a gradient; `remat` (default
    true): reverse mode keeps one state for each tick and all of one tick's steps.

    **Raises:** `ValueError` for a cell with noise or a reset, or that is none, a crossing that is
    none, a synapse that is no map, a step that is not positive, or `steps` below 1.
    """

    neuronal: ClassVar[tuple[str, ...]] = ("cell", "gain")

    synapse: Any = None
    cell: AbstractCell = eqx.field(default_factory=HodgkinHuxley)
    dt: Parameter = parameter(0.05, "ms", positive=True, trainable=False)
    steps: int = eqx.field(static=True, default=20)
    crossing: AbstractCrossing = eqx.field(
        default_factory=lambda: Crossing(surrogate=FastSigmoid(width=50.0))
    )
    gain: Parameter = parameter(1.0, "uA/cm2", nonzero=True)
    solver: diffrax.AbstractSolver = eqx.field(
        default_factory=lambda: SequentialExponential(midpoint=False)
    )
    learn: bool = eqx.field(static=True, default=False)
    remat: bool = eqx.field(static=True, default=True)

    def __check_init__(self) -> None:
        require_size("HHLayer", "steps", self.steps, 1)
        require_callable("HHLayer", "synapse", self.synapse)
        if not isinstance(self.cell, AbstractCell):
            raise ValueError(
                f"HHLayer.cell must be a cell, got {self.cell!r}: for example "
                "cells.HodgkinHuxley() or any cells.ConductanceCell."
            )
        if has_jump(self.cell) or self.cell.noisy():
            raise ValueError(
                f"HHLayer.cell must neither reset nor be noisy, got {type(self.cell).__name__}: "
                "its spikes are its own action potentials. For units that reset use LIFLayer."
            )
        if not isinstance(self.crossing, AbstractCrossing):
            raise ValueError(
                f"HHLayer.crossing must be one of GateCrossing, Level, networks.Crossing, got "
                f"{self.crossing!r}."
            )

    def initial_state(self, shape: tuple[int, ...]) -> HHLayerState:
        """Each cell as its `init` says."""
        start = self.cell.init()
        memory = self.crossing.start(self.cell.voltage(start))
        spread = jax.tree.map(lambda x: jnp.broadcast_to(x, (*shape, *x.shape)), (start, memory))
        return HHLayerState(*spread)

    def step(self, current: Array, state: HHLayerState) -> tuple[Array, HHLayerState]:
        """One tick."""
        cell, gain = held((self.cell, self.gain), self.learn)
        dt = jax.lax.stop_gradient(self.dt)
        term = term_for(cell, self.solver)
        begin = jnp.zeros_like(dt)

        def move(y: Any, memory: Array, current: Array) -> tuple[Any, Array, Array]:
            args = (cell, lambda t: current)
            kept = self.solver.init(term, begin, dt, y, args)
            y, *_ = self.solver.step(term, begin, dt, y, args, kept, False)
            v = cell.voltage(y)
            spikes, memory = self.crossing(memory, v, v, dt)
            return y, memory, spikes

        for _ in current.shape:
            move = jax.vmap(move)
        drive = gain * current

        def once(carry: Any, _: None) -> tuple[Any, None]:
            y, memory, total = carry
            y, memory, spikes = move(y, memory, drive)
            return (y, memory, total + spikes), None

        carry = (state.cell, state.memory, jnp.zeros_like(current))
        if self.steps == 1:
            (y, memory, total), _ = once(carry, None)
        else:
            (y, memory, total), _ = jax.lax.scan(once, carry, None, length=self.steps)
        return total, HHLayerState(y, memory)
