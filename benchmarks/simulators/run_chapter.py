"""Figure 6 of Stimberg et al. (2019) in tripartite: compiled once, then run."""

import os
import time

import chapter_wiring as chapter
from worker import serve

os.environ.setdefault("JAX_PLATFORMS", "cpu")


def prepare(request):
    """A function that runs the compiled solve and says how long it took, and what came of it."""
    import jax

    def inside(function):
        with jax.enable_x64(request["precision"] == "float64"):
            return function()

    executable, arguments, w, phases = inside(lambda: compiled(request))

    def run():
        start = time.perf_counter()
        solution = jax.block_until_ready(executable(*arguments))
        seconds = time.perf_counter() - start
        found = chapter.summary(w, request["dt"], *counts(solution))
        return {"seconds": seconds, "activity": found, "phases": phases}

    return lambda: inside(run)


def compiled(request):
    """The executable and its arguments, the wiring, and the seconds of each phase."""
    import chapter_network as builder
    import equinox as eqx

    from tripartite import bench

    w = chapter.wiring(request["scale"], request["seed"], request["covering"])
    start = time.perf_counter()
    numbers, rest = eqx.partition(builder.network(w), eqx.is_array)
    built = time.perf_counter() - start

    def run(numbers):
        model = eqx.combine(numbers, rest)
        record = builder.record(w)
        return builder.solve(model, w, request["seconds"], request["dt"], record=record).ys

    executable, phases = bench.compiled(run, (numbers,))
    return executable, (numbers,), w, {"build": built} | phases


def counts(record):
    """Spikes and releases of each step."""
    import chapter_network as builder

    return builder.counted(record)


if __name__ == "__main__":
    serve(prepare, ("tripartite", "jax", "jaxlib", "equinox", "diffrax"))
