"""The same fit in Jaxley, as its tutorials do it: trainable parameters, transforms, Adam."""

import os
import time

import fit_setting as setting
from worker import LENGTH, RADIUS, serve

os.environ.setdefault("JAX_PLATFORMS", "cpu")
# In Jaxley's units, S/cm2 for conductances, and in the order of the problem's five numbers.
PARAMETERS = ("HH_gNa", "HH_gK", "HH_gLeak", "capacitance", "HH_eLeak")
SCALES = (1e-3, 1e-3, 1e-3, 1.0, 1.0)
AREA = 2.0 * 3.141592653589793 * RADIUS * LENGTH  # um2
NANOAMPERES = AREA * 1e-8 * 1e3  # nA of 1 uA/cm2


def compartment():
    import jaxley as jx
    from jaxley.channels import HH

    found = jx.Compartment()
    found.insert(HH())
    for name, value in {"radius": RADIUS, "length": LENGTH, "v": -65.0}.items():
        found.set(name, value)
    for name, value, scale in zip(PARAMETERS, setting.TRUTH, SCALES, strict=True):
        found.set(name, float(value * scale))
    found.init_states()
    found.record("v", verbose=False)
    for name in PARAMETERS:
        found.make_trainable(name, verbose=False)
    return found


def tracer():
    """From the five numbers to the voltage."""
    import jax.numpy as jnp
    import jaxley as jx

    cell = compartment()
    current = jnp.asarray(setting.current()[:-1] * NANOAMPERES)

    def trace(values):
        stimulus = cell.data_stimulate(current, None, verbose=False)
        rows = zip(PARAMETERS, values, SCALES, strict=True)
        parameters = [{name: jnp.reshape(x * scale, (1,))} for name, x, scale in rows]
        voltage = jx.integrate(cell, params=parameters, data_stimuli=stimulus, delta_t=setting.DT)
        return voltage[0, : setting.noise().size]

    return trace


def adam(loss, begin, rate, iterations):
    """Adam (Kingma and Ba 2015, algorithm 1) with its own defaults; the best seen."""
    import jax
    import jax.numpy as jnp

    def step(carry, k):
        z, first, second, best, least = carry
        value, slope = jax.value_and_grad(loss)(z, begin)
        better = value < least
        best, least = jnp.where(better, z, best), jnp.where(better, value, least)
        first, second = 0.9 * first + 0.1 * slope, 0.999 * second + 0.001 * slope**2
        moved = first / (1.0 - 0.9**k) / (jnp.sqrt(second / (1.0 - 0.999**k)) + 1e-8)
        return (z - rate * moved, first, second, best, least), None

    zero = jnp.zeros(5)
    begun = (zero, zero, zero, zero, jnp.asarray(jnp.inf))
    (_, _, _, best, _), _ = jax.lax.scan(step, begun, jnp.arange(1.0, iterations + 1.0))
    return best


def prepare(request):
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp
    import numpy as np

    trace = tracer()
    data = trace(jnp.asarray(setting.TRUTH)) + setting.noise()

    def values_of(z, begin):
        # Logarithms of what is positive, E_L in steps of 10 mV: the free numbers of our own fit.
        return jnp.concatenate([begin[:4] * jnp.exp(z[:4]), begin[4:] + 10.0 * z[4:]])

    def loss(z, begin):
        return jnp.mean((trace(values_of(z, begin)) - data) ** 2)

    def descend(begin):
        return values_of(adam(loss, begin, request["rate"], request["iterations"]), begin)

    def once():
        wall, cpu = time.perf_counter(), time.process_time()
        begins = jnp.asarray(setting.starts(request["starts"]))
        found = np.asarray(jax.jit(jax.vmap(descend))(begins))
        seconds, used = time.perf_counter() - wall, time.process_time() - cpu
        return {"seconds": seconds, "cpu": used, "errors": setting.errors(found).tolist()}

    return once


if __name__ == "__main__":
    serve(prepare, ("jaxley", "jax", "jaxlib"))
