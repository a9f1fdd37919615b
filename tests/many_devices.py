"""Run as a script, by `test_scale.py`: the same solves on one device and on eight, and their HLO.

`many_devices.py` alone; or `many_devices.py ADDRESS NUMBER`, as process NUMBER of two with four
devices each. Prints what it found as JSON.
"""

import json
import os
import re
import sys

HERE = 4 if len(sys.argv) > 1 else 8
os.environ["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={HERE}"
os.environ["JAX_PLATFORMS"] = "cpu"

import equinox as eqx  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402

import tripartite as tp  # noqa: E402

CELLS, FAN_IN = 64, 8
COLLECTIVES = "all-gather|all-reduce|all-to-all|collective-permute|reduce-scatter"
nets = tp.networks


def unconnected():
    return nets.Network({"cells": nets.population(tp.cells.HodgkinHuxley, CELLS)})


def fan_in():
    return nets.fixed_fan_in(CELLS, CELLS, FAN_IN, key=jax.random.key(0))


def spiking():
    rest = jnp.linspace(-52.0, -45.0, CELLS)
    receptor = tp.synapses.Exponential(0.02)
    return nets.Network(
        {"cells": nets.population(tp.cells.LIF, CELLS, rest=rest)},
        [nets.Projection("cells", "cells", receptor, fan_in())],
    )


def smooth():
    trigger = tp.synapses.SmoothSpikes(0.5, threshold=-20.0, slope=8.0)
    receptor = tp.synapses.Exponential(0.002)
    return nets.Network(
        {"cells": nets.population(tp.cells.HodgkinHuxley, CELLS)},
        [nets.Projection("cells", "cells", receptor, fan_in(), trigger=trigger)],
    )


@eqx.filter_jit
def voltages(network, drive, y0):
    solution = tp.simulate(network, {"cells": drive}, y0=y0, t1=10.0, dt=0.05, save_every=1.0)
    return solution.ys["cells.v"]


@eqx.filter_jit
def batch(cell, drives):
    """A batch of separate solves, with the gradient of each."""

    def last(drive):
        return tp.simulate(cell, drive, t1=10.0, dt=0.05, save_every=1.0).ys["v"][-1]

    return jax.vmap(jax.value_and_grad(last))(drives)


def collectives(compiled):
    """The number of collectives inside loops, and outside of them, in a compiled program."""
    text = compiled.compiled.as_text()
    bodies = set(re.findall(r"body=%?([\w.\-]+)", text))
    counts, inside = {"in loops": 0, "outside": 0}, False
    for line in text.splitlines():
        head = re.match(r"(?:ENTRY )?%?([\w.\-]+) .*\{$", line)
        if head and not line.startswith(" "):
            inside = head[1] in bodies
        counts["in loops" if inside else "outside"] += bool(
            re.search(rf"= \S+ (?:{COLLECTIVES})(?:-start)?\(", line)
        )
    return counts


def compared(function, args, mesh):
    """One device's result, eight devices', and the second program's collectives."""
    alone = jax.tree.map(np.asarray, function(*args))
    divided = tp.scale.shard(args, mesh)
    compiled = function.lower(*divided).compile()
    out = compiled(*divided)
    pairs = list(zip(*map(jax.tree.leaves, (alone, out)), strict=True))
    gap = max(float(np.max(np.abs(a - whole(b)))) for a, b in pairs)
    size = max(float(np.max(np.abs(a))) for a, _ in pairs)
    return {"gap": gap, "size": size, **collectives(compiled)}


def whole(x):
    """All of an array whose parts may lie in several processes."""
    if x.is_fully_addressable:
        return np.asarray(x)
    from jax.experimental.multihost_utils import process_allgather

    return np.asarray(process_allgather(x, tiled=True))


def main():
    jax.config.update("jax_enable_x64", True)
    if len(sys.argv) > 1:
        jax.distributed.initialize(sys.argv[1], num_processes=2, process_id=int(sys.argv[2]))
    assert jax.device_count() == 8
    mesh, drives = tp.scale.mesh(), jnp.linspace(5.0, 15.0, CELLS)
    found = {}
    for make in (unconnected, spiking, smooth):
        network = make()
        args = (network, 0.0 if make is spiking else drives, network.init())
        found[make.__name__] = compared(voltages, args, mesh)
        if len(sys.argv) > 1 and make is spiking:
            break
    if len(sys.argv) == 1:
        found["batch"] = compared(batch, (tp.cells.HodgkinHuxley(), drives), mesh)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
