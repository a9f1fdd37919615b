"""COBAHH in Brian2's C++ standalone device: built once, then run again and again."""

import tempfile
from pathlib import Path

import cobahh_network as net
from worker import serve

# Its own guarded quotients; conductances per area, so that 1 mS/cm2 * mV / (uF/cm2) = 1 mV/ms.
EQUATIONS = """
dv/dt = (0.05*(-60 - v) + g_exc*(0 - v) + g_inh*(-80 - v)
  - 100*m**3*h*(v - 50) - 30*n**4*(v + 90))/ms : 1
dm/dt = (am*(1 - m) - bm*m)/ms : 1
dh/dt = (ah*(1 - h) - bh*h)/ms : 1
dn/dt = (an*(1 - n) - bn*n)/ms : 1
dg_exc/dt = -g_exc/(5*ms) : 1
dg_inh/dt = -g_inh/(10*ms) : 1
am = 1.28/exprel((13 - v - 63)/4) : 1
bm = 1.4/exprel((v + 63 - 40)/5) : 1
ah = 0.128*exp((17 - v - 63)/18) : 1
bh = 4/(1 + exp((40 - v - 63)/5)) : 1
an = 0.16/exprel((15 - v - 63)/5) : 1
bn = 0.5*exp((10 - v - 63)/40) : 1
"""
FOLDER = tempfile.TemporaryDirectory()


def assemble(b, cells, dt, precision):
    """The network, all at once by exponential Euler, and its spike monitor.

    Within a step: every state from the old ones, then who is above the threshold, then delivery.
    """
    b.prefs.core.default_float_dtype = getattr(b, precision)
    group = b.NeuronGroup(
        cells,
        EQUATIONS,
        threshold=f"v > {net.THRESHOLD}",
        refractory=net.REFRACTORY * b.ms,
        method="exponential_euler",
        dt=dt * b.ms,
    )
    v, g = net.start(cells)
    group.v = v
    parts = [group]
    for kind, (pre, post) in net.edges(cells).items():
        setattr(group, f"g_{kind}", g[kind])
        synapses = b.Synapses(group, group, on_pre=f"g_{kind}_post += {net.weight(cells, kind)!r}")
        synapses.connect(i=pre, j=post)
        parts.append(synapses)
    monitor = b.SpikeMonitor(group)
    return b.Network(*parts, monitor), monitor


def raster(b, monitor, dt):
    """Steps and cells of all spikes, in order of time."""
    import numpy as np

    # A spike at time t belongs to the step that begins there and ends one dt later.
    return np.round(np.asarray(monitor.t / b.ms) / dt).astype(int), np.asarray(monitor.i)


def prepare(request):
    import brian2 as b

    dt = request["dt"]
    b.device.reinit()
    folder = str(Path(tempfile.mkdtemp(dir=FOLDER.name)))
    b.set_device("cpp_standalone", build_on_run=False, directory=folder)
    b.prefs.devices.cpp_standalone.extra_make_args_unix = ["-j1"]
    network, monitor = assemble(b, request["cells"], dt, request["precision"])
    network.run(request["steps"] * dt * b.ms)
    device = b.device
    device.build(run=False, compile=True, directory=folder)

    def run():
        device.run(directory=folder, with_output=False)
        step, cell = raster(b, monitor, dt)
        return {"seconds": device._last_run_time, "spikes": len(step), "trace": (step, cell)}

    return run


if __name__ == "__main__":
    serve(prepare, ("brian2", "numpy"))
