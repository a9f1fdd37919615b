"""Exponential steps over drive and decay, swept over the model's blocks."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PyTree

from tripartite.core import Relaxation
from tripartite.core.arguments import require_fields
from tripartite.solvers.flows import AbstractFlow, Exponential, flows_of
from tripartite.solvers.terms import RelaxationTerm
from tripartite.solvers.wrapped import AbstractAfterStep


def _moves(found: Relaxation, block: int | None) -> list[bool]:
    """Which leaves belong to `block` (`None`: to any)."""
    return [k is not None and block in (None, k) for k in found.blocks]


Motion = Callable[..., Array]


def _advance(
    y: PyTree[Array],
    found: Relaxation,
    flows: list[AbstractFlow],
    moves: list[bool],
    dt: Array,
    motion: Motion,
) -> PyTree[Array]:
    """Moves the leaves of one block by `dt`."""
    leaves, structure = jax.tree.flatten(y)
    drives, decays = jax.tree.leaves(found.drive), jax.tree.leaves(found.decay)
    rows = zip(leaves, drives, decays, flows, moves, strict=True)
    moved = [motion(flow, x, a, b, dt) if moving else x for x, a, b, flow, moving in rows]
    return jax.tree.unflatten(structure, moved)


def _motion(share: float, before: float) -> Motion:
    """A whole substep, or a half of a split one: the first if nothing was done before it."""
    if share == 1.0:
        return lambda flow, *x: flow(*x)
    if before == 0.0:
        return lambda flow, *x: flow.first_half(*x)
    return lambda flow, *x: flow.second_half(*x)


def _reached(
    largest: list[Array], found: Relaxation, flows: list[AbstractFlow], moves: list[bool], dt: Array
) -> list[Array]:
    """The largest dt * decay so far of each leaf whose flow has a limit, and 0 of the others."""
    rows = zip(largest, jax.tree.leaves(found.decay), flows, moves, strict=True)
    # One number for each leaf and no array of them: that keeps a small loop small for XLA.
    return [
        jnp.maximum(before, jax.lax.stop_gradient(jnp.max(decay) * dt))
        if moving and flow.limit < float("inf")
        else before
        for before, decay, flow, moving in rows
    ]


class AbstractExponential(diffrax.AbstractSolver):
    """A step made of substeps, each an exact relaxation of one block with the others frozen.

    Coefficients are read at the middle of each substep in time. Where they contain the block's own
    state, a half-step predictor evaluates them in the middle of the substep in state, too, which
    keeps second order; where they do not, the compiler removes it.

    **Arguments:** `midpoint` whether to do so; `flow` how each leaf relaxes: by default
    `solvers.Exponential()` for all, or a tree prefix of the state, such as
    `cells.ConductanceState(v=solvers.CrankNicolson(), gates=solvers.Pade())`.
    """

    term_structure: ClassVar[type] = RelaxationTerm
    interpolation_cls: ClassVar[Callable[..., diffrax.LocalLinearInterpolation]] = (
        diffrax.LocalLinearInterpolation
    )
    midpoint: eqx.AbstractVar[bool]
    flow: eqx.AbstractVar[PyTree[AbstractFlow]]

    def __check_init__(self) -> None:
        require_fields(self)

    @abc.abstractmethod
    def substeps(self, blocks: list[int]) -> list[tuple[int | None, float]]:
        """`(block, share of the step)` in order; a block of `None` moves all of them at once."""

    def init(self, terms: Any, t0: Any, t1: Any, y0: Any, args: Any) -> list[Array] | None:
        """The largest dt * decay of each leaf, if some flow has a limit to it."""
        flows = flows_of(self.flow, y0)
        if all(flow.limit == float("inf") for flow in flows):
            return None
        return [jnp.zeros((), jnp.result_type(t0)) for _ in flows]

    def func(self, terms: Any, t0: Any, y0: Any, args: Any) -> Any:
        """The term's `Relaxation`."""
        return terms.vf(t0, y0, args)

    def step(
        self,
        terms: Any,
        t0: Any,
        t1: Any,
        y0: PyTree[Array],
        args: Any,
        solver_state: list[Array] | None,
        made_jump: Any,
    ) -> tuple[PyTree[Array], None, dict[str, Any], list[Array] | None, diffrax.RESULTS]:
        """One step of `terms.contr(t0, t1)` ms."""
        dt = terms.contr(t0, t1)
        found = eqx.filter_eval_shape(terms.vf, t0, y0, args)
        flows = flows_of(self.flow, y0)
        y, gone = y0, dict.fromkeys((*found.blocks, None), 0.0)
        for block, share in self.substeps(sorted({k for k in found.blocks if k is not None})):
            middle = t0 + dt * (gone[block] + share / 2)
            motion = _motion(share, gone[block])
            gone[block] += share
            now, moves = terms.vf(middle, y, args), _moves(found, block)
            if self.midpoint:
                half = _advance(y, now, flows, moves, dt * (share / 2), _motion(1.0, 0.0))
                now = terms.vf(middle, half, args)
            y = _advance(y, now, flows, moves, dt * share, motion)
            if solver_state is not None:
                solver_state = _reached(solver_state, now, flows, moves, dt)
        return y, None, {"y0": y0, "y1": y}, solver_state, diffrax.RESULTS.successful


def without_idle_midpoint(
    solver: "AbstractExponential", terms: Any, t0: Array, y0: PyTree[Array], args: Any
) -> "AbstractExponential":
    """The solver without its predictor if no block's coefficients contain the block's own state.

    The compiler would remove it, but only after it has been traced.
    """
    if not solver.midpoint:
        return solver
    blocks = eqx.filter_eval_shape(terms.vf, t0, y0, args).blocks
    _, structure = jax.tree.flatten(y0)

    def own_slopes(leaves: list[Array], block: int) -> Any:
        """How the block's coefficients change with its states: nothing where they do not."""

        def coefficients(leaves: list[Array]) -> Any:
            found = terms.vf(t0, jax.tree.unflatten(structure, leaves), args)
            both = zip(jax.tree.leaves(found.drive), jax.tree.leaves(found.decay), strict=True)
            return [pair for pair, k in zip(both, blocks, strict=True) if k == block]

        tangents = [x if k == block else None for x, k in zip(leaves, blocks, strict=True)]
        return eqx.filter_jvp(coefficients, (leaves,), (tangents,))[1]

    for block in set(blocks) - {None}:
        if jax.tree.leaves(eqx.filter_eval_shape(own_slopes, jax.tree.leaves(y0), block)):
            return solver
    return dataclasses.replace(solver, midpoint=False)


class Products(NamedTuple):
    """The largest dt * decay of each leaf in a solve (0: not bounded), and the leaves' flows."""

    largest: Array
    flows: list[AbstractFlow]


def products_reached(solver: Any, solver_state: Any, y0: PyTree[Array]) -> Products | None:
    """What an exponential solver recorded, if a flow of it has a limit; else `None`."""
    while isinstance(solver, AbstractAfterStep):
        solver, solver_state = solver.solver, solver.inner_state(solver_state)
    if not isinstance(solver, AbstractExponential) or solver_state is None:
        return None
    return Products(jnp.stack(solver_state), flows_of(solver.flow, y0))


class SymmetricExponential(AbstractExponential):
    """Half steps of every block but the last, a full step of the last, and the halves back.

    For a conductance cell: v/2, gates, v/2. Second order in every state from any start (Strang
    1968), with all records at the same time. The default of `simulate(..., dt=...)`.
    """

    midpoint: bool = eqx.field(static=True, default=True)
    flow: PyTree[AbstractFlow] = Exponential()

    def order(self, terms: Any) -> int:
        """2."""
        return 2

    def substeps(self, blocks: list[int]) -> list[tuple[int | None, float]]:
        """0/2, 1/2, ..., last, ..., 1/2, 0/2."""
        there = [(block, 0.5) for block in blocks[:-1]]
        return [*there, (blocks[-1], 1.0), *reversed(there)]


class SequentialExponential(AbstractExponential):
    """Full steps, last block first: for a conductance cell the gates, then v with the new gates.

    Half the price of the symmetric sweep in a gradient. First order in general; second order in v
    from a steady start, as it is then the staggered scheme of Hines (1984) with the gates recorded
    half a step late.
    """

    midpoint: bool = eqx.field(static=True, default=True)
    flow: PyTree[AbstractFlow] = Exponential()

    def order(self, terms: Any) -> int:
        """1."""
        return 1

    def substeps(self, blocks: list[int]) -> list[tuple[int | None, float]]:
        """last, ..., 1, 0, each in full."""
        return [(block, 1.0) for block in reversed(blocks)]


class AllAtOnceExponential(AbstractExponential):
    """Every state from the old values of the others (Rush and Larsen 1978). First order.

    What most simulators call exponential Euler; here for comparison: at I = 10 uA/cm2 and
    dt = 0.025 ms its spikes are 1.2 ms off after 100 ms.
    """

    midpoint: bool = eqx.field(static=True, default=False)
    flow: PyTree[AbstractFlow] = Exponential()

    def order(self, terms: Any) -> int:
        """1."""
        return 1

    def substeps(self, blocks: list[int]) -> list[tuple[int | None, float]]:
        """All blocks together."""
        return [(None, 1.0)]
