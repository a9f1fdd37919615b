"""Gap junctions, the ring of figure 5 of Stimberg et al. (2019), and what astrocytes clear."""

import functools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import astrocyte_oracles as oracles
import tripartite as tp
from tripartite import astrocytes as ast
from tripartite.core import units
from tripartite.solvers import ClassicalRK4

COUPLINGS = [ast.LinearCoupling(), ast.ThresholdCoupling(), ast.LallouetteCoupling()]


@functools.cache
def ring_of_fifty():
    """Calcium `[steps + 1, cells]` every 50 ms for 200 s, by RK4 as in the paper."""
    network = ast.AstrocyteNetwork(ast.StimbergRing(), ast.ThresholdCoupling(), ast.ring(50), 50)
    driven = np.zeros(50)
    driven[25] = 1.0
    wave = tp.stimuli.PulseTrain(driven, 20_000.0, 50_000.0, count=4)
    sol = tp.simulate(network, ast.drive(bias=wave), t1=200_000.0, dt=50.0, solver=ClassicalRK4())
    return np.asarray(sol.ys["calcium"])


def arrivals(calcium):
    """When each cell first exceeds 0.5 uM (s), between samples; NaN: never."""
    times = np.full(calcium.shape[1], np.nan)
    for j, c in enumerate(calcium.T):
        above = np.flatnonzero(c > 0.5)
        if above.size:
            k = above[0]
            times[j] = 0.05 * (k - 1 + (0.5 - c[k - 1]) / (c[k] - c[k - 1]))
    return times


@pytest.mark.gate
def test_figure_5_before_chaos():
    start = np.array([np.zeros(50), np.zeros(50), np.full(50, 0.9)])
    expected = oracles.runge_kutta(oracles.ring_field(), start, 0.05, 999)[:, 1]
    # The same method at the same steps: round-off, which grows tenfold in some ten seconds.
    np.testing.assert_allclose(ring_of_fifty()[:1000], expected, rtol=0, atol=1e-9)


def test_figure_5_wave():
    times = arrivals(ring_of_fifty())
    printed = {25: 7.40, 24: 25.10, 26: 25.10, 23: 40.15, 27: 40.15, 22: 55.75, 20: 86.95,
               15: 164.50}  # fmt: skip
    for cell, time in printed.items():
        assert times[cell] == pytest.approx(time, abs=0.2)
    # One cell every 15.5 s or so, away from the start.
    assert np.all(np.abs(-np.diff(times[14:24]) - 15.5) < 1.0)


def test_figure_5_is_symmetric_about_the_driven_cell():
    calcium = ring_of_fifty()
    left, right = calcium[:, 24:0:-1], calcium[:, 26:50]
    np.testing.assert_allclose(left, right, rtol=0, atol=1e-4)
    assert np.max(np.abs(left[:, 0] - left[:, 1])) > 0.5  # neighbours do differ


@pytest.mark.parametrize("coupling", COUPLINGS, ids=["linear", "threshold", "Lallouette"])
def test_a_junction_gives_what_it_takes(coupling):
    @given(st.floats(0.0, 10.0), st.floats(0.0, 10.0))
    def check(a, b):
        here, there = jnp.asarray(a), jnp.asarray(b)
        flux = float(coupling(here, there))
        assert flux == -float(coupling(there, here))
        assert flux * (b - a) >= 0.0

    check()


def test_junction_values():
    linear, threshold = ast.LinearCoupling(0.02), ast.ThresholdCoupling()
    assert float(linear(jnp.asarray(1.0), jnp.asarray(3.0))) == pytest.approx(0.04)
    gap = np.array([-1.0, -0.3, 0.0, 0.1, 0.3, 0.5])
    found = jax.vmap(threshold)(jnp.zeros(6), jnp.asarray(gap))
    np.testing.assert_allclose(found, -1e-3 * oracles.exchange(gap, 0.09), rtol=1e-12)
    # Half of the most at the threshold.
    assert float(found[4]) == pytest.approx(0.045e-3)


def inert():
    """A cell that neither makes nor takes away IP3."""
    metabolism = ast.IP3Metabolism(production=0.0, kinase=0.0, phosphatase=0.0)
    return ast.GChI(metabolism=metabolism, agonist=0.0)


JUNCTIONS = ast.GapJunctions(jnp.array([0, 1, 1, 3, 2, 4]), jnp.array([1, 2, 3, 4, 4, 0]))


@pytest.mark.parametrize("coupling", COUPLINGS, ids=["linear", "threshold", "Lallouette"])
@pytest.mark.parametrize("solver", [None, ClassicalRK4()], ids=["symmetric", "RK4"])
def test_total_ip3_is_conserved(coupling, solver):
    network = ast.AstrocyteNetwork(inert(), coupling, JUNCTIONS, 5)
    start = network.init()._replace(ip3=jnp.array([3.0, 0.1, 0.0, 1.0, 0.4]))
    sol = tp.simulate(network, None, t1=20_000.0, dt=20.0, y0=start, solver=solver)
    ip3 = np.asarray(sol.ys["ip3"])
    assert np.max(np.abs(ip3[-1] - ip3[0])) > 0.3
    np.testing.assert_allclose(ip3.sum(1), 4.5, rtol=1e-10)


def test_a_junction_of_one_direction_would_lose_ip3():
    # The control: the flux added to one cell alone.
    ip3 = jnp.array([3.0, 0.1, 0.0, 1.0, 0.4])
    both = ast.exchange(COUPLINGS[0], JUNCTIONS, ip3)
    one = jnp.zeros(5).at[JUNCTIONS.here].add(COUPLINGS[0](*(ip3[x] for x in JUNCTIONS)))
    assert abs(float(jnp.sum(both))) < 1e-15 < 1e-6 < abs(float(jnp.sum(one)))


def test_two_cells_even_out_as_they_must():
    network = ast.AstrocyteNetwork(
        inert(), ast.LinearCoupling(1e-3), ast.GapJunctions(jnp.array([0]), jnp.array([1])), 2
    )
    start = network.init()._replace(ip3=jnp.array([1.0, 0.0]))
    sol = tp.simulate(network, None, t1=1000.0, dt=5.0, y0=start, solver=ClassicalRK4())
    gap = np.asarray(sol.ys["ip3"][:, 0] - sol.ys["ip3"][:, 1])
    # d gap / dt = -2 F gap; RK4 errs by (2 F dt)^5 / 120 a step.
    np.testing.assert_allclose(gap, np.exp(-2e-3 * np.asarray(sol.ts)), rtol=1e-8)


@pytest.mark.slow
def test_coupled_cells_respond_to_higher_frequencies():
    """Wallach et al. (2014), figure 8: each silent neighbour takes IP3, and raises the onset.

    Spikes at f, each of 20 uM of glutamate that is cleared at 40 /s, are 0.5 uM for each Hz on
    average. Their parameters are not published: the order is what is compared.
    """
    frequencies = np.geomspace(0.1, 3.0, 60)

    def onset(neighbours):
        junctions = ast.GapJunctions(jnp.zeros(neighbours, int), 1 + jnp.arange(neighbours))
        network = ast.AstrocyteNetwork(
            ast.StimbergFigure2(), ast.LallouetteCoupling(), junctions, neighbours + 1
        )
        driven = jnp.zeros(neighbours + 1).at[0].set(0.5)

        def peak(frequency):
            glutamate = ast.drive(glutamate=frequency * driven)
            run = functools.partial(tp.simulate, t1=60_000.0, dt=50.0, solver=ClassicalRK4())
            return jnp.max(run(network, glutamate).ys["calcium"][:, 0])

        peaks = np.asarray(jax.jit(jax.vmap(peak))(jnp.asarray(frequencies)))
        assert peaks[0] < 0.5 < peaks[-1]
        return frequencies[np.argmax(peaks > 0.5)]

    alone, one, two = (onset(n) for n in range(3))
    assert alone < one < two


def test_without_junctions_cells_are_alone():
    none = ast.GapJunctions(jnp.zeros(0, int), jnp.zeros(0, int))
    network = ast.AstrocyteNetwork(ast.DePittaAM(), ast.LinearCoupling(), none, 2)
    levels = np.array([0.1, 2.5])
    run = functools.partial(tp.simulate, t1=5000.0, dt=20.0)
    together = run(network, levels).ys["calcium"]
    for j, level in enumerate(levels):
        alone = run(ast.DePittaAM(), level).ys["calcium"]
        np.testing.assert_allclose(together[:, j], alone, rtol=1e-12)


def network_of(cell=None, here=(0,), there=(1,), count=2):
    junctions = ast.GapJunctions(jnp.asarray(here), jnp.asarray(there))
    return ast.AstrocyteNetwork(cell or ast.GChI(), ast.LinearCoupling(), junctions, count)


BAD = {
    r"junctions name cells 0 to 2, and there are 2": lambda: network_of(there=(2,)),
    r"cell 1 is joined to itself": lambda: network_of(here=(1,)),
    r"two index arrays of one length, got shapes \(1,\) and \(2,\)": lambda: network_of(
        there=(1, 0)
    ),
    r"LiRinzel takes IP3 as its input": lambda: network_of(ast.LiRinzel()),
    r"without jumps or noise, got NESTAstrocyte": lambda: network_of(ast.NESTAstrocyte()),
    r"without jumps or noise, got StochasticGate": lambda: network_of(
        ast.StochasticGate(ast.GChI())
    ),
    r"count must be a whole number, at least 3, got 2": lambda: ast.ring(2),
    r"glutamate has shape \(3,\) and the network 2 cells": lambda: tp.simulate(
        network_of(), np.zeros(3), t1=10.0, dt=1.0
    ),
    r"glutamate must not be negative, got -1.0 uM": lambda: ast.drive(glutamate=np.array([0, -1])),
    r"takes leaks of": lambda: ast.balanced(
        ast.PumpedMembrane(ast.SodiumPotassiumPump(0.0), ast.InwardRectifier(), -80.0),
        (95_500.0, 10_000.0, 3_500.0, 140_000.0),
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input(message):
    with pytest.raises(ValueError, match=message):
        BAD[message]()


def test_first_order_uptake_is_exact_at_any_step():
    model = ast.GlutamateUptake(glutamate_init=500.0)
    for dt in (1.0, 50.0):
        sol = tp.simulate(model, 0.0, t1=100.0, dt=dt)
        expected = 500.0 * np.exp(-0.04 * np.asarray(sol.ts))
        np.testing.assert_allclose(sol.ys["glutamate"], expected, rtol=1e-12)


def test_saturating_uptake_as_michaelis_and_menten_integrated_it():
    most, half = 200.0 * units.per_second, 100.0
    model = ast.GlutamateUptake(0.0, most, half, glutamate_init=500.0)
    sol = tp.simulate(model, None, t1=2000.0, rtol=1e-9, atol=1e-9, save_every=100.0)
    y = np.asarray(sol.ys["glutamate"])
    # K ln(Y0 / Y) + (Y0 - Y) = O t
    gone = half * np.log(500.0 / y) + 500.0 - y
    np.testing.assert_allclose(gone, most * np.asarray(sol.ts), rtol=1e-6, atol=1e-6)


def test_steady_release_meets_uptake():
    model = ast.GlutamateUptake(40.0 * units.per_second, 0.5, 100.0)
    y = float(tp.analysis.steady_state(model, 2.0))
    assert 0.04 * y + 0.5 * y / (100.0 + y) == pytest.approx(2.0, rel=1e-9)


@given(st.floats(0.0, 1e5), st.floats(0.0, 1e5))
def test_the_pump_is_three_to_two(outside, inside):
    potassium, sodium = ast.SodiumPotassiumPump()(jnp.asarray(outside), jnp.asarray(inside))
    assert 3.0 * float(potassium) == -2.0 * float(sodium)
    assert float(sodium) >= 0.0


def test_the_pump_and_the_rectifier_by_their_formulas():
    k_o, na_i, v, e_k = 8_000.0, 20_000.0, -75.0, -80.0
    potassium, _ = ast.SodiumPotassiumPump()(jnp.asarray(k_o), jnp.asarray(na_i))
    expected = -2 * 13.0 * (1 + 5.0 / 8.0) ** -2 * (1 + 10.0 / 20.0) ** -3
    assert float(potassium) == pytest.approx(expected, rel=1e-12)
    current = ast.InwardRectifier()(*map(jnp.asarray, (v, e_k, k_o)))
    expected = 25.0 / np.sqrt(8.0) / (1 + np.exp((v - e_k - 0.0) / 1.0)) * (v - e_k)
    assert float(current) == pytest.approx(expected, rel=1e-12)


def test_the_rectifier_is_silent_at_its_reversal_and_without_potassium():
    rectifier = ast.InwardRectifier()
    e_k, some, none = jnp.asarray(-88.0), jnp.asarray(3_500.0), jnp.asarray(0.0)
    assert float(rectifier(e_k, e_k, some)) == 0.0
    assert float(rectifier(e_k + 5.0, e_k, none)) == 0.0
    assert np.isfinite(float(jax.grad(rectifier, argnums=2)(e_k + 5.0, e_k, none)))
    inward, outward = (float(rectifier(e_k + d, e_k, some)) for d in (-5.0, 5.0))
    assert inward < -50 * outward < 0


def test_the_buffer_binds_what_is_published():
    buffer = ast.PotassiumBuffer()
    k_o = jnp.asarray(15_000.0)
    # At 15 mM the forward rate is half of 0.0008 /(mM ms): KB / (500 - KB) = 15 / 2.
    bound = buffer.equilibrium(k_o)
    assert float(bound) == pytest.approx(500e3 * 7.5 / 8.5, rel=1e-9)
    assert float(buffer.binding(k_o, bound)) == pytest.approx(0.0, abs=1e-9)


@functools.cache
def after_a_pulse():
    model = ast.PotassiumClearance()
    burst = tp.stimuli.Step(60.0, start=1000.0, stop=2000.0)
    run = functools.partial(tp.simulate, t1=240_000.0, dt=2.0, save_every=500.0, record="state")
    without = eqx.tree_at(lambda m: m.glia.rectifier.conductance, model, jnp.asarray(0.0))
    solve = eqx.filter_jit(lambda m: run(m, burst).ys)
    return model, solve(model), solve(without)


def test_potassium_and_sodium_are_conserved_in_the_closed_system():
    model, y, _ = after_a_pulse()
    assert float(jnp.max(y.k_cleft)) > 1.1 * float(y.k_cleft[0])
    for total in (model.total_potassium, model.total_sodium):
        found = np.asarray(jax.vmap(total)(y))
        np.testing.assert_allclose(found, found[0], rtol=1e-10)
    # The control: without the bound part the total is not the same.
    partial = np.asarray(jax.vmap(model.total_potassium)(y) - y.bound)
    assert np.max(np.abs(partial / partial[0] - 1)) > 1e-6


def test_potassium_returns_to_rest_and_kir_buffers_it():
    model, y, without = after_a_pulse()
    rest = jax.tree.leaves(model.vector_field(0.0, model.init(), None))
    assert max(abs(float(x)) for x in rest) < 1e-12
    k = np.asarray(y.k_cleft)
    assert abs(k[-1] / k[0] - 1) < 1e-4
    assert float(jnp.max(y.k_glia)) > 1.02 * float(y.k_glia[0])
    assert np.max(without.k_cleft) - k[0] > 2.0 * (np.max(k) - k[0])


@pytest.mark.slow
def test_the_closed_system_runs_in_float32_and_has_gradients():
    def peak(strength):
        model = eqx.tree_at(lambda m: m.glia.pump.strength, ast.PotassiumClearance(), strength)
        sol = tp.simulate(model, 20.0, t1=200.0, dt=2.0)
        return sol.ys["potassium"][-1]

    at, h = jnp.asarray(13.0), 1e-3
    slope = float(jax.grad(peak)(at))
    difference = float(peak(at + h) - peak(at - h)) / (2 * h)
    # h^2 of truncation, and round-off of 1e-12 over h.
    assert slope == pytest.approx(difference, rel=1e-5)
    model = tp.astype(ast.PotassiumClearance(), jnp.float32)
    sol = tp.simulate(model, None, t1=200.0, dt=2.0)
    assert sol.ys["potassium"].dtype == jnp.float32
    np.testing.assert_allclose(sol.ys["potassium"], 3500.0, rtol=1e-4)
