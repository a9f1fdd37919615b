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
