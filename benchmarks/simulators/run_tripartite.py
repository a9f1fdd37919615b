"""tripartite itself, by the functions of `tripartite.bench`."""

import json
import os

from worker import serve

os.environ.setdefault("JAX_PLATFORMS", "cpu")


def prepare(request):
    import jax

    with jax.enable_x64(request["precision"] == "float64"):
        run = PREPARE[request["do"]](request)

    def inside():
        with jax.enable_x64(request["precision"] == "float64"):
            return run()

    return inside


def population(request):
    from tripartite import bench

    function, arguments = bench.population(
        request["cells"],
        request["steps"],
        request["dt"],
        bench.solver(request["scheme"], request["flow"]),
        gradient=request["do"] == "gradient",
    )
    executable, phases = bench.compiled(function, arguments)
    found = {"phases": phases, "small loops": bench.small_loops(executable)}
    return lambda: found | {"seconds": bench.once(executable, arguments)}


COMPILED = {}


def compiled_cell(request):
    """A run that is timed and one whose trace is looked at are the same program."""
    import tripartite as tp
    from tripartite import bench

    key = json.dumps({k: v for k, v in request.items() if k not in ("do", "file")}, sort_keys=True)
    if key not in COMPILED:
        model = getattr(tp.cells, request.get("model", "HodgkinHuxley"))()
        more = {k: request[k] for k in ("span", "current") if k in request}
        function, arguments = bench.one_cell(request, model, **more)
        COMPILED[key] = bench.compiled(function, arguments)[0], arguments
    return COMPILED[key]


def one_cell(request):
    import numpy as np

    from tripartite import bench

    executable, arguments = compiled_cell(request)

    def trace():
        return {"trace": tuple(np.asarray(x, np.float64) for x in executable(*arguments))}

    def time():
        return {"seconds": bench.once(executable, arguments)}

    return trace if request["do"] == "trace" else time


def memory(request):
    """Nothing is run: XLA's own account of what the compiled gradient needs."""
    import tripartite as tp
    from tripartite import bench

    adjoint = tp.solvers.FixedSteps(request["steps"], request["dt"], request["gradient"])
    function, arguments = bench.population(
        request["cells"],
        request["steps"],
        request["dt"],
        bench.solver(request["scheme"], request["flow"]),
        gradient=True,
        adjoint=adjoint,
    )
    executable, _ = bench.compiled(function, arguments)
    return lambda: {"bytes": bench.temporaries(executable)}


PREPARE = {
    "population": population,
    "gradient": population,
    "trace": one_cell,
    "one cell": one_cell,
    "memory": memory,
}

if __name__ == "__main__":
    serve(prepare, ("tripartite", "jax", "jaxlib", "equinox", "diffrax"))
