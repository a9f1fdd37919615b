"""Solves divided over eight virtual devices, and over two processes."""

import functools
import json
import re
import socket
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import Mesh

import tripartite as tp

SCRIPT = Path(__file__).parent / "many_devices.py"


def start(*args):
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    out, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors[-3000:]
    return json.loads(out.splitlines()[-1])


@functools.cache
def eight_devices():
    return finished(start())


@pytest.mark.gate
@pytest.mark.parametrize("case", ["unconnected", "spiking", "smooth"])
def test_eight_devices_compute_the_same_bits(case):
    # Each device does for its cells what one device does for all, and adds up the edges of each
    # cell in the same order.
    assert eight_devices()[case]["gap"] == 0.0


def test_a_batch_and_its_gradients_are_the_same_on_eight_devices():
    # The vector loops of eight cells and of sixty-four end at other places, where the compiler may
    # fuse a product and a sum or not: rounding, times what ten milliseconds of axon make of it.
    found = eight_devices()["batch"]
    assert found["gap"] <= 1e-12 * found["size"]


@pytest.mark.parametrize("case", ["unconnected", "batch"])
def test_cells_without_edges_never_wait_for_one_another(case):
    assert eight_devices()[case]["in loops"] == 0


@pytest.mark.parametrize("case", ["spiking", "smooth"])
def test_a_connected_network_gathers_once_in_a_step(case):
    assert eight_devices()[case]["in loops"] == 1


@pytest.mark.gate
def test_two_processes_compute_the_same_bits():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    processes = [start(address, str(number)) for number in range(2)]
    for found in map(finished, processes):
        assert [found[case]["gap"] for case in ("unconnected", "spiking")] == [0.0, 0.0]


def test_importing_the_library_starts_no_device():
    # Else several processes could not be joined after the import, nor devices be chosen.
    code = "import tripartite, jax; jax.config.update('jax_num_cpu_devices', 3)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_on_one_device_everything_stays_as_it_is():
    line = tp.scale.mesh(jax.devices()[:1])
    tree = {"x": jnp.arange(6.0), "name": "kept", "number": 3}
    out = tp.scale.shard(tree, line)
    assert (out["name"], out["number"]) == ("kept", 3)
    assert out["x"].sharding.mesh == line
    assert out["x"].tolist() == tree["x"].tolist()


def test_a_network_that_is_divided_adds_up_all_its_edges():
    nets = tp.networks
    edges = nets.fixed_fan_in(100, 100, 100, key=jax.random.key(0))
    receptor = tp.synapses.Exponential(0.02)
    cells = {"cells": nets.population(tp.cells.LIF, 100)}
    network = nets.Network(cells, [nets.Projection("cells", "cells", receptor, edges)])
    assert network.delivery is not None
    assert tp.scale.shard(network, tp.scale.mesh()).delivery is None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tp.scale.mesh([]), "one device or more"),
        (lambda: tp.scale.mesh(jax.devices()[:1] * 2), "each once"),
        (lambda: tp.scale.shard(tp.cells.LIF(), tp.scale.mesh()), "only arrays of shape ()"),
        (lambda: tp.scale.shard("nothing", tp.scale.mesh()), "only arrays of shape none"),
        (lambda: tp.scale.shard(jnp.ones(4), _square()), "a mesh with axes ('a', 'b')"),
    ],
    ids=["no device", "one twice", "shared alone", "no array", "two axes"],
)
def test_what_cannot_be_divided_is_said(call, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        call()


def _square():
    return Mesh([[jax.devices()[0]]], ("a", "b"))
