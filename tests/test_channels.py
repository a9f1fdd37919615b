"""Channels: rates at their poles, gates, conductances, and a channel of one's own."""

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import oracles
import tripartite as tp
from tripartite import channels
from tripartite.channels import AbstractChannel, Channel, Exponential, Gate, Linoid, Sigmoid
from tripartite.core import numerics, parameter

V = jnp.asarray(-65.0)
DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["f32", "f64"])
GATES = {
    "m": channels.Sodium().gates["m"],
    "h": channels.Sodium().gates["h"],
    "n": channels.Potassium().gates["n"],
}
# At its pole x/(1 - exp(-x)) is 1 + x/2 + x^2/12: value, slope and curvature follow by hand, with
# x = (v - midpoint) / 10 mV and the published factors 0.1 * 10 and 0.01 * 10 per ms.
POLES = [("m", -40.0, (1.0, 0.05, 1 / 600)), ("n", -55.0, (0.1, 0.005, 1 / 6000))]


@DTYPES
@pytest.mark.parametrize(("name", "pole", "expected"), POLES, ids=["m", "n"])
def test_the_rates_are_finite_and_right_exactly_at_their_poles(name, pole, expected, dtype):
    opening = tp.astype(GATES[name].opening, dtype)
    v = jnp.asarray(pole, dtype)
    orders = (opening, jax.grad(opening), jax.grad(jax.grad(opening)))
    found = jax.jit(lambda v: [f(v) for f in orders])(v)
    for value, by_hand in zip(found, expected, strict=True):
        assert value.dtype == dtype
        assert float(value) == pytest.approx(by_hand, rel=4 * float(jnp.finfo(dtype).eps))


@DTYPES
@pytest.mark.parametrize("name", GATES)
def test_rates_against_the_published_formulas(name, dtype):
    # Points off both poles; exp amplifies a rounded argument (at most 8 here) by its size.
    v = np.array([-130.0, -77.0, -65.0, -54.0, -41.0, -35.0, 0.0, 50.0])
    gate = tp.astype(GATES[name], dtype)
    opening, closing = oracles.rates(v)[name]
    drive, decay = jax.jit(jax.vmap(gate.relax))(jnp.asarray(v, dtype))
    tolerance = 32 * float(jnp.finfo(dtype).eps)
    np.testing.assert_allclose(drive, opening, rtol=tolerance)
    np.testing.assert_allclose(decay, opening + closing, rtol=tolerance)
    steady = jax.vmap(gate.steady_state)(jnp.asarray(v, dtype))
    np.testing.assert_allclose(steady, opening / (opening + closing), rtol=tolerance)
    constant = jax.vmap(gate.time_constant)(jnp.asarray(v, dtype))
    np.testing.assert_allclose(constant, 1 / (opening + closing), rtol=tolerance)


@DTYPES
@pytest.mark.parametrize("v", [-1e5, -1e4, -1600.0, 1600.0, 1e4, 1e5])
@pytest.mark.parametrize(
    "rate",
    [Linoid(), Exponential(), Exponential(scale=-18.0), Sigmoid()],
    ids=["linoid", "rising", "falling", "sigmoid"],
)
def test_rates_far_from_anything_physiological_are_numbers(rate, v, dtype):
    rate, v = tp.astype(rate, dtype), jnp.asarray(v, dtype)
    orders = (rate, jax.grad(rate), jax.grad(jax.grad(rate)))
    assert all(np.isfinite(float(value(v))) for value in orders)


@DTYPES
def test_an_exponential_is_bounded_at_forty_and_exact_below(dtype):
    x = np.array([-30.0, 0.0, 12.5, 39.5, 40.0, 41.0, 400.0])
    # The argument is exact; the exponential of XLA is right to a few units in the last place.
    tolerance = 8 * float(jnp.finfo(dtype).eps)
    found = numerics.bounded_exp(jnp.asarray(x, dtype))
    np.testing.assert_allclose(found, np.exp(np.minimum(x, 40.0)), rtol=tolerance)


def test_the_three_rate_forms():
    v = jnp.asarray(-52.0)
    assert float(Linoid(2.0, -40.0, 6.0)(v)) == pytest.approx(2 * -2 / (1 - np.exp(2)), rel=1e-14)
    assert float(Exponential(3.0, -60.0, -4.0)(v)) == pytest.approx(3 * np.exp(-2), rel=1e-14)
    assert float(Sigmoid(5.0, -60.0, 4.0)(v)) == pytest.approx(5 / (1 + np.exp(-2)), rel=1e-14)
    # A negative scale mirrors a rate: Hodgkin and Huxley's falling forms.
    assert float(Linoid(1.0, -40.0, -6.0)(v)) == pytest.approx(2 / (1 - np.exp(-2)), rel=1e-14)


def test_a_factor_speeds_a_gate_up_and_keeps_its_steady_state():
    slow, fast = (channels.Sodium(factor=f).gates["m"] for f in (1.0, 3.0))
    v = jnp.asarray(-50.0)
    assert float(fast.steady_state(v)) == pytest.approx(float(slow.steady_state(v)), rel=1e-15)
    assert float(slow.time_constant(v) / fast.time_constant(v)) == pytest.approx(3.0, rel=1e-15)


def test_conductances_are_products_of_powers():
    sodium, potassium, leak = channels.Sodium(), channels.Potassium(), channels.Leak()
    gates = {"m": jnp.asarray(0.5), "h": jnp.asarray(0.25)}
    assert float(sodium.open_conductance(gates, V)) == 120 * 0.5**3 * 0.25
    assert float(potassium.open_conductance({"n": jnp.asarray(0.5)}, V)) == 36 * 0.5**4
    assert float(leak.open_conductance({}, V)) == 0.3
    assert leak.init(jnp.asarray(-65.0)) == {}
    assert (float(sodium.reversal_potential()), float(potassium.reversal_potential())) == (
        50.0,
        -77.0,
    )
    assert float(leak.reversal_potential()) == -54.387


def test_a_channel_starts_at_its_steady_state():
    m, h, n = oracles.steady_gates(-65.0)
    found = channels.Sodium().init(jnp.asarray(-65.0))
    assert [float(found[x]) for x in "mh"] == pytest.approx([m, h], rel=1e-14)
    assert float(channels.Potassium().init(jnp.asarray(-65.0))["n"]) == pytest.approx(n, rel=1e-14)
    drive, decay = channels.Sodium().relax(found, jnp.asarray(-65.0))
    for gate in "mh":
        assert float(drive[gate] - decay[gate] * found[gate]) == pytest.approx(0.0, abs=1e-15)


class Instantaneous(AbstractChannel):
    """A channel without a state whose conductance follows a concentration held as a parameter."""

    name: str = eqx.field(static=True, default="calcium-activated")
    reversal: jax.Array = parameter(-90.0, "mV")
    calcium: jax.Array = parameter(0.4, "uM")

    def init(self, v, calcium=None):
        return {}

    def relax(self, gates, v, calcium=None):
        return {}, {}

    def reversal_potential(self, calcium=None):
        return self.reversal

    def open_conductance(self, gates, v, calcium=None):
        return 2.0 * numerics.hill(self.calcium, jnp.full_like(self.calcium, 0.8), 2)


def test_a_channel_of_one_s_own_works_in_a_cell():
    cell = tp.cells.ConductanceCell((channels.Leak(0.1, -60.0), Instantaneous()))
    # 2 * 0.4^2 / (0.4^2 + 0.8^2) = 0.4 mS/cm2: v relaxes to the weighted mean of the reversals
    # and the current, (0.1 * -60 + 0.4 * -90 + 5) / 0.5, with C / g = 2 ms.
    sol = tp.simulate(cell, 5.0, t1=8.0, dt=0.5)
    end = (0.1 * -60 + 0.4 * -90 + 5) / 0.5
    expected = end + (-65 - end) * np.exp(-np.asarray(sol.ts) / 2.0)
    np.testing.assert_allclose(sol.ys["v"], expected, rtol=1e-14)


def test_a_population_of_channels_by_vmap():
    maxima = jnp.array([100.0, 120.0])
    gates = {"m": jnp.asarray(0.5), "h": jnp.asarray(0.5)}
    build = eqx.filter_vmap(lambda g: channels.Sodium(g).open_conductance(gates, V))
    chex.assert_trees_all_close(build(maxima), maxima / 16, rtol=1e-15)


@pytest.mark.parametrize("bad", [0.0, -1.0])
def test_a_temperature_factor_is_positive(bad):
    with pytest.raises(ValueError, match=r"Gate\.factor must be positive, got .* give a value"):
        Gate(Linoid(), Linoid(), factor=bad)


def test_a_channel_needs_its_conductance():
    with pytest.raises(TypeError, match="conductance"):
        Channel("bare", {})
