"""Networks of tripartite: COBAHH, edges by layout and number, and one synapse more."""

import os
import resource
import time

from worker import serve

os.environ.setdefault("JAX_PLATFORMS", "cpu")

# A cell that costs next to nothing beside its edges, and how it says its rate.
LEAK = {"conductance": 0.05, "reversal": -60.0}


def prepare(request):
    import jax

    with jax.enable_x64(request["precision"] == "float64"):
        run = PREPARE[request["do"]](request)

    def inside():
        with jax.enable_x64(request["precision"] == "float64"):
            return run()

    return inside


def compiled(function, *arguments):
    """A call of the compiled function, and the executable. Modules may be among the arguments."""
    import equinox as eqx
    import jax

    arrays, rest = eqx.partition(arguments, eqx.is_array)
    executable = jax.jit(lambda x: function(*eqx.combine(x, rest))).lower(arrays).compile()
    return lambda: jax.block_until_ready(executable(arrays)), executable


def timed(call):
    start = time.perf_counter()
    found = call()
    return time.perf_counter() - start, found


def cobahh(request):
    """The network of `cobahh_network`, its spikes and where they fall."""
    import cobahh_model

    network = cobahh_model.network(request["cells"])
    y0 = cobahh_model.start(network, request["cells"])
    span = request["steps"] * request["dt"]
    call, _ = compiled(lambda n, y: cobahh_model.solve(n, y, span), network, y0)

    def run():
        seconds, until = timed(call)
        step, cell = cobahh_model.raster(until)
        return {"seconds": seconds, "spikes": len(step), "trace": (step, cell)}

    return run


def edges_of(request):
    """Edges of one layout: so many cells, so many edges to each, or to some many more."""
    import jax
    import numpy as np

    import tripartite as tp

    n, k, key = request["cells"], request["fan"], jax.random.key(0)
    if request["layout"] == "padded":
        return tp.networks.bernoulli(n, n, k / n, key=key)
    found = tp.networks.fixed_fan_in(n, n, k, key=key)
    if request["layout"] != "scatter":
        return found
    # A heavy tail: fan-in falls as one over the rank of the cell.
    share = 1.0 / (1.0 + np.arange(n))
    rng = np.random.default_rng(0)
    return tp.networks.Edges(found.pre, rng.choice(n, len(found), p=share / share.sum()))


def joined(request):
    """A network of one projection, the drive of its cells, and the seconds and edges it took."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    import tripartite as tp

    rng, n = np.random.default_rng(0), request["cells"]
    drive = {"cells": jnp.asarray(rng.uniform(0.4, 0.8, n), jnp.result_type(float))}
    jax.block_until_ready(drive)
    start = time.perf_counter()
    edges = edges_of(request)
    more = {"weight": rng.uniform(0.5, 1.5, len(edges))} if request["weight"] == "each" else {}
    if request["delay"] != "none":
        one = request["delay"] == "one"
        more["delay"] = 1.73 if one else rng.uniform(0.5, 5.0, len(edges))
    if request["signal"] == "rates":
        unit = tp.cells.ConductanceCell((tp.channels.Leak(**LEAK),))
        more["trigger"] = tp.synapses.SmoothSpikes(0.05, threshold=-50.0, slope=2.0)
    else:
        surrogate = tp.core.surrogates.FastSigmoid() if request["gradient"] else None
        unit = tp.cells.LIF(surrogate=surrogate)
    synapse = tp.synapses.Exponential(0.1 / request["fan"])
    projection = tp.networks.Projection("cells", "cells", synapse, edges, **more)
    population = tp.networks.population(unit, n)
    network = tp.networks.Network({"cells": population}, [projection])
    return network, drive, time.perf_counter() - start, len(edges)


def edges(request):
    """Steps of such a network, or their gradient with respect to every number in it."""
    import equinox as eqx
    import jax.numpy as jnp

    import tripartite as tp

    network, drive, building, count = joined(request)
    steps, dt, n = request["steps"], request["dt"], request["cells"]
    # Spread over all phases, so that as many fire at the first step as at any.
    v = jnp.linspace(-60.0, -50.0, n, endpoint=False)

    def final(network, drive, v):
        y0 = eqx.tree_at(lambda y: y.populations["cells"].v, network.at_step(dt).init(), v)
        solution = tp.simulate(
            network,
            drive,
            t1=steps * dt,
            dt=dt,
            y0=y0,
            # Each edge is read once in a step.
            solver=tp.solvers.AllAtOnceExponential(),
            save_every=steps * dt,
            throw=False,
        )
        y = solution.stats["y1"]
        return jnp.mean(y.projections["cells->cells"].synapses.g * y.populations["cells"].v)

    function = eqx.filter_grad(final) if request["gradient"] else final
    call, executable = compiled(function, network, drive, v)
    taken = executable.memory_analysis()
    size = taken.argument_size_in_bytes + taken.temp_size_in_bytes + taken.output_size_in_bytes
    found = {"build": building, "edges": count, "bytes": size}

    def run():
        seconds, _ = timed(call)
        # Kilobytes on Linux.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return found | {"seconds": seconds, "peak": peak}

    return run


def one_synapse(request):
    """Cells with no synapse among them, or with one."""
    import jax.numpy as jnp

    import tripartite as tp

    n, steps, dt = request["cells"], request["steps"], request["dt"]
    population = tp.networks.population(getattr(tp.cells, request["model"])(), n)
    edge = tp.networks.Edges([0], [n - 1])
    projections = [tp.networks.Projection("cells", "cells", tp.synapses.Exponential(), edge)]
    network = tp.networks.Network({"cells": population}, projections if request["synapse"] else [])
    drive = {"cells": jnp.full((n,), request["current"])}

    def final(network, drive):
        solution = tp.simulate(
            network, drive, t1=steps * dt, dt=dt, save_every=steps * dt, throw=False
        )
        return solution.stats["y1"].populations["cells"].v

    call, _ = compiled(final, network, drive)
    return lambda: {"seconds": timed(call)[0]}


PREPARE = {"cobahh": cobahh, "edges": edges, "one synapse": one_synapse}

if __name__ == "__main__":
    serve(prepare, ("tripartite", "jax", "jaxlib", "equinox", "diffrax"))
