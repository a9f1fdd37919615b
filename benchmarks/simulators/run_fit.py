"""A squid axon's five parameters fitted to a noisy voltage: nudged, not nudged, and by Adam."""

import time

import fit_setting as setting
from worker import serve


def where(cell):
    sodium, potassium, leak = cell.channels
    return (
        sodium.conductance,
        potassium.conductance,
        leak.conductance,
        cell.capacitance,
        leak.reversal,
    )


def cell_of(values):
    from tripartite import cells

    g_na, g_k, g_l, c, e_l = values
    return cells.HodgkinHuxley(
        g_sodium=g_na, g_potassium=g_k, g_leak=g_l, capacitance=c, e_leak=e_l
    )


def prepare(request):
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    import numpy as np
    import optax

    from tripartite import fit

    clamp = fit.CurrentClamp.sampled(
        setting.current()[None], setting.DT, t1=setting.SPAN, dt=setting.DT, adjoint="by steps"
    )
    data = clamp(cell_of(setting.TRUTH)) + setting.noise()[None]
    kinds = (*[fit.Positive(spread=setting.FACTOR)] * 4, fit.Free(scale=10.0))
    starts = [cell_of(values) for values in setting.starts(request["starts"])]
    packing = fit.pack(cell_of(setting.TRUTH), where, kinds)
    begins = packing.begins(starts, None)

    def residuals(cell, data, rate):
        return (clamp(cell, towards=data, rate=rate) - data) / setting.NOISE

    def by_squares():
        found = fit.least_squares(
            cell_of(setting.TRUTH),
            residuals,
            data,
            where=where,
            constraints=kinds,
            stages=request["stages"],
            iterations=request["iterations"],
            starts=starts,
        )
        return np.stack([np.asarray(x) for x in found.every.values()], axis=1)

    def descend(z):
        optim = optax.adam(request["rate"])

        def loss(z):
            return fit.mean_square(clamp(packing.unpack(z)), data, setting.NOISE)

        def step(carry, _):
            z, state, best, least = carry
            value, slope = jax.value_and_grad(loss)(z)
            better = value < least
            best, least = jnp.where(better, z, best), jnp.where(better, value, least)
            updates, state = optim.update(slope, state)
            return (optax.apply_updates(z, updates), state, best, least), None

        begin = (z, optim.init(z), z, jnp.asarray(jnp.inf))
        (_, _, best, _), _ = jax.lax.scan(step, begin, length=request["iterations"])
        return jnp.stack(list(packing.values(best).values()))

    if request["way"] == "Adam":
        start = time.perf_counter(), time.process_time()
        compiled = jax.jit(jax.vmap(descend)).lower(begins).compile()
        compiling = time.perf_counter() - start[0], time.process_time() - start[1]
    else:
        compiling = 0.0, 0.0

    def once():
        start = time.perf_counter(), time.process_time()
        found = np.asarray(compiled(begins)) if request["way"] == "Adam" else by_squares()
        wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
        off = setting.errors(found)
        return {
            "seconds": wall + compiling[0],
            "cpu": cpu + compiling[1],
            "errors": [float(x) for x in off],
        }

    return once


if __name__ == "__main__":
    serve(prepare, ("tripartite", "jax", "jaxlib", "optax", "optimistix"))
