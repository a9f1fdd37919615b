"""Figure 6 of Stimberg et al. (2019) in Brian2, C++ standalone, with the steps of the authors."""

import tempfile
from pathlib import Path

import chapter_wiring as chapter
import numpy as np
from worker import serve

NEURON = """
dv/dt = (g_l*(E_l - v) + g_e*(E_e - v) + g_i*(E_i - v) + level(t))/C_m : volt (unless refractory)
dg_e/dt = -g_e/(5*ms) : siemens
dg_i/dt = -g_i/(10*ms) : siemens
"""
# Concentrations are in uM.
TERMINAL = """
dY/dt = -40/second*Y : 1 (clock-driven)
du/dt = -3.33/second*u : 1 (event-driven)
dx/dt = 2/second*(1 - x) : 1 (event-driven)
"""
TRIPARTITE = (
    TERMINAL
    + """
dGamma_S/dt = 1.5/second*G*(1 - Gamma_S) - Gamma_S/(120*second) : 1 (clock-driven)
G : 1
astrocyte : integer (constant)
"""
)
RELEASE = """
u += {utilisation}*(1 - u)
r = u*x
x -= r
Y += 2500*r
{target} += {weight}*r
"""
ASTROCYTE = """
dGamma/dt = 0.3/second*Y*(1 - clip(Gamma, 0, 1)) - 0.5/second*(1 + 10*C/(C + 0.5))*clip(Gamma, 0, 1) : 1
dI/dt = (0.5*Gamma + 1.2/(1 + I/1.5)*C**2/(C**2 + 0.01)
         - 4.5*C**4/(C**4 + 0.2401)*I/(I + 1) - 0.05*I + entering)/second : 1
entering : 1
dC/dt = ((6*(m*h)**3 + 0.1)*(2 - 1.18*C) - 0.9*C**2/(C**2 + 0.0025))/second : 1
dh/dt = 0.2/second*(Q - (Q + C)*h) : 1
m = I/(I + 0.13)*C/(C + 0.08) : 1
Q = 1.05*(I + 0.13)/(I + 0.9434) : 1
dready/dt = 0.6/second*(1 - ready) : 1
dG/dt = -60/second*G : 1
Y : 1
"""  # noqa: E501 -- Brian2 takes one line for one equation
FOLDER = tempfile.TemporaryDirectory()


def prepare(request):
    """A function that runs the program and says how long it took, and what came of it."""
    import brian2 as b

    w = chapter.wiring(request["scale"], request["seed"], request["covering"])
    b.device.reinit()
    folder = Path(tempfile.mkdtemp(dir=FOLDER.name))
    b.set_device("cpp_standalone", build_on_run=False, directory=str(folder))
    b.prefs.core.default_float_dtype = getattr(np, request["precision"])
    b.prefs.devices.cpp_standalone.extra_make_args_unix = ["-j1"]
    b.seed(request["seed"])
    b.defaultclock.dt = request["dt"] * b.ms
    parts, monitors = network(b, w, request)
    b.Network(parts).run(request["seconds"] * b.second)
    b.device.build(run=False, compile=True, directory=str(folder))

    def execute():
        b.device.run(directory=str(folder), with_output=False)
        seconds = b.device._last_run_time
        steps = round(request["seconds"] * 1000 / request["dt"])

        def counted(monitor):
            at = np.rint(np.asarray(monitor.t / b.ms) / request["dt"]).astype(int)
            return np.bincount(at, minlength=steps)[:steps]

        found = chapter.summary(w, request["dt"], *map(counted, monitors))
        return {"seconds": seconds, "activity": found}

    return execute


def network(b, w, request):
    """The objects, and the monitors of excitatory cells, inhibitory ones and astrocytes."""
    cells = b.NeuronGroup(
        w.n_exc + w.n_inh, NEURON, threshold="v > V_th", reset="v = E_l", refractory=5 * b.ms,
        method=request.get("method", "euler"),
        namespace={
            "g_l": 9.99 * b.nS, "C_m": 198 * b.pF, "E_e": 0 * b.mV, "E_i": -80 * b.mV,
            "E_l": chapter.REST * b.mV, "V_th": chapter.THRESHOLD * b.mV,
            "level": b.TimedArray(
                request.get("levels", chapter.LEVELS) * b.pA, dt=chapter.PERIOD * b.second
            ),
        },
    )  # fmt: skip
    cells.v = w.v * b.mV
    exc, inh = cells[: w.n_exc], cells[w.n_exc :]
    glia = b.NeuronGroup(
        w.n_astro, ASTROCYTE, threshold="C > 0.5", refractory="C > 0.5", method="rk4",
        reset="G += 130*0.6*ready\nready -= 0.6*ready", dt=request["astrocyte_dt"] * b.ms,
    )  # fmt: skip
    glia.C, glia.I = request.get("start", chapter.START)
    glia.h, glia.ready = 0.9, 1.0
    from_exc = synapses(b, exc, cells, TRIPARTITE, "0.6*(1 - Gamma_S)", "g_e_post", w.w_exc, w.exc)
    from_exc.astrocyte = w.astrocyte
    from_inh = synapses(b, inh, cells, TERMINAL, "0.6", "g_i_post", w.w_inh, w.inh)
    worn = np.nonzero(w.astrocyte >= 0)[0]
    modulated = b.Synapses(glia, from_exc, "G_post = G_pre : 1 (summed)")
    modulated.connect(i=w.astrocyte[worn], j=worn)
    spilled = b.Synapses(from_exc, glia, "Y_post = Y_pre/N_incoming : 1 (summed)")
    spilled.connect(i=worn, j=w.astrocyte[worn])
    joined = b.Synapses(
        glia, glia,
        "entering_post = -0.045*(1 + tanh((abs(I_post - I_pre) - 0.3)/0.05))*sign(I_post - I_pre)"
        " : 1 (summed)",
    )  # fmt: skip
    here, there = w.junctions
    joined.connect(i=np.append(here, there), j=np.append(there, here))
    monitors = tuple(b.SpikeMonitor(part) for part in (exc, inh, glia))
    return [cells, glia, from_exc, from_inh, modulated, spilled, joined, *monitors], monitors


def synapses(b, pre, post, equations, utilisation, target, weight, edges):
    """Terminals of Tsodyks and Markram, at rest."""
    action = RELEASE.format(utilisation=utilisation, target=target, weight="w")
    found = b.Synapses(
        pre, post, equations, on_pre=action, method="exact", namespace={"w": weight * b.nS}
    )
    found.connect(i=edges[0], j=edges[1])
    found.x = 1.0
    return found


if __name__ == "__main__":
    serve(prepare, ("brian2", "numpy"))
