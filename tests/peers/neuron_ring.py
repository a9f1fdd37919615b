"""Makes tests/data/neuron_ring.npz: a ring of three squid axons with delays, in NEURON.

    pip install neuron && python tests/peers/neuron_ring.py [FILE]

hh.mod of NEURON at 6.3 degC, tables off; each cell excites the next through an ExpSyn, by a NetCon
with a threshold of 0 mV; one pulse into the first cell starts the ring. Variable steps (CVode) with
crossings located to second order, so that neither spikes nor arrivals wait for a grid.

A cell has 1,000 um2, 1e-5 cm2: a density of 1 mS/cm2 is then 0.01 uS, and 1 uA/cm2 is 0.01 nA.
"""

import sys
from pathlib import Path

import numpy as np
from neuron import __version__, h

h.load_file("stdrun.hoc")
DURATION, TOLERANCE = 60.0, 1e-9
DELAYS = (5.0, 6.5, 8.0)  # ms, from cell 0 to 1, 1 to 2, 2 to 0
WEIGHT, DECAY, REVERSAL = 0.6, 2.0, 0.0  # mS/cm2, ms, mV
PULSE, ONSET, WIDTH = 20.0, 2.0, 1.0  # uA/cm2, ms, ms
PER_AREA = 0.01  # uS for 1 mS/cm2, and nA for 1 uA/cm2


def axon(name: str) -> h.Section:
    section = h.Section(name=name)
    section.L, section.diam, section.cm = 100.0, 10.0 / np.pi, 1.0
    section.insert("hh")
    assert abs(section(0.5).area() - 1000.0) < 1e-9
    return section


def ring(tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """The spikes in order: their times (ms) and the cells that fired."""
    cells = [axon(f"axon{i}") for i in range(3)]
    h.usetable_hh = 0
    h.celsius = 6.3
    receptors, wires, times = [], [], []
    for i, delay in enumerate(DELAYS):
        receptor = h.ExpSyn(cells[(i + 1) % 3](0.5))
        receptor.tau, receptor.e = DECAY, REVERSAL
        wire = h.NetCon(cells[i](0.5)._ref_v, receptor, sec=cells[i])
        wire.threshold, wire.delay, wire.weight[0] = 0.0, delay, WEIGHT * PER_AREA
        fired = h.Vector()
        wire.record(fired)
        receptors.append(receptor)
        wires.append(wire)
        times.append(fired)
    clamp = h.IClamp(cells[0](0.5))
    clamp.delay, clamp.dur, clamp.amp = ONSET, WIDTH, PULSE * PER_AREA
    solver = h.CVode()
    solver.active(True)
    solver.rtol(tolerance)
    solver.atol(tolerance)
    solver.condition_order(2)
    h.finitialize(-65.0)
    h.continuerun(DURATION)
    spikes = np.concatenate([np.array(x) for x in times])
    cell = np.repeat(np.arange(3), [len(x) for x in times])
    order = np.argsort(spikes)
    return spikes[order], cell[order]


if __name__ == "__main__":
    times, cell = ring(TOLERANCE)
    default = Path(__file__).parent.parent / "data" / "neuron_ring.npz"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    np.savez_compressed(path, times=times, cell=cell, version=np.array(__version__))
    print(path, times, cell)
