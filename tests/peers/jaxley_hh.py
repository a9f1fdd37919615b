"""Makes tests/data/jaxley_hh.npz: Jaxley's own squid axon, one compartment, Crank-Nicolson.

    pip install jaxley && python tests/peers/jaxley_hh.py [FILE]

Channel HH of Jaxley as it is, 1 uF/cm2, fixed steps of 0.001 ms in float64, started at -65 mV with
its gates at their steady states, 10 uA/cm2 from 5 ms on, 60 ms.
"""

import math
import sys
from pathlib import Path

import jax
import jaxley as jx
import numpy as np
from jaxley.channels import HH

CURRENT, ONSET, DURATION, DT = 10.0, 5.0, 60.0, 0.001


def trace() -> tuple[np.ndarray, np.ndarray]:
    """The times (ms) and the voltage (mV), every 0.05 ms."""
    radius, length = 50.0, 100.0
    cell = jx.Compartment()
    cell.insert(HH())
    for name, value in (("radius", radius), ("length", length), ("capacitance", 1.0), ("v", -65.0)):
        cell.set(name, value)
    cell.init_states(DT)
    area = 2.0 * math.pi * radius * length  # um2
    amplitude = CURRENT * area * 1e-8 * 1e3  # uA/cm2 * cm2 = uA, in nA
    steps = round(DURATION / DT)
    stimulus = np.where(np.arange(steps) >= round(ONSET / DT), amplitude, 0.0)
    cell.stimulate(stimulus)
    cell.record("v")
    v = np.asarray(jx.integrate(cell, delta_t=DT, solver="crank_nicolson"))[0]
    every = round(0.05 / DT)
    return DT * np.arange(steps + 1)[::every], v[::every]


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    ts, v = trace()
    default = Path(__file__).parent.parent / "data" / "jaxley_hh.npz"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    np.savez_compressed(path, ts=ts, v=v, version=np.array(jx.__version__))
    print(path, ts.shape, v.dtype, v.max())
