"""Astrocytes one at a time against SciPy: rests, Hopf points, cycles, response classes, errors."""

import dataclasses
import functools

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import astrocyte_oracles as oracles
import tripartite as tp
from oracles import observed_order
from tripartite import astrocytes as ast
from tripartite.core import units

second = units.second


def distance_from_rest(model, y, u=None):
    """How far (one Newton step, the largest state) a state is from an equilibrium."""
    flat, rebuild = jax.flatten_util.ravel_pytree(y)

    def slope(x):
        return jax.flatten_util.ravel_pytree(model.vector_field(0.0, rebuild(x), u))[0]

    newton = jax.jit(lambda x: jnp.linalg.solve(jax.jacfwd(slope)(x), slope(x)))
    return float(jnp.max(jnp.abs(newton(flat))))


def state(kind, *values):
    return kind(*map(jnp.asarray, values))


def gchi_rest(values, guess):
    """The oracle's rest without input, in the order of our state."""
    quiet = oracles.gchi(values, lambda t: 0.0, lambda t: 0.0)
    receptors, ip3, calcium, h = oracles.rest(quiet, guess)
    return state(ast.GChIState, calcium, h, ip3, receptors)


# The model, its input, the oracle's rest (order of its own state), and the printed one.
RESTS = {
    "Li-Rinzel": lambda: (
        ast.LiRinzel(), 0.16,
        state(ast.LiRinzelState, *oracles.li_rinzel_rest(oracles.NADKARNI_JUNG, 0.16)),
        (0.0722218, 0.792421),
    ),
    "ChI, AM, 5 uM": lambda: (
        ast.DePittaAM(), 5.0,
        state(ast.ChIState, *oracles.rest(oracles.chi("AM", 5.0), [0.39, 0.59, 0.8])),
        (0.39061, 0.58892, 0.80010),
    ),
    "Lallouette": lambda: (
        ast.Lallouette(), 0.0,
        state(ast.ChIState, *oracles.rest(oracles.chi("Lallouette", 0.0), [0.035, 0.91, 0.30])),
        (0.0351464, 0.9122316, 0.3045949),
    ),
    "Handy": lambda: (
        ast.Handy(), 0.0,
        state(ast.HandyState, *oracles.rest(oracles.handy(lambda t: 0.0), [0.087, 36.5, 0.63])),
        (0.0865415, 36.49084, 0.6255124),
    ),
    "Ullah": lambda: (
        ast.Ullah(), 0.0,
        state(ast.UllahState, *oracles.rest(oracles.ullah, [0.066, 0.888, 0.686])),
        (0.066116, 0.888200, 0.685768),
    ),
    "the chapter's, no source": lambda: (
        ast.GChI(), 0.0, gchi_rest(oracles.NO_SOURCE, [0.0, 1.0, 0.43, 0.58]),
        (0.43534, 0.58353, 0.99749, 0.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", RESTS)
def test_rests_where_the_papers_say(name):
    model, u, rest, printed = RESTS[name]()
    # The oracle's roots are good to some 1e-12; a wrong constant moves the rest by 1e-4 and more.
    assert distance_from_rest(model, rest, u) < 1e-9
    # One in the last printed digit, which five to seven digits have (Ullah's IP3 is 0.6857671).
    np.testing.assert_allclose([float(x) for x in rest], printed, rtol=0, atol=1.1e-5)


@pytest.mark.parametrize("make", [ast.Handy, ast.Ullah, ast.Lallouette])
def test_cells_start_at_their_rest(make):
    # Printed to 7, 6 and 4 digits.
    accuracy = {ast.Handy: 1e-6, ast.Ullah: 2e-6, ast.Lallouette: 1e-4}[make]
    cell = make()
    assert distance_from_rest(cell, cell.init()) < accuracy
    growth = tp.analysis.eigenvalues(cell, cell.init(), 0.0)
    assert float(growth[0].real) < 0


def test_a_source_of_level_zero_is_not_no_source():
    sink, none = ast.StimbergFigure3(0.0), ast.GChI(agonist=0.0)
    held = gchi_rest(oracles.FIGURE_3, [0.0, 0.2, 0.03, 0.91])
    free = gchi_rest(oracles.NO_SOURCE, [0.0, 1.0, 0.43, 0.58])
    assert distance_from_rest(sink, held) < 1e-9
    assert distance_from_rest(none, free) < 1e-9
    # The sink holds IP3 below its threshold of 0.3 uM.
    assert float(held.ip3) < 0.3 < 0.99 < float(free.ip3)
    assert distance_from_rest(sink, free) > 0.1


def test_hopf_points():
    core = oracles.NADKARNI_JUNG
    branch = tp.analysis.follow_equilibria(lambda i: (ast.LiRinzel(), i), 0.2, 0.8)
    ends = [oracles.hopf(core, 0.3, 0.45), oracles.hopf(core, 0.55, 0.7)]
    np.testing.assert_allclose([p.parameter for p in branch.hopf], ends, rtol=1e-7)
    np.testing.assert_allclose(ends, [0.354534, 0.636882], atol=1e-6)  # printed
    calcium = [float(p.state.calcium) for p in branch.hopf]
    np.testing.assert_allclose(calcium, [0.155689, 0.323304], atol=1e-6)


def test_frequency_modulation_has_a_hopf_point_and_two_folds():
    core = oracles.with_pump(oracles.NADKARNI_JUNG, 0.051)
    branch = tp.analysis.follow_equilibria(lambda i: (ast.NadkarniJungFM(), i), 0.2, 1.0)
    last = branch.hopf[-1]
    assert last.parameter == pytest.approx(oracles.hopf(core, 0.7, 0.95), rel=1e-7)
    assert last.parameter == pytest.approx(0.857331, abs=1e-6)
    assert float(last.state.calcium) == pytest.approx(0.391943, abs=1e-6)
    # One equilibrium turns into three near 0.48, and back into one near 0.53.
    np.testing.assert_allclose(sorted(p.parameter for p in branch.folds), [0.479, 0.526], atol=1e-3)


def read_cycle(ts, c):
    """The period (s) and the extrema of a trace (ms), a parabola through each extremum."""

    def refined(k):
        a, b, d = c[k - 1], c[k], c[k + 1]
        return b - 0.125 * (d - a) ** 2 / (d - 2 * b + a)

    low, high = (int(f(c[1:-1])) + 1 for f in (np.argmin, np.argmax))
    middle = 0.5 * (c.min() + c.max())
    up = np.flatnonzero((c[:-1] < middle) & (c[1:] >= middle))
    times = ts[up] + (middle - c[up]) / (c[up + 1] - c[up]) * (ts[1] - ts[0])
    return (times[-1] - times[-2]) / second, refined(low), refined(high)


@eqx.filter_jit
def _settle(models, inputs, seconds):
    def solve(model, u):
        settled = tp.simulate(model, u, t1=300_000.0, save_every=300_000.0, rtol=1e-7, atol=1e-9)
        return tp.simulate(
            model, u, y0=settled.stats["y1"], t1=60_000.0, save_every=10.0, rtol=1e-8, atol=1e-10
        )

    found = eqx.filter_vmap(solve)(models, inputs)
    return found.ts[0], found.ys["calcium"]


def cycles(models, inputs):
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *models)
    ts, calcium = _settle(stacked, jnp.asarray(inputs), 60.0)
    return [read_cycle(np.asarray(ts), np.asarray(c)) for c in calcium]


def assert_cycle(found, expected, printed):
    # Periods 0.5 %, extrema 1e-4 relative; the printed values have four or five digits.
    assert found[0] == pytest.approx(expected[0], rel=5e-3)
    np.testing.assert_allclose(found[1:], expected[1:], rtol=1e-4)
    np.testing.assert_allclose(expected, printed, rtol=2e-3)


LI_RINZEL_CYCLES = [
    (ast.NadkarniJungAM, oracles.NADKARNI_JUNG, 0.4, (12.767, 0.1050, 0.3130)),
    (ast.NadkarniJungAM, oracles.NADKARNI_JUNG, 0.5, (11.492, 0.1077, 0.4446)),
    (ast.NadkarniJungAM, oracles.NADKARNI_JUNG, 0.6, (10.962, 0.1357, 0.5000)),
    (ast.NadkarniJungFM, oracles.with_pump(oracles.NADKARNI_JUNG, 0.051), 0.6,
     (26.320, 0.0312, 1.0197)),
    (ast.NadkarniJungFM, oracles.with_pump(oracles.NADKARNI_JUNG, 0.051), 0.8,
     (19.121, 0.0318, 1.0541)),
    (ast.BookLiRinzel, oracles.BOOK, 0.3, (15.75, 0.0584, 1.367)),
]  # fmt: skip


def test_li_rinzel_cycles():
    found = cycles([make() for make, *_ in LI_RINZEL_CYCLES], [row[2] for row in LI_RINZEL_CYCLES])
    for (_, core, ip3, printed), one in zip(LI_RINZEL_CYCLES, found, strict=True):
        field = oracles.li_rinzel(core, ip3)
        expected = oracles.cycle(lambda t, y, f=field: f(*y), [0.2, 0.7], 300.0, 60.0)
        assert_cycle(one, expected, printed)
    # Amplitude modulation: the swing grows with IP3. Frequency: the period falls, the top stays.
    assert found[0][2] < found[1][2] < found[2][2]
    assert found[3][0] > 1.3 * found[4][0]
    assert found[4][2] / found[3][2] < 1.05


CHI_CYCLES = {
    ("AM", 0.1): (10.72, 0.0971, 0.3707),
    ("AM", 2.5): (8.107, 0.1233, 0.5694),
    ("FM", 0.1): (19.49, 0.0295, 0.9631),
    ("FM", 2.5): (11.98, 0.0307, 1.1155),
    ("FM", 5.0): (11.79, 0.0312, 1.1310),
}


def test_chi_under_constant_glutamate():
    makes = {"AM": ast.DePittaAM, "FM": ast.DePittaFM}
    found = cycles([makes[name]() for name, _ in CHI_CYCLES], [g for _, g in CHI_CYCLES])
    for ((name, glutamate), printed), one in zip(CHI_CYCLES.items(), found, strict=True):
        field = oracles.chi(name, glutamate)
        expected = oracles.cycle(field, [0.09, 0.78, 0.22], 300.0, 60.0)
        assert_cycle(one, expected, printed)
    # At 5 uM the amplitude-modulated cell rests (see the table of rests), and stably.
    model, u, rest, _ = RESTS["ChI, AM, 5 uM"]()
    assert float(tp.analysis.eigenvalues(model, rest, u)[0].real) < 0


def pulses():
    amplitude, rise, rate, decay = np.array(list(oracles.PULSES.values())).T
    per_ms = (rise * second, rate * units.per_second, decay * second)
    zero = np.zeros_like(amplitude)
    return jax.vmap(ast.IP3Pulse)(*map(jnp.asarray, (amplitude, *per_ms, zero, zero + 0.005)))


def test_four_classes_of_response():
    @eqx.filter_jit
    def solve(pulse):
        run = functools.partial(tp.simulate, ast.Handy(), t1=200_000.0, dt=50.0, save_every=100.0)
        return run(pulse).ys["calcium"]

    traces = np.asarray(eqx.filter_vmap(solve)(pulses()))
    ts = 0.1 * np.arange(traces.shape[1])
    for (name, values), c in zip(oracles.PULSES.items(), traces, strict=True):
        expected = oracles.path(
            oracles.handy(oracles.ip3_pulse(*values)), (0.0865415, 36.49084, 0.6255124),
            ts, [values[1]],
        )[0]  # fmt: skip
        assert oracles.response_class(ts, c) == oracles.response_class(ts, expected) == name
        # Second order at 50 ms: (50 ms / 1 s)^2 of 1.2 uM; see the test of the order.
        np.testing.assert_allclose(c, expected, rtol=0, atol=3e-3)


ORDERS = {
    "LiRinzel": pytest.param(ast.LiRinzel, 0.5, marks=pytest.mark.slow),
    "GChI": (ast.StimbergFigure2, 5.0),
    "Handy": pytest.param(ast.Handy, 0.3, marks=pytest.mark.slow),
    "ChI": pytest.param(ast.DePittaAM, 2.5, marks=pytest.mark.slow),
    "Ullah": pytest.param(ast.Ullah, 1e-4, marks=pytest.mark.slow),
    "release": pytest.param(
        lambda: ast.SmoothRelease(ast.StimbergFigure3(1.25)), None, marks=pytest.mark.slow
    ),
}


@pytest.mark.parametrize(("make", "u"), ORDERS.values(), ids=ORDERS)
def test_the_symmetric_sweep_is_second_order(make, u):
    model, steps = make(), [20.0, 10.0]
    run = functools.partial(tp.simulate, model, u, t1=3000.0, save_every=300.0, record="state")
    exact = run(rtol=1e-10, atol=1e-12).ys

    def gap(dt):
        pairs = zip(*map(jax.tree.leaves, (run(dt=dt).ys, exact)), strict=True)
        return max(float(jnp.max(jnp.abs(a - b))) for a, b in pairs)

    assert observed_order([gap(dt) for dt in steps], steps) == pytest.approx(2.0, abs=0.15)


def ring_of_three():
    return ast.AstrocyteNetwork(ast.StimbergRing(), ast.ThresholdCoupling(), ast.ring(3), 3)


CHECKED = {
    "LiRinzel": ast.LiRinzel,
    "ChI": pytest.param(ast.DePittaFM, marks=pytest.mark.slow),
    "GChI": ast.StimbergFigure2,
    "Handy": pytest.param(ast.Handy, marks=pytest.mark.slow),
    "Ullah": pytest.param(ast.Ullah, marks=pytest.mark.slow),
    "NEST": ast.NESTAstrocyte,
    "release": pytest.param(
        lambda: ast.GliotransmitterRelease(ast.StimbergFigure3()), marks=pytest.mark.slow
    ),
    "smooth release": pytest.param(
        lambda: ast.SmoothRelease(ast.StimbergFigure3()), marks=pytest.mark.slow
    ),
    "stochastic": pytest.param(lambda: ast.StochasticGate(ast.LiRinzel()), marks=pytest.mark.slow),
    "uptake": lambda: ast.GlutamateUptake(transport=1.0),
    "clearance": pytest.param(ast.PotassiumClearance, marks=pytest.mark.slow),
    "ring": pytest.param(ring_of_three, marks=pytest.mark.slow),
}


@pytest.mark.parametrize("make", CHECKED.values(), ids=CHECKED)
def test_conforms(make):
    tp.testing.check(make()).assert_ok()


@pytest.mark.parametrize("make", [ast.LiRinzel, ast.DePittaAM, ast.StimbergFigure2, ast.Handy])
def test_float32_and_vmap(make):
    cell = tp.astype(make(), jnp.float32)
    levels = jnp.asarray([0.1, 1.0], jnp.float32)
    run = functools.partial(tp.simulate, cell, t1=500.0, dt=10.0)
    both = eqx.filter_jit(eqx.filter_vmap(lambda u: run(u).ys["calcium"]))(levels)
    chex.assert_type(both, jnp.float32)
    wide = tp.simulate(make(), 1.0, t1=500.0, dt=10.0).ys["calcium"]
    # Fifty steps, some ten roundings each, of values of 1 uM at most.
    np.testing.assert_allclose(both[1], wide, rtol=0, atol=50 * 10 * 6e-8)


def test_transients_are_first_order_uptake():
    times = jnp.asarray([100.0, 150.0])
    pulses = ast.Transients(500.0, times, 40.0 * units.per_second)
    ts = np.array([99.0, 100.0, 120.0, 160.0])
    found = jax.vmap(pulses)(jnp.asarray(ts))
    expected = [sum(500 * np.exp(-0.04 * (t - s)) for s in (100.0, 150.0) if t >= s) for t in ts]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_array_equal(pulses.jumps(), times)


def test_drives_take_numbers_arrays_and_stimuli():
    pulse = tp.stimuli.Step(2.0, start=5.0)
    given = ast.drive(glutamate=pulse, bias=np.array([0.0, 1.0]))(jnp.asarray(6.0))
    assert float(given.glutamate) == 2.0
    np.testing.assert_array_equal(given.bias, [0.0, 1.0])
    assert float(given.coupling) == float(given.spikes) == 0.0
    np.testing.assert_array_equal(ast.drive(glutamate=pulse).jumps(), [5.0, np.finfo(float).max])


BAD = {
    r"glutamate must not be negative, got -1.0 uM": lambda: tp.simulate(ast.GChI(), -1.0, t1=10.0),
    r"glutamate must not be negative, got -2.0": lambda: ast.drive(glutamate=-2.0),
    r"IP3 must not be negative, got -0.5 uM": lambda: ast.LiRinzel().vector_field(
        0.0, ast.LiRinzel().init(), -0.5
    ),
    r"calcium_init must not be negative, got -0.1 uM": lambda: ast.LiRinzel(calcium_init=-0.1),
    r"ip3_init must not be negative": lambda: ast.GChI(ip3_init=-0.1),
    r"total_init must not be negative": lambda: ast.Handy(total_init=-1.0),
    r"bias must not be negative, got -0.2 uM": lambda: ast.IP3Source(-0.2),
    r"Vesicles.share must be below 1, got 1.0": lambda: ast.Vesicles(share=1.0),
    r"jump must not be negative": lambda: ast.Transients(-5.0, [1.0]),
    r"k_glia must not be negative": lambda: ast.PotassiumClearance(k_glia=-1.0),
    r"CalciumStore.pump_half must be positive": lambda: ast.CalciumStore(pump_half=0.0),
    r"the input of this astrocyte is IP3 itself, got an AstrocyteDrive": lambda: tp.simulate(
        ast.LiRinzel(), ast.drive(glutamate=1.0), t1=10.0
    ),
    r"LiRinzel takes IP3 as its input and has none of its own": lambda: ast.LiRinzel().ip3(
        ast.LiRinzel().init()
    ),
    r"IP3Pulse.amplitude must be above its end": lambda: ast.IP3Pulse(0.001, 1.0, 1.0, 1.0),
    r"has an axis that the state has not": lambda: tp.simulate(
        ast.ChI(), np.array([1.0, 2.0]), t1=10.0
    ),
    r"NESTAstrocyte jumps between steps .* and needs a fixed step": lambda: tp.simulate(
        ast.NESTAstrocyte(), t1=10.0
    ),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input(message):
    with pytest.raises(ValueError, match=message):
        BAD[message]()


def test_no_default_is_made_before_the_precision_is_chosen():
    kinds = [x for x in vars(ast).values() if isinstance(x, type) and issubclass(x, eqx.Module)]
    assert len(kinds) > 15
    for kind in kinds:
        for field in dataclasses.fields(kind):
            assert not isinstance(field.default, eqx.Module), f"{kind.__name__}.{field.name}"
