"""Parameters: strong types, units, checks, casting."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite.core import AbstractParametrised, parameter, parameters_of
from tripartite.core.parameters import signal


class Membrane(AbstractParametrised):
    offset: jax.Array | None = parameter(None, "mV")
    capacitance: jax.Array = parameter(1.0, "uF/cm2", positive=True, source="1952", doc="C")
    rest: jax.Array = parameter(-65.0, "mV", trainable=False)
    count: int = eqx.field(static=True, default=3)


class Recording(eqx.Module):
    trace: object = signal()


def made(value):
    return Membrane(None, value).capacitance


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int64(2), np.array(2), jnp.array(2.0)])
def test_numbers_become_strong_scalars(value):
    assert made(value).dtype == jnp.float64
    assert made(value).shape == ()
    assert not made(value).weak_type


def test_arrays_keep_their_precision_and_integers_become_floats():
    assert made([1, 2]).dtype == jnp.float64
    assert made(np.arange(1, 3)).dtype == jnp.float64
    assert made(np.ones(2, np.float32)).dtype == jnp.float32
    assert made(jnp.ones(2, jnp.float32)).dtype == jnp.float32


def test_the_default_precision_is_jax_s():
    with jax.enable_x64(False):
        assert Membrane(None).capacitance.dtype == jnp.float32
        assert made(np.ones(2)).dtype == jnp.float32


def test_a_new_value_never_compiles_again():
    traces = []

    @eqx.filter_jit
    def double(model):
        traces.append(None)
        return 2.0 * model.capacitance

    assert [float(double(Membrane(None, c))) for c in (1, 2.5, np.float64(3))] == [2, 5, 6]
    assert len(traces) == 1


def test_every_parameter_has_a_gradient():
    gradient = eqx.filter_grad(lambda m: m.capacitance * m.rest)(Membrane(None, 2.0, -60.0))
    assert (float(gradient.capacitance), float(gradient.rest)) == (-60.0, 2.0)


def test_what_a_parameter_knows_about_itself():
    (name, info, value), (other, rest, _) = parameters_of(Membrane(None))
    assert (name, info.unit, info.source, info.doc) == ("capacitance", "uF/cm2", "1952", "C")
    assert info.positive
    assert info.trainable
    assert float(value) == 1.0
    assert (other, rest.positive, rest.trainable) == ("rest", False, False)
    # A parameter that is None is not there.
    assert [n for n, _, _ in parameters_of(Membrane(1.0))] == ["offset", name, other]


def test_a_required_parameter_is_required():
    with pytest.raises(TypeError, match="offset"):
        Membrane()


@pytest.mark.parametrize("bad", [0.0, -1.0, [1.0, 0.0]])
def test_a_positive_parameter_is_positive(bad):
    with pytest.raises(ValueError, match=r"Membrane\.capacitance must be positive, got .*uF/cm2"):
        made(bad)


@pytest.mark.parametrize("bad", [np.nan, np.inf, [1.0, -np.inf]])
def test_a_parameter_is_finite(bad):
    with pytest.raises(ValueError, match=r"Membrane\.capacitance must be finite.*remove the NaN"):
        made(bad)


@pytest.mark.parametrize("bad", [[1.0, None], ["a"], np.array("a"), [1j]])
def test_a_parameter_is_a_number(bad):
    with pytest.raises(ValueError, match="must be a number or an array of numbers, got"):
        made(bad)


def test_a_traced_value_is_let_through():
    assert float(jax.jit(lambda c: made(c))(-1.0)) == -1.0


@pytest.mark.parametrize("unit", ["s", "V", "S/cm2", "nM"])
def test_an_incoherent_unit_is_refused_where_the_class_is_written(unit):
    with pytest.raises(ValueError, match=f"the unit '{unit}' is .* times the library's own"):
        parameter(10.0, unit)


def test_astype_casts_numbers_and_nothing_else():
    cast = tp.astype((Membrane(None), jnp.arange(3), "name"), jnp.float32)
    model, integers, name = cast
    assert {x.dtype for x in jax.tree.leaves(model)} == {jnp.dtype("float32")}
    assert model.count == 3
    assert integers.dtype == jnp.arange(3).dtype
    assert name == "name"


def test_a_signal_converts_each_leaf_of_a_tree():
    trace = Recording({"a": [1, 2], "b": np.float32(3)}).trace
    assert {x.dtype for x in jax.tree.leaves(trace)} == {jnp.dtype("float64")}
    assert trace["a"].shape == (2,)
