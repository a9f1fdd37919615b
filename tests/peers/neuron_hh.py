"""Makes tests/data/neuron_hh.npz: NEURON's own squid axon, one compartment, tables off.

    pip install neuron && python tests/peers/neuron_hh.py [FILE]

hh.mod of NEURON at 6.3 degC, fixed steps of 0.001 ms, 10 uA/cm2 from 5 ms on, 60 ms.
"""

import sys
from pathlib import Path

import numpy as np
from neuron import __version__, h

h.load_file("stdrun.hoc")
CURRENT, ONSET, DURATION, DT = 10.0, 5.0, 60.0, 0.001


def trace(second_order: int) -> tuple[np.ndarray, np.ndarray]:
    """The times (ms) and the voltage (mV), every 0.05 ms."""
    section = h.Section(name="axon")
    section.L = section.diam = 100.0
    section.cm = 1.0
    section.insert("hh")
    h.usetable_hh = 0
    h.celsius = 6.3
    area = section(0.5).area()  # um2
    clamp = h.IClamp(section(0.5))
    clamp.delay, clamp.dur = ONSET, DURATION
    clamp.amp = CURRENT * area * 1e-8 * 1e3  # uA/cm2 * cm2 = uA, in nA
    v, t = h.Vector().record(section(0.5)._ref_v), h.Vector().record(h._ref_t)
    h.secondorder = second_order
    h.dt, h.steps_per_ms = DT, 1 / DT
    h.finitialize(-65.0)
    h.continuerun(DURATION)
    every = round(0.05 / DT)
    return np.array(t)[::every], np.array(v)[::every]


if __name__ == "__main__":
    ts, v = trace(2)
    default = Path(__file__).parent.parent / "data" / "neuron_hh.npz"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    np.savez_compressed(path, ts=ts, v=v, version=np.array(__version__))
    print(path, ts.shape, v.max())
