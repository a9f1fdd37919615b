"""NEST's Brunel network with astrocytes in tripartite: compiled once, then run."""

import os
import time

from worker import serve

os.environ.setdefault("JAX_PLATFORMS", "cpu")


def prepare(request):
    """A function that draws the background, solves, and says how long both took."""
    import jax

    def inside(function):
        with jax.enable_x64(request["precision"] == "float64"):
            return function()

    run = inside(lambda: ready(request))
    return lambda: inside(run)


def ready(request):
    import brunel_network as builder
    import brunel_setting as s
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    from tripartite import bench

    steps = round(request["span"] / s.DT)
    start = time.perf_counter()
    model = builder.network(jax.random.key(request["seed"]))
    numbers, rest = eqx.partition(model, eqx.is_array)
    built = time.perf_counter() - start

    def solve(numbers, path):
        return builder.solve(eqx.combine(numbers, rest), path, request["span"])

    empty = jnp.zeros((s.N_EXC + s.N_INH, steps), jnp.float32)
    executable, phases = bench.compiled(solve, (numbers, empty))

    def run():
        begin = time.perf_counter()
        path = jnp.asarray(builder.background(request["seed"], steps))
        fired, ip3, calcium = jax.block_until_ready(executable(numbers, path))
        seconds = time.perf_counter() - begin
        rates = [float(x) * 1000.0 / request["span"] for x in fired]
        activity = {
            "exc": rates[0] / s.N_EXC,
            "inh": rates[1] / s.N_INH,
            "ip3": float(ip3),
            "calcium": float(calcium),
        }
        return {"seconds": seconds, "phases": {"build": built} | phases, "activity": activity}

    return run


if __name__ == "__main__":
    serve(prepare, ("tripartite", "jax", "jaxlib", "equinox", "diffrax"))
