"""Makes tests/data/nest_astrocyte.npz: NEST's own astrocyte_lr_1994, two runs.

    pip install nest-simulator && python tests/peers/nest_astrocyte.py [FILE]

`short`: NEST's own test, from (IP3, Ca, h) = (1, 1, 1), one spike of weight 1 that arrives at
10.1 ms, delta_IP3 = 5 uM, 100 ms, every step of 0.1 ms. `pulse`: from its defaults with IP3 raised
by 1 uM at the start, 10 s, every 10 ms, with the slow inward current that a neuron receives.
"""

import sys
from pathlib import Path

import nest
import numpy as np

STATES = ("IP3", "Ca_astro", "h_IP3R")


def run(duration: float, interval: float, spike: float | None, **parameters: float) -> np.ndarray:
    """Rows of time (ms), IP3, Ca, h, and the current a neuron receives (pA)."""
    nest.ResetKernel()
    nest.resolution = 0.1
    cell = nest.Create("astrocyte_lr_1994", params=parameters)
    meter = nest.Create("multimeter", params={"record_from": list(STATES), "interval": interval})
    nest.Connect(meter, cell)
    neuron = nest.Create("aeif_cond_alpha_astro")
    listener = nest.Create("multimeter", params={"record_from": ["I_SIC"], "interval": interval})
    nest.Connect(listener, neuron)
    nest.Connect(cell, neuron, syn_spec={"synapse_model": "sic_connection", "delay": 0.1})
    if spike is not None:
        source = nest.Create("spike_generator", params={"spike_times": [spike]})
        nest.Connect(source, cell, syn_spec={"weight": 1.0, "delay": 0.1})
    nest.Simulate(duration + 1.0)
    events, current = meter.events, listener.events["I_SIC"]
    return np.stack([events["times"], *(events[name] for name in STATES), current])


if __name__ == "__main__":
    nest.verbosity = nest.VerbosityLevel.ERROR
    short = run(100.0, 0.1, 10.0, IP3=1.0, Ca_astro=1.0, h_IP3R=1.0, delta_IP3=5.0)
    pulse = run(10_000.0, 10.0, None, IP3=1.16)
    default = Path(__file__).parent.parent / "data" / "nest_astrocyte.npz"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    np.savez_compressed(path, short=short, pulse=pulse, version=np.array(nest.__version__))
    print(path, short.shape, pulse.shape, pulse[2].max(), pulse[4].max())
