"""Makes tests/data/brian2_cobahh.npz: the first 20 ms of the COBAHH benchmark in Brian 2.

    pip install brian2 "numpy<2" && python tests/peers/brian2_cobahh.py [FILE]

`step`, `cell`: of every spike of the 4,000 cells, in order of step and cell; dt 0.1 ms, exponential
Euler, float64. The network is `benchmarks/simulators/cobahh_network.py`, whose `fingerprint` goes
along: what is drawn has to be the same on either side.
"""

import sys
from pathlib import Path

import brian2 as b2
import numpy as np

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "benchmarks" / "simulators"))

import cobahh_network as net  # noqa: E402
import run_brian_cobahh  # noqa: E402

SPAN = 20.0  # ms

if __name__ == "__main__":
    b2.prefs.codegen.target = "numpy"
    network, monitor = run_brian_cobahh.assemble(b2, net.FULL, net.DT, "float64")
    network.run(SPAN * b2.ms)
    step, cell = run_brian_cobahh.raster(b2, monitor, net.DT)
    order = np.lexsort((cell, step))
    default = ROOT / "tests" / "data" / "brian2_cobahh.npz"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    np.savez_compressed(
        path,
        step=step[order].astype(np.int16),
        cell=cell[order].astype(np.int16),
        fingerprint=np.array(net.fingerprint(net.FULL)),
        version=np.array(b2.__version__),
    )
    print(path, len(step), step.max(), net.fingerprint(net.FULL))
