"""NEURON's own squid axon with its rate tables off, and CoreNEURON where it is built in."""

import time

from worker import LEAK_REVERSAL, LENGTH, NANOAMPERE, RADIUS, TEMPERATURE, serve

AXONS = []


def settle(request):
    """The axons asked for, and how they are to be stepped."""
    from neuron import coreneuron, h

    cells = request.get("cells", 1)
    if len(AXONS) != cells:
        AXONS.clear()
        AXONS.extend(axon(h, number) for number in range(cells))
    core = bool(request.get("core"))
    h.usetable_hh, h.celsius = 0, TEMPERATURE
    adaptive = "tolerance" in request
    h.cvode.active(int(adaptive))
    h.cvode.cache_efficient(int(core))
    if adaptive:
        h.cvode.atol(request["tolerance"])
        h.cvode.rtol(0.0)
    else:
        h.secondorder, h.dt = request["second order"], request["dt"]
    coreneuron.enable, coreneuron.verbose = core, 0
    return h


def axon(h, number):
    """One compartment under a constant current."""
    section = h.Section(name=f"axon_{number}")
    section.L, section.diam, section.cm = LENGTH, 2 * RADIUS, 1.0
    section.insert("hh")
    section.ena, section.ek, section(0.5).hh.el = 50.0, -77.0, LEAK_REVERSAL
    clamp = h.IClamp(section(0.5))
    clamp.delay, clamp.dur, clamp.amp = 0.0, 1e9, NANOAMPERE
    return section, clamp


def solve(h, span):
    """Seconds from the initial state to `span` ms."""
    parallel = h.ParallelContext()
    parallel.set_maxstep(10)
    h.finitialize(-65.0)
    start = time.perf_counter()
    parallel.psolve(span)
    return time.perf_counter() - start


def prepare(request):
    def population():
        h = settle(request)
        steps, dt = request["steps"], request["dt"]
        seconds = solve(h, steps * dt)
        if not request.get("core"):
            return {"seconds": seconds}
        # The copy of the model to CoreNEURON and back is no part of a step.
        setup = solve(h, dt)
        return {"seconds": (seconds - setup) * steps / (steps - 1)}

    def one_cell():
        h = settle(request)
        # Timed, CVode records its own steps; on a grid, where its trace is to be looked at closely.
        every = [request["grid"]] if "grid" in request else []
        voltage = h.Vector().record(AXONS[0][0](0.5)._ref_v, *every)
        times = h.Vector().record(h._ref_t, *every)
        seconds = solve(h, request["span"])
        if request["do"] == "trace":
            return {"trace": (list(times), list(voltage))}
        return {"seconds": seconds}

    from neuron import h

    h.load_file("stdrun.hoc")
    return population if request["do"] == "population" else one_cell


if __name__ == "__main__":
    serve(prepare, ("neuron",))
