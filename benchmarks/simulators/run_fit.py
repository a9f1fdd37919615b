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


def kinds():
    from tripartite import fit

    return (*[fit.Positive(spread=setting.FACTOR)] * 4, fit.Free(scale=10.0))


def squares(request, clamp, data, starts):
    """From every start, one after another: a function to `[starts, 5]`."""
    import numpy as np

    from tripartite import fit

    def residuals(cell, data, rate):
        return (clamp(cell, towards=data, rate=rate) - data) / setting.NOISE

    def fitted():
        found = fit.least_squares(
            cell_of(setting.TRUTH),
            residuals,
            data,
            where=where,
            constraints=kinds(),
            stages=request["stages"],
            iterations=request["iterations"],
            starts=starts,
        )
        return np.stack([np.asarray(x) for x in found.every.values()], axis=1)

    return fitted


def adam(request, clamp, data, starts):
    """From every start at once, in one loop: a function to `[starts, 5]`."""
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax

    from tripartite import fit

    optim = optax.adam(request["rate"])
    packing = fit.pack(cell_of(setting.TRUTH), where, kinds())

    def loss(z):
        return fit.mean_square(clamp(packing.unpack(z)), data, setting.NOISE)

    def step(carry, _):
        z, state, best, least = carry
        value, slope = jax.value_and_grad(loss)(z)
        better = value < least
        best, least = jnp.where(better, z, best), jnp.where(better, value, least)
        updates, state = optim.update(slope, state)
        return (optax.apply_updates(z, updates), state, best, least), None

    def descend(z):
        begin = (z, optim.init(z), z, jnp.asarray(jnp.inf))
        (_, _, best, _), _ = jax.lax.scan(step, begin, length=request["iterations"])
        return jnp.stack(list(packing.values(best).values()))

    return lambda: np.asarray(jax.jit(jax.vmap(descend))(packing.begins(starts, None)))


def prepare(request):
    import jax

    jax.config.update("jax_enable_x64", True)

    from tripartite import fit

    clamp = fit.CurrentClamp.sampled(
        setting.current()[None], setting.DT, t1=setting.SPAN, dt=setting.DT, adjoint="by steps"
    )
    starts = [cell_of(values) for values in setting.starts(request["starts"])]
    data = clamp(cell_of(setting.TRUTH)) + setting.noise()[None]
    way = {"squares": squares, "Adam": adam}[request["way"]](request, clamp, data, starts)

    def once():
        wall, cpu = time.perf_counter(), time.process_time()
        found = way()
        seconds, used = time.perf_counter() - wall, time.process_time() - cpu
        return {"seconds": seconds, "cpu": used, "errors": setting.errors(found).tolist()}

    return once


if __name__ == "__main__":
    serve(prepare, ("tripartite", "jax", "jaxlib", "optax", "optimistix"))
