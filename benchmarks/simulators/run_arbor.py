"""Arbor: cells of one compartment with the catalogue's hh mechanism, in one vectorised group."""

import time

from worker import LEAK_REVERSAL, LENGTH, NANOAMPERE, RADIUS, TEMPERATURE, serve


def axon(A):
    """A cell of one control volume under a constant current."""
    U = A.units
    tree = A.segment_tree()
    tree.append(A.mnpos, (0, 0, 0, RADIUS), (LENGTH, 0, 0, RADIUS), tag=1)
    decor = A.decor()
    decor.set_property(Vm=-65 * U.mV, cm=0.01 * U.F / U.m2, tempK=(273.15 + TEMPERATURE) * U.Kelvin)
    decor.set_ion("na", rev_pot=50 * U.mV)
    decor.set_ion("k", rev_pot=-77 * U.mV)
    values = {"gnabar": 0.12, "gkbar": 0.036, "gl": 0.0003, "el": LEAK_REVERSAL}
    decor.paint("(all)", A.density("hh", values))
    decor.place("(location 0 0.5)", A.i_clamp(NANOAMPERE * U.nA))
    return A.cable_cell(tree, decor, A.label_dict(), A.cv_policy_single())


def recipe(A, cells):
    class Axons(A.recipe):
        def __init__(self):
            A.recipe.__init__(self)
            self.cell, self.properties = axon(A), A.neuron_cable_properties()

        def num_cells(self):
            return cells

        def cell_kind(self, number):
            return A.cell_kind.cable

        def cell_description(self, number):
            return self.cell

        def global_properties(self, kind):
            return self.properties

        def probes(self, number):
            if number:
                return []
            return [A.cable_probe_membrane_voltage("(location 0 0.5)", "voltage")]

    return Axons()


def prepare(request):
    import arbor as A

    cells, dt = request.get("cells", 1), request["dt"] * A.units.ms
    axons, context = recipe(A, cells), A.context(threads=1)
    hints = {A.cell_kind.cable: A.partition_hint(cpu_group_size=cells)}
    simulation = A.simulation(axons, context, A.partition_load_balance(axons, context, hints))
    steps = request.get("steps") or round(request["span"] / request["dt"])
    handle = None
    if request["do"] != "population":
        handle = simulation.sample((0, "voltage"), A.regular_schedule(dt))

    def run():
        simulation.reset()
        start = time.perf_counter()
        simulation.run((steps + 1) * dt if handle else steps * dt, dt)
        seconds = time.perf_counter() - start
        if request["do"] != "trace":
            return {"seconds": seconds}
        samples = simulation.samples(handle)[0][0]
        return {"trace": (samples[:, 0].tolist(), samples[:, 1].tolist())}

    return run


if __name__ == "__main__":
    serve(prepare, ("arbor",))
