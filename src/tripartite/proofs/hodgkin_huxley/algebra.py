"""Rung 1: the vector fields agree under the map from units to voltage."""

import importlib.util
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array

from tripartite import cells
from tripartite.proofs.certificate import Claim, machine_epsilon

STATES = 4096


def claims() -> Iterator[Claim]:
    """The fields on random states, and the same statement with symbols."""
    eps = machine_epsilon()
    cell = cells.HodgkinHuxley()
    for name, units in (
        ("share form", cells.TVLIF(cell)),
        ("derivative form", cells.DerivativeTVLIF(cell)),
    ):
        yield Claim(
            f"dv/dt of the {name} is the cell's, {STATES:,} random states",
            "algebra",
            64 * eps,
            "some 64 roundings, relative to the sum of the terms' magnitudes",
            lambda units=units: field_gap(cell, units),
            float64_only=False,
        )
    if importlib.util.find_spec("sympy") is not None:
        yield Claim(
            "the difference simplifies to zero, 1 to 5 channels, both forms",
            "algebra",
            0.0,
            "an identity of polynomials: the number of differences that SymPy leaves standing",
            symbolic_differences,
            float64_only=False,
        )


def random_state(units: cells.AbstractTVLIF, key: Any) -> Any:
    """Gates uniform in [0, 1] and every integrator within 100 mV of zero."""
    y = units.init()
    leaves, structure = jax.tree.flatten(y)
    keys = jax.random.split(key, len(leaves))
    drawn = [jax.random.uniform(k, (), leaves[0].dtype) for k in keys]
    gate_count = len(jax.tree.leaves(y.gates))
    split = len(leaves) - gate_count
    return jax.tree.unflatten(structure, [200.0 * x - 100.0 for x in drawn[:split]] + drawn[split:])


def field_gap(cell: cells.ConductanceCell, units: cells.AbstractTVLIF) -> Array:
    """Worst |dv/dt of the units - dv/dt of the cell| over the sum of the terms' magnitudes."""

    def one(key: Any) -> Array:
        y_key, i_key = jax.random.split(key)
        y = random_state(units, y_key)
        t = jnp.zeros_like(cell.v_init)
        current = 60.0 * jax.random.uniform(i_key, (), t.dtype) - 10.0
        v, slope = jax.jvp(units.voltage, (y,), (units.vector_field(t, y, current),))
        whole = cells.ConductanceState(v, y.gates)
        truth = cell.vector_field(t, whole, current)
        conductances = cell.conductances(whole)
        parts = [jnp.abs(x) for x in jax.tree.leaves(y)]
        size = (sum(conductances[1:], conductances[0]) * (sum(parts[1:], parts[0]) + 100.0)) + 60.0
        return jnp.abs(slope - truth.v) / (size / cell.capacitance)

    keys = jax.random.split(jax.random.key(0), STATES)
    return jnp.max(eqx.filter_jit(jax.vmap(one))(keys))


def symbolic_differences() -> float:
    """How many of the ten differences (two forms, 1 to 5 channels) SymPy does not reduce to 0."""
    import sympy

    standing = 0
    for channels in range(1, 6):
        g, e, u = (sympy.symbols(f"{name}1:{channels + 1}", real=True) for name in "gEu")
        current, capacitance, f, last = sympy.symbols("I C f w", real=True)
        total = sum(g)
        pairs = list(zip(g, e, u, strict=True))

        def membrane(v: Any, pairs: Any = pairs, i: Any = current, c: Any = capacitance) -> Any:
            return (i - sum(gk * (v - ek) for gk, ek, _ in pairs)) / c

        shares = sum((-total * uk + gk * ek) / capacitance for gk, ek, uk in pairs)
        shares += (-total * last + current) / capacitance
        synapses = sum(gk * (ek - uk + current / total) / capacitance for gk, ek, uk in pairs)
        summing = (-total * last - total * f + sum(gk * uk for gk, _, uk in pairs)) / capacitance
        standing += sympy.simplify(shares - membrane(sum(u) + last)) != 0
        standing += sympy.simplify(synapses + summing - membrane(f + last)) != 0
    return float(standing)
