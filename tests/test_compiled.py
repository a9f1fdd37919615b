"""What XLA makes of one cell: the operations in its loop, and whether the loop is one piece.

A loop that XLA's CPU back end does not compile as one piece runs operation by operation, ten to
forty times slower. Neither number is a time: both are read from the compiled program.
"""

import re

import jax
import jax.numpy as jnp
import pytest

import tripartite as tp

pytestmark = pytest.mark.skipif(
    jax.default_backend() != "cpu", reason="counts what XLA's CPU back end compiles"
)

# As compiled by jax 0.10.2, for one squid axon of four states: (value, gradient).
TODAY = {"float32": (350, 4814), "float64": (350, 4914)}


def program(dtype, differentiate):
    cell = tp.astype(tp.cells.HodgkinHuxley(), dtype)

    def final(cell, current):
        sol = tp.simulate(cell, current, t1=50.0, dt=0.025, save_every=50.0, throw=False)
        return sol.ys["v"][-1]

    run = jax.grad(final, argnums=(0, 1)) if differentiate else final
    return jax.jit(run).lower(cell, jnp.asarray(10.0, dtype)).compile().as_text()


def operations(text):
    """Of all computations but the trivial: parameters, constants, tuples and their elements."""
    lines = re.findall(r"^\s+(?:ROOT )?%\S+ = \S+ ([a-z-]+)\(", text, re.MULTILINE)
    return sum(op not in {"parameter", "constant", "tuple", "get-tuple-element"} for op in lines)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_cell_compiles_to_a_small_loop_in_one_piece(dtype):
    text = program(dtype, differentiate=False)
    assert operations(text) <= 1.5 * TODAY[dtype][0]
    assert text.count("xla_cpu_small_call") >= 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_so_do_the_two_loops_of_its_gradient(dtype):
    text = program(dtype, differentiate=True)
    assert operations(text) <= 1.5 * TODAY[dtype][1]
    # The trajectory, and the product of Jacobians.
    assert text.count("xla_cpu_small_call") >= 2
