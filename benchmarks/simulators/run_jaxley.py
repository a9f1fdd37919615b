"""Jaxley with its own Hodgkin-Huxley channels, by its own `integrate`."""

import os

from worker import LEAK_REVERSAL, LENGTH, NANOAMPERE, RADIUS, serve

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# Everything that its channel and its membrane have.
PARAMETERS = ("gNa", "gK", "gLeak", "eNa", "eK", "eLeak")


def compartment():
    import jaxley as jx
    from jaxley.channels import HH

    found = jx.Compartment()
    found.insert(HH())
    for name, value in {
        "HH_eLeak": LEAK_REVERSAL,
        "capacitance": 1.0,
        "radius": RADIUS,
        "length": LENGTH,
        "v": -65.0,
    }.items():
        found.set(name, value)
    found.init_states()
    found.record("v", verbose=False)
    return found


def checkpoints(steps, levels):
    """Lengths of nested scans, as its documentation recommends for long simulations."""
    if not levels:
        return None
    length = 1
    while length**levels < steps + 1:
        length += 1
    return [length] * levels


def voltage(request):
    """`(parameters, currents [cells]) -> voltage [cells, times]`, and where to evaluate it."""
    import jax
    import jax.numpy as jnp
    import jaxley as jx

    cell = compartment()
    for name in PARAMETERS if request["do"] == "gradient" else ():
        cell.make_trainable(f"HH_{name}", verbose=False)
    if request["do"] == "gradient":
        cell.make_trainable("capacitance", verbose=False)
    dt, cells = request["dt"], request.get("cells", 1)
    steps = request.get("steps") or round(request["span"] / dt)
    lengths = checkpoints(steps, request.get("levels", 0))

    def one(parameters, current):
        stimulus = cell.data_stimulate(jnp.full(steps, 1.0) * current, None, verbose=False)
        return jx.integrate(
            cell,
            params=parameters,
            data_stimuli=stimulus,
            delta_t=dt,
            solver=request["solver"],
            checkpoint_lengths=lengths,
        )[0]

    def run(parameters, currents):
        if cells == 1:
            return one(parameters, currents[0])[None]
        return jax.vmap(one, in_axes=(None, 0))(parameters, currents)

    return run, (cell.get_parameters(), jnp.full(cells, NANOAMPERE)), dt


def prepare(request):
    import jax

    jax.config.update("jax_enable_x64", request["precision"] == "float64")
    import jax.numpy as jnp
    import numpy as np

    run, arguments, dt = voltage(request)

    def final(parameters, currents):
        return jnp.mean(run(parameters, currents)[:, -1])

    function = {
        "population": final,
        "gradient": jax.grad(final, argnums=(0, 1)),
        "trace": run,
        "one cell": run,
    }[request["do"]]
    function = jax.jit(function)

    def once():
        found = jax.block_until_ready(function(*arguments))
        if request["do"] != "trace":
            return None
        v = np.asarray(found[0], np.float64)
        return {"trace": (dt * np.arange(len(v)), v)}

    return once


if __name__ == "__main__":
    serve(prepare, ("jaxley", "jax", "jaxlib"))
