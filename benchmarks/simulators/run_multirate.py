"""Neurons and as many astrocytes in one network, the astrocytes with a step of their own or not."""

import os

from worker import serve

os.environ.setdefault("JAX_PLATFORMS", "cpu")


def network(request):
    import jax
    import numpy as np

    import tripartite as tp

    nets, syn, ast = tp.networks, tp.synapses, tp.astrocytes
    n, key = request["cells"], jax.random.key(0)
    edges = nets.fixed_fan_in(n, n, request["fan"], key=key)
    worn = nets.ensheathe(edges, "glia", n, key=key)
    cell = ast.GChI(calcium_init=0.4, ip3_init=0.8)
    if request["cell"] == "LIF":
        neurons = nets.population(tp.cells.LIF, n, rest=np.linspace(-52.0, -45.0, n))
        synapse = syn.TripartiteSynapse(syn.TsodyksMarkram(syn.Exponential(1.0)))
        glia = ast.GliotransmitterRelease(cell)
    else:
        neurons = nets.population(tp.cells.HodgkinHuxley, n)
        spikes = syn.SmoothSpikes(0.1, threshold=0.0, slope=8.0)
        terminal = syn.MeanFieldTsodyksMarkram(syn.Exponential(1.0), trigger=spikes)
        synapse = syn.SmoothTripartiteSynapse(terminal, effect=0.1)
        glia = ast.SmoothRelease(cell, width=0.05)
    joined = nets.Projection(
        "cells", "cells", synapse, edges, weight=0.1 / request["fan"], astrocytes=worn
    )
    parts = {"cells": neurons, "glia": nets.population(glia, n)}
    return nets.Network(parts, [joined], astrocyte_step=request["step"])


def prepare(request):
    import equinox as eqx
    import jax
    import numpy as np

    import tripartite as tp
    from tripartite import bench

    with jax.enable_x64(request["precision"] == "float64"):
        model = network(request)
        current = {"cells": 10.0} if request["cell"] == "HodgkinHuxley" else {}

        def solve(arrays):
            solution = tp.simulate(
                eqx.combine(arrays, rest),
                current,
                t1=request["span"],
                dt=request["dt"],
                save_every=request["span"] / 10,
                record={"glia.calcium": None},
            )
            return solution.ys["glia.calcium"]

        arrays, rest = eqx.partition(model, eqx.is_array)
        executable, phases = bench.compiled(solve, (arrays,))
        calcium = np.asarray(executable(arrays)).tolist()

    def run():
        with jax.enable_x64(request["precision"] == "float64"):
            seconds = bench.once(executable, (arrays,))
        return {"seconds": seconds, "calcium": calcium, "phases": phases}

    return run


if __name__ == "__main__":
    serve(prepare, ("tripartite", "jax", "jaxlib", "equinox", "diffrax"))
