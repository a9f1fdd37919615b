"""Makes tests/data/brian2_chapter.npz: figure 6 of Stimberg et al. (2019) in Brian 2, made smaller.

    pip install brian2
    PYTHONPATH=benchmarks/simulators python tests/peers/brian2_chapter.py [FILE]

160 excitatory and 40 inhibitory cells and 160 astrocytes for 0.4 s, from the arrays of
`benchmarks/simulators/chapter_wiring.py`, under 120 pA, with astrocytes that start close to a
release. Steps of 0.1 ms for all: exponential Euler for the cells, RK4 for the astrocytes. `times`
(steps) and `cells` of the spikes, `releases` (steps); at the end `calcium`, `ip3`, `gate`,
`receptors` and `gliotransmitter` of the astrocytes, `bound` and `transmitter` of the excitatory
synapses (uM), and `g` of the cells, `[2, cells]`, excitatory and inhibitory (nS).

`quarter`, `[3 seeds, 3 windows, 3]`: a quarter of the network for 8 s as the authors step it, by
Brian2's generated C++: rates of excitatory and inhibitory cells (Hz) and synchrony, before, during
and after the raised current; `place`, the same for seed 0 with synapses under the astrocyte nearest
to their target.
"""

import sys
from pathlib import Path

import brian2 as b2
import chapter_wiring as chapter
import numpy as np
import run_chapter_brian

REQUEST = {"dt": 0.1, "astrocyte_dt": 0.1, "method": "exponential_euler", "start": (0.3, 1.0)}
SECONDS = 0.4
QUARTER = {"scale": 0.25, "dt": 0.1, "astrocyte_dt": 10.0, "seconds": 8.0, "precision": "float64"}


def quarter(seed: int, covering: str) -> list[list[float]]:
    run = run_chapter_brian.prepare(QUARTER | {"seed": seed, "covering": covering})
    found = run()["activity"]
    windows = ("before", "raised", "after")
    return [[found[name][x] for x in ("exc", "inh", "synchrony")] for name in windows]


def main(file: str) -> None:
    b2.prefs.codegen.target = "numpy"
    b2.defaultclock.dt = REQUEST["dt"] * b2.ms
    w = chapter.wiring(0.05, 0, "script")
    parts, (exc, inh, glia) = run_chapter_brian.network(b2, w, REQUEST | {"levels": [120.0, 120.0]})
    b2.Network(parts).run(SECONDS * b2.second)
    cells, astrocytes, synapses = parts[:3]

    def steps(monitor: b2.SpikeMonitor) -> np.ndarray:
        return np.rint(np.asarray(monitor.t / b2.ms) / REQUEST["dt"]).astype(int)

    times = np.concatenate([steps(exc), steps(inh)])
    fired = np.concatenate([np.asarray(exc.i), np.asarray(inh.i) + w.n_exc])
    order = np.lexsort((fired, times))
    g = np.stack([cells.g_e / b2.nS, cells.g_i / b2.nS])
    small = {
        "calcium": astrocytes.C[:],
        "ip3": astrocytes.I[:],
        "gate": astrocytes.h[:],
        "receptors": astrocytes.Gamma[:],
        "gliotransmitter": astrocytes.G[:],
        "bound": synapses.Gamma_S[:],
        "transmitter": synapses.Y[:],
        "releases": steps(glia),
    }
    np.savez_compressed(
        file,
        version=b2.__version__,
        times=times[order],
        cells=fired[order],
        g=g,
        quarter=[quarter(seed, "script") for seed in range(3)],
        place=quarter(0, "place"),
        **small,
    )


if __name__ == "__main__":
    default = Path(__file__).parent.parent / "data" / "brian2_chapter.npz"
    main(sys.argv[1] if len(sys.argv) > 1 else str(default))
