"""Small networks that several test files solve, and how they solve them."""

import equinox as eqx
import jax
import numpy as np

import tripartite as tp
from tripartite import cells, networks, synapses

# Some 300 additions of numbers of 100 mV in another order.
SAME_SUM = 1e-9


@eqx.filter_jit
def solve(network, stimulus, t1=20.0, dt=0.1, record=None):
    return tp.simulate(network, stimulus, t1=t1, dt=dt, record=record).ys


def leaky(n, **per_unit):
    return networks.population(cells.LIF, n, **per_unit)


FAN = networks.fixed_fan_in(12, 12, 4, key=jax.random.key(1))


def recurrent(weight, sign=None, **more):
    cell = leaky(12, rest=np.linspace(-52.0, -45.0, 12))
    p = networks.Projection(
        "e", "e", synapses.Exponential(0.02), FAN, weight=weight, sign=sign, **more
    )
    return networks.Network({"e": cell}, [p])


def clocked(rest, joined, t1, dt, drive):
    """Integrate-and-fire cells on a clock: g for half a step, v for a whole one, g for the other.

    Written from the equations. **Arguments:** `joined`: for each receptor its reversal and time
    constant, and before them a matrix of weights for each delay in steps: `{steps: matrix}`.
    """
    n = len(rest)
    v, wait, g = rest.copy(), np.zeros(n), [np.zeros(n) for _ in joined]
    fired = np.zeros((round(t1 / dt), n), bool)
    for now, step in enumerate(fired):
        for part in ("g", "v", "g"):
            if part == "g":
                g = [x * np.exp(-0.5 * dt / tau) for x, (_, _, tau) in zip(g, joined, strict=True)]
                continue
            # Whether the cell waits is looked at in the middle of the step.
            ready = wait - 0.5 * dt * (wait > 0) <= 0
            conductance = 0.05 + sum(g)
            pull = (
                0.05 * rest
                + drive
                + sum(x * reversal for x, (_, reversal, _) in zip(g, joined, strict=True))
            )
            limit = pull / conductance
            v = np.where(ready, limit + (v - limit) * np.exp(-dt * conductance), v)
            wait = np.where(ready, wait, wait - dt)
        step[:] = v >= -50.0
        wait = np.where(step, 5.0, np.where(wait > 1e-4 * 5.0, wait, 0.0))
        v = np.where(step, -60.0, v)
        for k, (matrices, _, _) in enumerate(joined):
            for lag, matrix in matrices.items():
                if lag <= now:
                    g[k] = g[k] + matrix @ fired[now - lag]
    return fired
