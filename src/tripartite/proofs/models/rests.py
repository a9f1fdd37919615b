"""Where models rest, and where rest loses its stability: one Newton step from the known point."""

from collections.abc import Callable, Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from tripartite import analysis, astrocytes, cells
from tripartite.core import AbstractDynamics
from tripartite.proofs.certificate import Claim, machine_epsilon
from tripartite.proofs.models import numbers

# Digits kept of SciPy's roots, which SciPy finds to some 1e-12.
DIGITS = 2e-11
# Rounding of a balance of fluxes, through the inverse of the Jacobian: at most this many eps of a
# state of size 1. The slowest mode of each model decides: calcium fluxes of 1 uM/s balance to a
# few eps, and a mode of 0.02 /s (Handy's total calcium, IP3) makes 50 times as much of them.
ROUNDING = 500.0


@eqx.filter_jit
def distance(model: AbstractDynamics, y: Any, u: Any) -> Array:
    """One Newton step towards the equilibrium near `y`: its largest entry."""
    slope = ravel_pytree(model.vector_field(jnp.zeros(()), y, u))[0]
    return jnp.max(jnp.abs(jnp.linalg.solve(analysis.jacobian(model, y, u), slope)))


def squid() -> tuple[Any, Any, Any]:
    """The Hodgkin-Huxley cell, its published rest, and no current."""
    v, m, h, n = map(jnp.asarray, numbers.SQUID_REST)
    cell = cells.HodgkinHuxley()
    start = cell.init()
    gates = dict(start.gates) | {"sodium": {"m": m, "h": h}, "potassium": {"n": n}}
    return cell, start._replace(v=v, gates=gates), jnp.zeros(())


def _astrocyte(make: Callable[[], Any], values: tuple[float, ...], u: float) -> Callable[[], Any]:
    def ready() -> tuple[Any, Any, Any]:
        cell = make()
        return cell, type(cell.init())(*map(jnp.asarray, values)), jnp.asarray(u)

    return ready


RESTS: dict[str, Callable[[], tuple[Any, Any, Any]]] = {
    "Hodgkin-Huxley": squid,
    "Li-Rinzel at 0.16 uM of IP3": _astrocyte(astrocytes.LiRinzel, numbers.LI_RINZEL, 0.16),
    "ChI, AM, under 5 uM of glutamate": _astrocyte(astrocytes.DePittaAM, numbers.CHI, 5.0),
    "Lallouette": _astrocyte(astrocytes.Lallouette, numbers.LALLOUETTE, 0.0),
    "Handy": _astrocyte(astrocytes.Handy, numbers.HANDY, 0.0),
    "Ullah": _astrocyte(astrocytes.Ullah, numbers.ULLAH, 0.0),
    "G-ChI without a source of IP3": _astrocyte(astrocytes.GChI, numbers.STIMBERG, 0.0),
}


def hopf() -> Array:
    """How far the two Hopf points lie from SciPy's: one Newton step in (IP3, calcium, h).

    A pair of eigenvalues of a planar system crosses the imaginary axis where the trace of the
    Jacobian vanishes and its determinant is positive; a negative determinant counts as infinity.
    """
    cell = astrocytes.LiRinzel()

    def conditions(point: Array) -> Array:
        ip3, y = point[0], astrocytes.LiRinzelState(point[1], point[2])
        slope = cell.vector_field(jnp.zeros(()), y, ip3)
        return jnp.stack([*slope, jnp.trace(analysis.jacobian(cell, y, ip3))])

    def step(point: Array) -> Array:
        y = astrocytes.LiRinzelState(point[1], point[2])
        off = jnp.linalg.solve(jax.jacfwd(conditions)(point), conditions(point))
        turns = jnp.linalg.det(analysis.jacobian(cell, y, point[0])) > 0
        return jnp.where(turns, jnp.max(jnp.abs(off)), jnp.inf)

    return jnp.max(jax.jit(jax.vmap(step))(jnp.asarray(numbers.HOPF)))


def claims() -> Iterator[Claim]:
    """The rests of seven models, and the two Hopf points of one."""
    why = (
        "the digits kept of SciPy's root (2e-11), and 500 roundings: the balance of fluxes is "
        "rounded, and the slowest mode makes up to fifty times as much of it"
    )
    for name, ready in RESTS.items():
        size = 40.0 if name in ("Handy", "Hodgkin-Huxley") else 1.0
        yield Claim(
            f"{name}: distance from its known rest, in the units of its states",
            "algebra",
            size * (DIGITS + ROUNDING * machine_epsilon()),
            why + (", in states of up to 40 (uM) and 65 (mV)" if size > 1 else ""),
            lambda ready=ready: distance(*ready()),
            float64_only=False,
        )
    yield Claim(
        "Li-Rinzel: distance from both Hopf points, uM",
        "algebra",
        DIGITS + ROUNDING * machine_epsilon(),
        "the digits kept of SciPy's roots, and 500 roundings of rates that change by 1 /s and more "
        "in 1 uM",
        hopf,
        float64_only=False,
    )
