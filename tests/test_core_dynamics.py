"""The grammar: relaxations, tree prefixes, defaults, and what a membrane receives."""

from typing import Any, NamedTuple

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

import tripartite as tp
from tripartite.core import (
    AbstractDynamics,
    AbstractRelaxation,
    Membrane,
    Relaxation,
    as_membrane,
    has_jump,
    prefix_leaves,
)


class State(NamedTuple):
    x: Any
    pair: Any


class Pair(AbstractRelaxation):
    """x relaxes to the input in 2 ms; the pair relaxes to x in 4 ms."""

    def init(self):
        return State(jnp.asarray(1.0), {"a": jnp.asarray(2.0), "b": jnp.asarray(3.0)})

    def relax(self, t, y, u):
        quarter = {k: jnp.asarray(0.25) for k in y.pair}
        return Relaxation(
            State(u / 2.0, dict.fromkeys(y.pair, y.x / 4.0)), State(jnp.asarray(0.5), quarter)
        )


class Cubic(AbstractDynamics):
    def init(self):
        return jnp.asarray(0.5)

    def vector_field(self, t, y, u):
        return y - y**3

    def jump(self, t, before, y, u):
        return jnp.minimum(y, 0.9)


def test_a_relaxation_gives_its_derivative():
    y = State(jnp.array([1.0, 2.0]), jnp.asarray(3.0))
    found = Relaxation(State(jnp.array([5.0, 6.0]), 7.0), State(jnp.array([2.0, 0.5]), 0.0))
    chex.assert_trees_all_close(found.derivative(y), State(jnp.array([3.0, 5.0]), 7.0), rtol=0)


def test_vector_field_is_derived_from_relax():
    model = Pair()
    y = model.init()
    expected = State(jnp.asarray(1.5), {"a": jnp.asarray(-0.25), "b": jnp.asarray(-0.5)})
    for call in (model.vector_field, eqx.filter_jit(model.vector_field)):
        chex.assert_trees_all_close(call(jnp.asarray(0.0), y, jnp.asarray(4.0)), expected, rtol=0)


def test_defaults():
    model = Pair()
    y = model.init()
    assert model.blocks() == 0
    assert model.units() is None
    assert model.input_units() is None
    assert model.ports(y) == {"y": y}
    assert model.jump(jnp.asarray(0.0), y, y, None) is y
    assert not has_jump(model)
    assert has_jump(Cubic())
    assert has_jump(tp.cells.LIF())
    assert not has_jump(tp.cells.HodgkinHuxley())


@pytest.mark.parametrize("abstract", [AbstractDynamics, AbstractRelaxation, tp.cells.AbstractCell])
def test_what_is_abstract_cannot_be_made(abstract):
    with pytest.raises(TypeError, match="abstract"):
        abstract()


@pytest.mark.parametrize(
    ("prefix", "leaves"),
    [
        (0, (0, 0, 0)),
        (None, (None, None, None)),
        (State(0, 1), (0, 1, 1)),
        (State(None, 1), (None, 1, 1)),
        (State(0, {"a": 1, "b": None}), (0, 1, None)),
        (State("mV", "1"), ("mV", "1", "1")),
    ],
)
def test_a_prefix_spreads_over_the_state(prefix, leaves):
    assert prefix_leaves(prefix, Pair().init()) == leaves


@pytest.mark.parametrize("prefix", [(0, 1), State(0, {"a": 1}), {"x": 0}])
def test_what_is_no_prefix_is_refused(prefix):
    with pytest.raises(ValueError, match=r"is not a tree prefix of a state.*give one value for"):
        prefix_leaves(prefix, Pair().init())


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64])
def test_a_membrane_reads_nothing_a_current_or_a_pair(dtype):
    like = jnp.zeros((3,), dtype)
    silence = as_membrane(None, like)
    chex.assert_trees_all_equal(silence, Membrane(like, like))
    assert silence.current.dtype == dtype
    chex.assert_trees_all_equal(as_membrane(like + 2, like), Membrane(like + 2, like))
    pair = Membrane(like + 2, like + 1)
    assert as_membrane(pair, like) is pair


def test_a_model_is_a_tree_of_its_parameters():
    cell = tp.cells.LIF()
    assert len(jax.tree.leaves(cell)) == 6
    doubled = jax.tree.map(lambda x: 2 * x, cell)
    assert float(doubled.leak) == 0.1
