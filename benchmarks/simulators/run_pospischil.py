"""NEURON with this folder's own mechanisms of Pospischil et al. (2008), compiled where it runs."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from worker import LENGTH, RADIUS, serve

MECHANISMS = Path(__file__).parent.parent / "neuron_mod"
FOLDER = tempfile.TemporaryDirectory()
CELLS = []


def load(h):
    """Compiles the mechanisms with the compiler of mechanisms that came with this NEURON."""
    beside = Path(sys.executable).parent / "nrnivmodl"
    compiler = str(beside) if beside.exists() else shutil.which("nrnivmodl")
    if compiler is None:
        raise ImportError("nrnivmodl is not installed")
    # It calls python: let it be this one.
    path = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    subprocess.run(
        [compiler, str(MECHANISMS)],
        cwd=FOLDER.name,
        env=os.environ | path,
        check=True,
        capture_output=True,
    )
    libraries = sorted(Path(FOLDER.name).glob("*/**/libnrnmech.*"))
    libraries = [p for p in libraries if p.suffix in (".so", ".dylib")]
    if not h.nrn_load_dll(str(libraries[0])):
        raise RuntimeError(f"NEURON does not load {libraries[0].name}")


def cell(h, request):
    """One compartment; conductances of the request are in mS/cm2, NEURON's in S/cm2."""
    section, values = h.Section(name="cell"), request["parameters"]
    section.L, section.diam, section.cm = LENGTH, 2 * RADIUS, values["capacitance"]
    for mechanism in ("ptna", "ptk", "ptm", "pas"):
        section.insert(mechanism)
    section.ena, section.ek = values["e_sodium"], values["e_potassium"]
    here = section(0.5)
    here.ptna.gbar, here.ptk.gbar = 1e-3 * values["g_sodium"], 1e-3 * values["g_potassium"]
    here.ptna.VT = here.ptk.VT = values["threshold"]
    here.ptm.gbar, here.ptm.taumax = 1e-3 * values["g_m"], values["slowest"]
    here.pas.g, here.pas.e = 1e-3 * values["g_leak"], values["e_leak"]
    clamp = h.IClamp(here)
    clamp.delay, clamp.dur = 0.0, 1e9
    # uA/cm2 * um2 * 1e-8 cm2/um2 = uA; in nA:
    clamp.amp = request["current"] * here.area() * 1e-8 * 1e3
    return section, clamp


def prepare(request):
    from neuron import h

    h.load_file("stdrun.hoc")
    if not CELLS:
        load(h)
    CELLS[:] = [cell(h, request)]

    def run():
        CELLS[:] = [cell(h, request)]
        h.secondorder, h.dt = request["second order"], request["dt"]
        voltage = h.Vector().record(CELLS[0][0](0.5)._ref_v)
        times = h.Vector().record(h._ref_t)
        parallel = h.ParallelContext()
        parallel.set_maxstep(10)
        h.finitialize(request["parameters"]["v_init"])
        start = time.perf_counter()
        parallel.psolve(request["span"])
        seconds = time.perf_counter() - start
        if request["do"] == "trace":
            return {"trace": (list(times), list(voltage))}
        return {"seconds": seconds}

    return run


if __name__ == "__main__":
    serve(prepare, ("neuron",))
