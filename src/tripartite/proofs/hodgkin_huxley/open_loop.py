"""Integrators driven by the conductances of a cell that runs beside them."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite import cells, solvers
from tripartite.core import AbstractRelaxation, Parameter, Relaxation, parameter
from tripartite.proofs.hodgkin_huxley.setting import under_drives


class TeacherState(NamedTuple):
    """The cell's state, and the units' (mV): one per channel, then the stimulus's."""

    cell: cells.ConductanceState
    units: tuple[Array, ...]


class TeacherForced(AbstractRelaxation):
    """The four units of Hodgkin-Huxley with the conductances of a cell, each `mismatch` too large.

    As in the released code, where every unit reads conductances computed by a parallel cell.
    """

    mismatch: Parameter = parameter(0.0, "1")

    def init(self) -> TeacherState:
        """The cell's own start; the stimulus's unit at the cell's voltage."""
        y = self._cell().init()
        zero = jnp.zeros_like(y.v)
        return TeacherState(y, (zero, zero, zero, y.v))

    def blocks(self) -> Any:
        """The potentials, then the gates."""
        return TeacherState(self._cell().blocks(), 0)  # pyright: ignore[reportArgumentType]

    def ports(self, y: TeacherState) -> dict[str, Any]:
        """`v` of the cell and of the units (mV), and the conductances (mS/cm2)."""
        total = sum(y.units[1:], y.units[0])
        conductances = jnp.stack(self._cell().conductances(y.cell))
        return {"v": jnp.stack([y.cell.v, total]), "g": conductances}

    def relax(self, t: Array, y: TeacherState, u: Any) -> Relaxation:
        """The cell's relaxation beside the units'."""
        cell = self._cell()
        own = cell.relax(t, y.cell, u)
        wrong = [g * (1.0 + self.mismatch) for g in cell.conductances(y.cell)]
        pulls = [g * e for g, e in zip(wrong, cell.reversals(y.cell), strict=True)]
        leak = sum(wrong[1:], wrong[0])
        return Relaxation(
            TeacherState(own.drive, (*pulls, u + jnp.zeros_like(leak))),
            TeacherState(own.decay, (leak,) * 4),
        )

    def _cell(self) -> cells.ConductanceCell:
        # Capacitance 1 uF/cm2, so that it does not appear in the units' lines.
        return cells.HodgkinHuxley()


def open_loop_ratio(mismatch: float) -> float:
    """Worst |e(t)| over sup of |sum of dg (v - E)| / g_L up to t; e(0) is zero."""
    record = under_drives(TeacherForced(mismatch), dt=0.01, solver=solvers.ClassicalRK4())
    v, g = np.asarray(record["v"]), np.asarray(record["g"])
    cell = cells.HodgkinHuxley()
    reversals = np.array([float(e) for e in cell.reversals(cell.init())])
    push = np.abs(np.sum(mismatch * g * (v[..., :1] - reversals), axis=-1))
    smallest_leak = 0.3 * (1.0 + mismatch)
    bound = np.maximum.accumulate(push, axis=1) / smallest_leak
    error = np.abs(v[..., 1] - v[..., 0])
    # The record is on the grid of steps; one step lets the running maximum include its end.
    return float(np.max(error[:, 1:] / bound[:, 1:]))
