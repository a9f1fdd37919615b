"""Brian2's C++ standalone device: built once for each size and step, then run again and again."""

import json
import tempfile
from pathlib import Path

from worker import CURRENT, LEAK_REVERSAL, START, serve

EQUATIONS = """
dv/dt = (I - 120*m**3*h*(v - 50) - 36*n**4*(v + 77) - 0.3*(v - EL))/ms : 1
dm/dt = (am*(1 - m) - bm*m)/ms : 1
dh/dt = (ah*(1 - h) - bh*h)/ms : 1
dn/dt = (an*(1 - n) - bn*n)/ms : 1
am = {am} : 1
bm = 4*exp(-(v + 65)/18) : 1
ah = 0.07*exp(-(v + 65)/20) : 1
bh = 1/(1 + exp(-(v + 35)/10)) : 1
an = {an} : 1
bn = 0.125*exp(-(v + 65)/80) : 1
I : 1 (shared)
"""
# Its own guarded function, or the bare quotient, which gcc vectorises and which divides 0 by 0.
RATES = {
    "guarded": {"am": "1/exprel(-(v + 40)/10)", "an": "0.1/exprel(-(v + 55)/10)"},
    "unguarded": {
        "am": "0.1*(v + 40)/(1 - exp(-(v + 40)/10))",
        "an": "0.01*(v + 55)/(1 - exp(-(v + 55)/10))",
    },
}
FOLDER = tempfile.TemporaryDirectory()


BUILT = {}


def prepare(request):
    """A run that is timed and one whose trace is looked at are the same program."""
    recorded = request["do"] != "population"
    rest = {k: v for k, v in request.items() if k not in ("do", "file")}
    key = json.dumps([recorded, rest], sort_keys=True)
    if key not in BUILT:
        BUILT[key] = build(request, recorded)
    execute, trace = BUILT[key]

    def run():
        seconds = execute()
        return {"trace": trace()} if request["do"] == "trace" else {"seconds": seconds}

    return run


def build(request, recorded):
    """A function that runs the program, for the seconds it says, and one that reads its trace."""
    import brian2 as b

    dt, cells = request["dt"] * b.ms, request.get("cells", 1)
    steps = request.get("steps") or round(request["span"] / request["dt"])
    b.device.reinit()
    folder = Path(tempfile.mkdtemp(dir=FOLDER.name))
    b.set_device("cpp_standalone", build_on_run=False, directory=str(folder))
    b.prefs.core.default_float_dtype = getattr(b, request["precision"])
    b.prefs.devices.cpp_standalone.extra_make_args_unix = ["-j1"]
    group = b.NeuronGroup(
        cells,
        EQUATIONS.format(**RATES[request["rates"]]),
        method=request["method"],
        namespace={"EL": LEAK_REVERSAL},
        dt=dt,
    )
    for name, value in {**START, "I": CURRENT}.items():
        setattr(group, name, value)
    network = b.Network(group)
    monitor = None
    if recorded:
        monitor = b.StateMonitor(group, "v", record=[0], dt=dt)
        network.add(monitor)
    network.run((steps + recorded) * dt)
    device = b.device
    device.build(run=False, compile=True, directory=str(folder))

    def execute():
        device.run(directory=str(folder), with_output=False)
        return device._last_run_time

    def trace():
        return (monitor.t / b.ms).tolist(), [float(x) for x in monitor.v[0]]

    return execute, trace


if __name__ == "__main__":
    serve(prepare, ("brian2", "numpy"))
