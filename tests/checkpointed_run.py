"""The long runs that the tests of checkpoints kill: `main(path, kind)`, in a process of its own."""

import equinox as eqx
import jax
import jax.numpy as jnp

import tripartite as tp
from network_models import recurrent
from tripartite import cells

EVERY = 0.5


def noisy():
    """A squid axon in white noise: the state of its noise is the number of the step."""
    cell = cells.with_current_noise(cells.HodgkinHuxley(), 0.5)
    wave = tp.stimuli.PulseTrain(amplitude=9.0, width=6.0, period=17.0, count=40)
    return cell, wave, {"key": jax.random.key(11), "dt": 0.05, "record": {"v": lambda y: y.v}}


def delayed():
    """A recurrent network with refractory clocks and spikes under way."""
    network = recurrent(0.3, delay=1.5)
    return network, {"e": jnp.linspace(0.5, 1.5, 12)}, {"dt": 0.1, "record": {"e.v": None}}


KINDS = {"noisy": noisy, "delayed": delayed}


def solve(kind, t1, **more):
    model, stimulus, how = KINDS[kind]()
    return tp.simulate(model, stimulus, t1=t1, **how, **more)


def main(path, kind, t1):
    jax.config.update("jax_enable_x64", True)
    solve(kind, float(t1), checkpoint=path, every=EVERY)


def bits(solution):
    """Every array of a solution, as bytes, with its place."""
    leaves = jax.tree_util.tree_leaves_with_path(eqx.filter(solution, eqx.is_array_like))
    return {
        jax.tree_util.keystr(where): (str(jnp.asarray(x).dtype), jnp.asarray(x).tobytes())
        for where, x in leaves
    }
