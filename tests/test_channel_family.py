"""Every channel against its printed formulas; poles; calcium, Nernst and GHK; temperature."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cell_oracles as oracles
import tripartite as tp
from tripartite import channels as ch
from tripartite.channels import InstantaneousGate
from tripartite.summary import walk_parameters

DTYPES = pytest.mark.parametrize("dtype", [jnp.float32, jnp.float64], ids=["f32", "f64"])
CORTICAL, CS = oracles.traub_miles(-56.2), oracles.CONNOR_STEVENS
CASES = {
    "TraubMilesSodium": (ch.TraubMilesSodium(threshold=-56.2), CORTICAL, "mh"),
    "TraubMilesPotassium": (ch.TraubMilesPotassium(threshold=-56.2), CORTICAL, "n"),
    "MPotassium": (ch.MPotassium(), {"p": oracles.m_current(608.0)}, "p"),
    "LTypeCalcium": (ch.LTypeCalcium(), oracles.L_TYPE, "qr"),
    "TTypeCalcium": (ch.TTypeCalcium(), oracles.T_TYPE, "su"),
    "WangBuzsakiSodium": (ch.WangBuzsakiSodium(), oracles.WANG_BUZSAKI, "mh"),
    "WangBuzsakiPotassium": (ch.WangBuzsakiPotassium(), oracles.WANG_BUZSAKI, "n"),
    "ConnorStevensSodium": (ch.ConnorStevensSodium(), CS, "mh"),
    "ConnorStevensPotassium": (ch.ConnorStevensPotassium(), CS, "n"),
    "APotassium": (ch.APotassium(), CS, "ab"),
    "MorrisLecarCalcium": (ch.MorrisLecarCalcium(), oracles.MORRIS_LECAR, "m"),
    "MorrisLecarPotassium": (ch.MorrisLecarPotassium(), oracles.MORRIS_LECAR, "w"),
    "HCurrent": (ch.HCurrent(0.02), oracles.H_CURRENT, "r"),
    "PersistentSodium": (ch.PersistentSodium(0.13), oracles.PERSISTENT, "mh"),
}
# Off every pole; the exponents are at most 40, which rounding of v's multiples of 1/scale enters.
POINTS = np.array([-110.3, -81.7, -64.2, -51.3, -38.1, -20.6, 3.7, 44.9])
CALCIUM = {
    "CalciumPotassium": ch.CalciumPotassium(2.0),
    "AfterHyperpolarisation": ch.AfterHyperpolarisation(),
    "Nernst T": ch.NernstChannel("t", ch.t_type_gates(), 0.4),
    "GHK L": ch.GHKChannel("l", ch.l_type_gates(), ch.permeability_current(1e-4)),
}


@DTYPES
@pytest.mark.parametrize("name", CASES)
def test_steady_states_and_time_constants_against_the_printed_formulas(name, dtype):
    channel, table, gates = CASES[name]
    assert sorted(channel.gates) == sorted(gates)
    vs = jnp.asarray(POINTS, dtype)
    # Printed exponentials of up to 40, each with an argument rounded to eps: 40 eps, twice.
    tolerance = 100 * float(jnp.finfo(dtype).eps)
    for letter in gates:
        steady, tau = table[letter]
        gate = tp.astype(channel.gates[letter], dtype)
        found = jax.vmap(gate.steady_state)(vs)
        assert found.dtype == dtype
        # What is left of 1 - x where x is close to 1 has the error of x.
        np.testing.assert_allclose(found, steady(POINTS), rtol=tolerance, atol=tolerance * 1e-2)
        if tau is None:
            assert isinstance(gate, InstantaneousGate)
        else:
            found = jax.vmap(gate.time_constant)(vs)
            np.testing.assert_allclose(found, tau(POINTS), rtol=tolerance)


@DTYPES
def test_finite_with_two_derivatives_at_every_midpoint(dtype):
    every = {**{name: case[0] for name, case in CASES.items()}, **CALCIUM}
    every = tp.astype(every, dtype)
    own = [np.ravel(x) for _, info, x in walk_parameters(every) if info.unit == "mV"]
    vs = jnp.asarray(np.unique([*np.concatenate(own), -150.0, -40.0, 0.0, 100.0]), dtype)
    calcium = jnp.asarray(0.24, dtype)

    def numbers(v):
        found = {}
        for name, channel in every.items():
            gates = channel.init(v, calcium)
            drive, decay = channel.relax(gates, v, calcium)
            found[name] = [channel.open_conductance(gates, v, calcium), drive, decay]
        return found

    def along(v):
        one = jnp.ones_like(v)

        def first(x):
            return jax.jvp(numbers, (x,), (one,))[1]

        return numbers(v), first(v), jax.jvp(first, (v,), (one,))[1]

    assert len(vs) > 40
    for path, values in jax.tree.leaves_with_path(jax.jit(jax.vmap(along))(vs)):
        assert values.dtype == dtype
        assert np.isfinite(values).all(), (jax.tree_util.keystr(path), vs[~np.isfinite(values)])


def test_the_misprinted_time_constant_is_named():
    right, wrong = (ch.TTypeCalcium(misprint=x).gates["u"] for x in (False, True))
    v = jnp.asarray(-60.0)
    w = -58.0
    a, b = np.exp((w + 113.2) / 5), np.exp((w + 84) / 3.2)
    assert float(wrong.time_constant(v)) == pytest.approx((30.8 + 211.4 + a) / (3.7 * (1 + b)))
    assert float(right.time_constant(v)) == pytest.approx(oracles.tau_u(-60.0), rel=1e-13)
    # The misprint vanishes for depolarised v, where the right one keeps its 30.8 / 3^1.2.
    assert float(wrong.time_constant(jnp.asarray(0.0))) < 0.01
    assert float(right.time_constant(jnp.asarray(0.0))) > 30.8 / 3**1.2
    # Where exp((w + 113.2)/5) alone would overflow float32, the plateau is left: 30.8 / 3^1.2.
    far = tp.astype(right, jnp.float32).time_constant(jnp.asarray(400.0, jnp.float32))
    assert float(far) == pytest.approx(30.8 / 3**1.2, rel=1e-5)


def test_temperature_divides_time_constants_and_keeps_steady_states():
    factor = ch.q10(36.0, 26.0)
    assert factor == pytest.approx(3.0)
    assert ch.q10(36.0, 16.0, base=2.3) == pytest.approx(2.3**2)
    for name in ("APotassium", "MPotassium", "LTypeCalcium"):
        slow, fast = (getattr(ch, name)(factor=f) for f in (1.0, factor))
        for gate in slow.gates:
            v = jnp.asarray(-47.0)
            ratio = slow.gates[gate].time_constant(v) / fast.gates[gate].time_constant(v)
            assert float(ratio) == pytest.approx(3.0, rel=1e-14)
            found = float(fast.gates[gate].steady_state(v))
            assert found == pytest.approx(float(slow.gates[gate].steady_state(v)), rel=1e-14)


def test_an_instantaneous_gate_follows_the_voltage():
    channel = ch.MorrisLecarCalcium()
    assert channel.init(jnp.asarray(-20.0)) == {}
    assert channel.relax({}, jnp.asarray(-20.0)) == ({}, {})
    for v in (-20.0, 10.0, 33.0):
        expected = 4 * 0.5 * (1 + np.tanh((v - 10) / 15))
        found = float(channel.open_conductance({}, jnp.asarray(v)))
        assert found == pytest.approx(expected, rel=1e-14)


def test_calcium_opens_potassium():
    slow, fast = ch.CalciumPotassium(2.0), ch.AfterHyperpolarisation()
    v, c = jnp.asarray(-60.0), jnp.asarray(12.0)
    # Destexhe et al.: 48 per ms and mM^2 opens, 0.03 per ms closes; 12 uM is 0.012 mM.
    opening, closing = 48 * 0.012**2, 0.03
    start = slow.init(v, c)["m"]
    assert float(start) == pytest.approx(opening / (opening + closing), rel=1e-14)
    drive, decay = slow.relax({"m": start}, v, c)
    assert float(drive["m"]) == pytest.approx(opening, rel=1e-14)
    assert float(decay["m"]) == pytest.approx(opening + closing, rel=1e-14)
    assert float(slow.open_conductance({"m": start}, v, c)) == pytest.approx(2 * float(start) ** 2)
    assert float(fast.open_conductance({}, v, c)) == pytest.approx(5 * 12 / 42, rel=1e-14)


# CODATA 2018, in J/(mol K) and C/mol.
R, F = 8.314462618, 96485.33212


def test_the_nernst_potential():
    channel = CALCIUM["Nernst T"]
    for c in (0.05, 0.24, 10.0):
        # In mV, at 309.15 K and 2 mM outside.
        expected = 1e3 * R * 309.15 / (2 * F) * np.log(2000 / c)
        found = float(channel.reversal_potential(jnp.asarray(c)))
        assert found == pytest.approx(expected, rel=1e-8)
    # At the floor it stays finite, and its slope with it.
    grown = jax.value_and_grad(channel.reversal_potential)(jnp.asarray(0.0))
    assert np.isfinite(grown).all()


def ghk(v, inside, permeability):
    """The current in uA/cm2, in SI units throughout; P in cm/s, concentrations in uM."""
    x = 2 * (v * 1e-3) * F / (R * 309.15)
    c_in, c_out = inside * 1e-3, 2000 * 1e-3  # mol/m3
    flux = permeability * 1e-2 * 2 * F * x * (c_in - c_out * np.exp(-x)) / (1 - np.exp(-x))
    return flux * 100  # A/m2 to uA/cm2


@DTYPES
@pytest.mark.parametrize("inside", [0.05, 0.24, 40.0])
def test_ghk_as_a_chord_is_the_ghk_current(inside, dtype):
    channel = ch.GHKChannel("leaky", {}, ch.permeability_current(1e-5))
    channel = tp.astype(channel, dtype)
    c = jnp.asarray(inside, dtype)
    vs = np.array([-120.0, -70.0, -21.0, 14.0, 60.0, 90.0])
    g = jax.vmap(lambda v: channel.open_conductance({}, v, c))(jnp.asarray(vs, dtype))
    found = np.asarray(g * (jnp.asarray(vs, dtype) - channel.reversal_potential(c)))
    # The constants have nine digits; the difference v - E loses a few in float32.
    tolerance = max(1e-8, 200 * float(jnp.finfo(dtype).eps))
    np.testing.assert_allclose(found, ghk(vs, inside, 1e-5), rtol=tolerance)
    assert (np.asarray(g) > 0).all()


def test_ghk_at_its_two_poles():
    channel = ch.GHKChannel("leaky", {}, ch.permeability_current(1e-5))
    c = jnp.asarray(0.24)
    reversal = float(channel.reversal_potential(c))
    for pole in (0.0, reversal):
        # The chord between the neighbours, by the current itself.
        left, right = (pole + 1e-3 * s for s in (-1, 1))
        chords = [ghk(v, 0.24, 1e-5) / (v - reversal) for v in (left, right)]
        found = float(channel.open_conductance({}, jnp.asarray(pole), c))
        assert found == pytest.approx(np.mean(chords), rel=1e-6)


def test_conversions_of_calcium():
    # 1 uA/cm2 over 2 F, in a depth of 1 um: 1e-6 / (2 * 96485 * 1e-4) mol/cm3/s = 51.8 uM/s.
    per_second = 1e-6 / (2 * F * 1e-4) * 1e9
    assert ch.influx_into_shell(1.0) == pytest.approx(per_second * 1e-3, rel=1e-8)
    assert ch.influx_into_shell(2.0) == pytest.approx(ch.influx_into_shell(1.0) / 2)
    assert float(ch.CalciumPool(()).influx) == pytest.approx(ch.influx_into_shell(1.0))
    assert ch.thermal_voltage(36.0) == pytest.approx(1e3 * R * 309.15 / F, rel=1e-8)


def test_a_pool_under_a_steady_current():
    pool = ch.CalciumPool(("x",), influx=0.05, tau=5.0, rest=0.24)
    drive, decay = pool.relax(jnp.asarray(-2.0))
    assert float(drive / decay) == pytest.approx(0.24 + 5.0 * 0.05 * 2.0, rel=1e-14)
    assert float(decay) == pytest.approx(0.2, rel=1e-15)


@pytest.mark.parametrize("name", CALCIUM)
def test_without_a_pool_a_calcium_channel_says_what_is_missing(name):
    channel = CALCIUM[name]
    with pytest.raises(
        ValueError, match=rf"\['{channel.name}'\] read calcium, .* has no pool: give"
    ):
        tp.cells.ConductanceCell((ch.Leak(), channel))
    with pytest.raises(ValueError, match=r"needs a calcium concentration, got None: give the cell"):
        channel.open_conductance(channel.init(jnp.asarray(-60.0)), jnp.asarray(-60.0))
        channel.reversal_potential()


def test_a_pool_fed_by_a_stranger():
    with pytest.raises(ValueError, match=r"fed by \['t_calcum'\], but the channels are \['leak'\]"):
        tp.cells.ConductanceCell((ch.Leak(),), pool=ch.CalciumPool(("t_calcum",)))


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (functools.partial(ch.CalciumPool, (), tau=0.0), r"CalciumPool\.tau must be positive"),
        (functools.partial(ch.SigmoidTime, -1.0), r"SigmoidTime\.base must be positive"),
        (functools.partial(ch.MPotassium, factor=0.0), r"RelaxingGate\.factor must be positive"),
        (functools.partial(ch.HCurrent, np.nan), r"Channel\.conductance must be finite"),
    ],
)
def test_bad_parameters(make, what):
    with pytest.raises(ValueError, match=what):
        make()


def test_a_population_of_channels_by_vmap_and_grad():
    gate = eqx.filter_vmap(lambda vt: ch.TraubMilesSodium(threshold=vt).gates["m"])
    shifted = gate(jnp.array([-63.0, -55.0]))
    found = jax.vmap(lambda g: g.steady_state(jnp.asarray(-40.0)))(shifted)
    steady = [oracles.traub_miles(vt)["m"][0](-40.0) for vt in (-63.0, -55.0)]
    np.testing.assert_allclose(found, steady, rtol=1e-13)

    def current(half):
        return ch.AfterHyperpolarisation(half=half).open_conductance(
            {}, jnp.asarray(0.0), jnp.asarray(12.0)
        )

    slope = float(jax.grad(current)(jnp.asarray(30.0)))
    assert slope == pytest.approx(-5 * 12 / 42**2, rel=1e-13)
