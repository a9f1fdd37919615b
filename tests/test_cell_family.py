"""Published cells against SciPy, their kinds of firing, and their time-varying integrators."""

import functools
import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import cell_oracles as oracles
import tripartite as tp
from oracles import observed_order
from tripartite import cells
from tripartite import channels as ch
from tripartite.solvers import AllAtOnceExponential, ClassicalRK4, SymmetricExponential

PRESETS = {name: getattr(cells, name) for name in oracles.CELLS}
# Enough for at least one action potential within 40 ms (uA/cm2).
CURRENTS = {
    "TraubMiles": 5.0, "PospischilRS": 4.0, "PospischilFS": 4.0, "PospischilIB": 3.0,
    "PospischilLTS": 3.0, "WangBuzsaki": 2.0, "ConnorStevens": 12.0, "MorrisLecar": 350.0,
}  # fmt: skip
# Round-off grows where an action potential starts: eps x 1,000 mV x 4,500 (see the certificate).
ROUND_OFF = 1e-9


def calcium_cell():
    """Calcium enters by a Nernst and a GHK channel, and opens two potassium channels."""
    sources = (
        ch.NernstChannel("t_calcium", ch.t_type_gates(), 0.4),
        ch.GHKChannel("l_calcium", ch.l_type_gates(), ch.permeability_current(5e-6)),
    )
    others = (
        ch.TraubMilesSodium(50.0, threshold=-55.0), ch.TraubMilesPotassium(5.0, threshold=-55.0),
        ch.CalciumPotassium(0.3), ch.AfterHyperpolarisation(0.1), ch.HCurrent(0.02),
        ch.PersistentSodium(0.02), ch.Leak(0.05, -70.0),
    )  # fmt: skip
    pool = ch.CalciumPool(("t_calcium", "l_calcium"))
    return cells.ConductanceCell((*sources, *others), pool=pool)


@functools.cache
def tight(name):
    settings = {"t1": 40.0, "rtol": 1e-10, "atol": 1e-10, "save_every": 0.25}
    sol = tp.simulate(PRESETS[name](), CURRENTS[name], **settings)
    return np.asarray(sol.ts), np.asarray(sol.ys["v"])


@pytest.mark.parametrize("name", PRESETS)
def test_voltage_against_scipy(name):
    ts, v = tight(name)
    expected = oracles.solve(name, CURRENTS[name], ts)
    # A local error of 1e-10 x 90 mV in each of some thousand steps, and up to a hundredfold growth
    # where an action potential starts.
    np.testing.assert_allclose(v, expected, rtol=0, atol=1e-4)
    assert v.max() > (20.0 if name != "MorrisLecar" else 10.0)


def at(cell, v):
    """The cell's state at `v` with every gate at its steady state."""
    v = jnp.asarray(v)
    gates = {c.name: c.init(v) for c in cell.channels}
    return cell.init()._replace(v=v, gates=gates)


@pytest.mark.parametrize("name", PRESETS)
def test_resting_states(name):
    cell = PRESETS[name]()
    for current in (0.0, 0.5):
        for v in oracles.steady_voltages(name, current):
            slope = cell.vector_field(0.0, at(cell, v), current)
            # A zero of the oracle, to the root find's 1e-12 mV times the largest conductance.
            assert max(abs(float(x)) for x in jax.tree.leaves(slope)) < 1e-8


def crossings(preset, currents, t1, **parameters):
    """Spike times under each constant current, in one compiled call."""
    cell = preset(**parameters)

    def solve(current):
        sol = tp.simulate(cell, current, t1=t1, dt=0.05, save_every=0.1, throw=False)
        return sol.ys["v"]

    v = np.asarray(eqx.filter_jit(eqx.filter_vmap(solve))(jnp.asarray(currents)))
    return [tp.analysis.spike_times(0.1 * np.arange(v.shape[1]), x) for x in v]


def test_connor_stevens_starts_firing_as_slowly_as_one_likes():
    silent, slow, faster, fast = crossings(cells.ConnorStevens, [8.1, 8.2, 8.5, 15.0], 1000.0)
    # Type I: the rest meets a saddle, so the first rate is near zero and grows without a jump.
    assert len(silent) == 0
    assert len(oracles.steady_voltages("ConnorStevens", 8.1)) == 3
    assert len(oracles.steady_voltages("ConnorStevens", 8.2)) == 1
    intervals = [np.diff(times)[-1] for times in (slow, faster, fast)]
    assert intervals[0] > 250.0 > 150.0 > intervals[1] > 50.0 > intervals[2]
    # A square-root law near the saddle-node, between 8.1 and 8.2.
    assert (intervals[0] / intervals[1]) ** 2 > 4.0


def test_a_leak_at_minus_seventy_needs_more_current():
    cell = cells.connor_stevens_negative_leak()
    assert float(cell.channels[-1].reversal) == -70.0
    sol = tp.simulate(cell, 15.0, t1=100.0, dt=0.05)
    assert len(tp.analysis.spike_times(sol.ts, sol.ys["v"])) == 0


def test_wang_buzsaki_at_two():
    (times,) = crossings(cells.WangBuzsaki, [2.0], 60.0)
    fine = np.arange(0.0, 60.0, 0.01)
    expected = tp.analysis.spike_times(fine, oracles.solve("WangBuzsaki", 2.0, fine))
    # The fixed step of 0.05 ms is second order: a few hundredths of a millisecond by the last.
    np.testing.assert_allclose(times, expected, rtol=0, atol=0.1)
    assert 1000 / np.diff(times)[-1] == pytest.approx(102.0, abs=2.0)


def test_cortical_cells_fire_as_their_names_say():
    (regular,) = crossings(cells.PospischilRS, [1.0], 500.0)
    (fast,) = crossings(cells.PospischilFS, [5.0], 100.0)
    assert np.diff(regular)[-1] > 1.8 * np.diff(regular)[0]
    assert np.diff(fast)[0] < 10.0
    # A burst on the low-threshold spike, then single spikes; without calcium one late spike.
    low = cells.PospischilLTS()
    without = eqx.tree_at(lambda c: c.channels[3].conductance, low, jnp.asarray(0.0))
    burst, single = (
        tp.analysis.spike_times(sol.ts, sol.ys["v"])
        for sol in (tp.simulate(cell, 0.52, t1=150.0, dt=0.05) for cell in (low, without))
    )
    assert np.diff(burst)[1] > 3 * np.diff(burst)[0]
    assert len(single) == 1
    assert single[0] > burst[1] + 20.0


def jacobian(cell, v, current):
    y, rebuild = jax.flatten_util.ravel_pytree(at(cell, v))

    def field(x):
        return jax.flatten_util.ravel_pytree(cell.vector_field(0.0, rebuild(x), current))[0]

    return np.asarray(jax.jacfwd(field)(y))


def test_morris_lecar_oscillates_between_two_currents():
    cell = cells.MorrisLecar()
    growth = {}
    for current in (250.0, 350.0, 500.0):
        (v,) = oracles.steady_voltages("MorrisLecar", current, -60.0, 40.0)
        growth[current] = oracles.eigenvalues("MorrisLecar", current, v).real.max()
        found = np.linalg.eigvals(jacobian(cell, v, current)).real.max()
        assert found == pytest.approx(growth[current], abs=1e-6)
        sol = tp.simulate(cell, current, t1=1000.0, dt=0.1)
        late = np.asarray(sol.ys["v"])[-2000:]
        assert (np.ptp(late) > 10.0) == (current == 350.0)
    assert growth[250.0] < 0 < growth[350.0]
    assert growth[500.0] < 0


def numbers(preset):
    signature = inspect.signature(preset)
    return {n: p.default for n, p in signature.parameters.items() if isinstance(p.default, float)}


@pytest.mark.parametrize("name", PRESETS)
def test_every_keyword_arrives(name):
    preset = PRESETS[name]
    for keyword, value in numbers(preset).items():
        changed = preset(**{keyword: 1.25 * value})
        leaves = zip(*map(jax.tree.leaves, (preset(), changed)), strict=True)
        assert any(float(a) != float(b) for a, b in leaves), keyword


@pytest.mark.parametrize("name", PRESETS)
def test_bad_presets(name):
    with pytest.raises(ValueError, match=r"ConductanceCell\.capacitance must be positive"):
        PRESETS[name](capacitance=0.0)
    with pytest.raises(ValueError, match=r"must be finite, got nan"):
        PRESETS[name](g_leak=np.nan)


CONDUCTANCE_CELLS = PRESETS | {"nine channels and calcium": calcium_cell}


@pytest.mark.parametrize("name", CONDUCTANCE_CELLS)
def test_integrators_are_the_cell(name):
    cell = CONDUCTANCE_CELLS[name]()
    units = cells.TVLIF(cell)
    assert len(units.init().shares) == len(cell.channels)
    drive = tp.stimuli.Step(CURRENTS.get(name, 3.0), start=5.0)
    run = functools.partial(tp.simulate, stimulus=drive, t1=30.0, dt=0.01, save_every=0.1)
    v, other = (run(model, solver=ClassicalRK4()).ys["v"] for model in (cell, units))
    assert np.ptp(v) > 20.0
    assert float(jnp.max(jnp.abs(v - other))) < ROUND_OFF


@pytest.mark.parametrize("form", [cells.TVLIF, cells.DerivativeTVLIF])
def test_integrators_share_the_cell_s_calcium(form):
    cell = calcium_cell()
    run = functools.partial(tp.simulate, stimulus=3.0, t1=20.0, dt=0.02, record="state")
    ys, other = (run(model, solver=ClassicalRK4()).ys for model in (cell, form(cell)))
    assert float(jnp.max(ys.calcium)) > 2 * 0.24
    # Calcium follows v through a slope of less than 1 uM/mV.
    assert float(jnp.max(jnp.abs(ys.calcium - other.calcium))) < 10 * ROUND_OFF


def test_calcium_charges_as_its_current_says():
    # A leak that carries calcium, at a voltage held by a very large conductance: c tends to
    # rest + tau influx g (E - v) = 0.24 + 5 x 0.05 x 0.1 x 180 = 4.74 uM in 5 ms.
    pool = ch.CalciumPool(("entry",), influx=0.05)
    entry = ch.Channel("entry", {}, conductance=0.1, reversal=120.0)
    cell = cells.ConductanceCell((entry, ch.Leak(1e9, -60.0)), v_init=-60.0, pool=pool)
    sol = tp.simulate(cell, None, t1=10.0, dt=0.5, record="state")
    expected = 4.74 - 4.5 * np.exp(-np.asarray(sol.ts) / 5.0)
    np.testing.assert_allclose(sol.ys.calcium, expected, rtol=1e-6)


@pytest.mark.parametrize(("solver", "order"), [(True, 2.0), (False, 1.0)])
@pytest.mark.parametrize("make", [cells.WangBuzsaki, calcium_cell], ids=["WB", "calcium"])
def test_coefficients_of_their_own_state_need_the_midpoint(make, solver, order):
    cell, steps = make(), [0.04, 0.02, 0.01]
    run = functools.partial(tp.simulate, cell, 1.0, t1=4.0, save_every=0.4)
    exact = run(rtol=1e-10, atol=1e-10).ys["v"]
    fixed = SymmetricExponential(midpoint=solver)
    gaps = [float(jnp.max(jnp.abs(run(dt=dt, solver=fixed).ys["v"] - exact))) for dt in steps]
    assert observed_order(gaps, steps) == pytest.approx(order, abs=0.2)


def test_float32():
    for make in (cells.WangBuzsaki, calcium_cell):
        cell = tp.astype(make(), jnp.float32)
        y = cell.init()
        slope = cell.vector_field(jnp.zeros((), jnp.float32), y, None)
        assert {x.dtype for x in jax.tree.leaves((y, slope))} == {jnp.dtype(jnp.float32)}


SLOW = pytest.mark.slow
CHECKED = [
    cells.MorrisLecar, cells.WangBuzsaki, cells.FitzHughNagumo, cells.HindmarshRose,
    *(pytest.param(PRESETS[n], marks=SLOW) for n in PRESETS if n not in
      ("MorrisLecar", "WangBuzsaki")),
    pytest.param(calcium_cell, marks=SLOW),
]  # fmt: skip


@pytest.mark.parametrize("make", CHECKED, ids=lambda make: make.__name__)
def test_conforms(make):
    tp.testing.check(make()).assert_ok()


def fitzhugh_nagumo(t, y):
    v, w = y
    return [v - v**3 / 3 - w + 0.5, 0.08 * (v + 0.7 - 0.8 * w)]


def hindmarsh_rose(t, y):
    x, r, z = y
    return [r - x**3 + 3 * x**2 - z + 2.0, 1 - 5 * x**2 - r, 0.001 * (4 * (x + 1.6) - z)]


@pytest.mark.parametrize(
    ("make", "field", "current"),
    [(cells.FitzHughNagumo, fitzhugh_nagumo, 0.5), (cells.HindmarshRose, hindmarsh_rose, 2.0)],
)
def test_reduced_cells_against_scipy(make, field, current):
    sol = tp.simulate(make(), current, t1=60.0, rtol=1e-10, atol=1e-10, save_every=0.5)
    start = [float(x) for x in make().init()]
    ts = np.asarray(sol.ts)
    exact = solve_ivp(field, (0, 60), start, "DOP853", ts, rtol=1e-11, atol=1e-11).y[0]
    assert np.ptp(exact) > 3.0
    # As for the conductance cells, with variables of size two.
    np.testing.assert_allclose(sol.ys["v"], exact, rtol=0, atol=1e-6)
    slow = tp.simulate(make(unit_time=10.0), current, t1=600.0, dt=0.1, save_every=5.0)
    quick = tp.simulate(make(), current, t1=60.0, dt=0.01, save_every=0.5)
    np.testing.assert_allclose(slow.ys["v"], quick.ys["v"], rtol=0, atol=1e-9)


def test_fitzhugh_nagumo_rests_where_it_starts():
    rest = cells.FitzHughNagumo()
    slope = rest.vector_field(0.0, rest.init(), None)
    assert max(abs(float(x)) for x in slope) < 1e-13


def test_hindmarsh_rose_bursts():
    sol = tp.simulate(cells.HindmarshRose(), 2.0, t1=1500.0, dt=0.05, save_every=0.1)
    times = tp.analysis.spike_times(sol.ts, sol.ys["v"], threshold=0.5, rearm=0.0)
    pauses = np.diff(times[times > 500.0])
    assert pauses.max() > 5 * np.median(pauses)


@pytest.mark.parametrize("form", [cells.TVLIF, cells.DerivativeTVLIF])
def test_reduced_cells_are_outside_the_theorem(form):
    with pytest.raises(ValueError, match="need a ConductanceCell, got FitzHughNagumo: the theorem"):
        form(cells.FitzHughNagumo())


@pytest.mark.parametrize("solver", [SymmetricExponential(), AllAtOnceExponential()])
def test_exponential_steps_do_not_serve_reduced_cells(solver):
    with pytest.raises(ValueError, match="relax"):
        tp.simulate(cells.HindmarshRose(), 2.0, t1=1.0, dt=0.1, solver=solver)
