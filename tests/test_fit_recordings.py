"""Clamps against what they are, and fits of cells to recordings."""

import importlib
import sys
from pathlib import Path

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import fit

PASSIVE = tp.cells.ConductanceCell((tp.channels.Leak(0.3, -54.0),), v_init=-54.0)


def test_a_current_clamp_of_a_passive_cell_is_its_exponential():
    amplitudes = np.array([1.0, -2.0, 0.0])
    clamp = fit.CurrentClamp.steps(
        amplitudes, start=2.0, stop=8.0, t1=12.0, dt=0.05, save_every=0.5
    )
    found = eqx.filter_jit(clamp)(PASSIVE)
    ts, rate = clamp.times(), 0.3
    on = 1.0 - np.exp(-rate * np.clip(ts - 2.0, 0.0, 6.0))
    charged = amplitudes[:, None] / 0.3 * on * np.exp(-rate * np.clip(ts - 8.0, 0.0, None))
    # The exponential step is exact for one linear state and a held current; the edges of the step
    # lie on the grid, so that only rounding over 240 steps is left of 54 mV.
    np.testing.assert_allclose(found, -54.0 + charged, rtol=0, atol=240 * 54 * 2.3e-16)


def test_sampled_currents_one_sweep_and_many():
    currents = np.stack([np.linspace(0.0, 4.0, 41), np.zeros(41)])
    two = fit.CurrentClamp.sampled(currents, 0.05, t1=2.0)
    one = fit.CurrentClamp.sampled(currents[:1], 0.05, t1=2.0)
    both = two(PASSIVE)
    assert both.shape == (2, 41)
    # The same steps mapped and not: rounding of 54 mV, 40 times.
    np.testing.assert_allclose(one(PASSIVE)[0], both[0], rtol=0, atol=40 * 54 * 2.3e-16)
    np.testing.assert_allclose(both[1], -54.0)


def test_a_cell_pulled_hard_follows_the_record():
    clamp = fit.CurrentClamp.steps([0.0], start=0.0, stop=2.0, t1=2.0)
    record = jnp.full((1, 41), -40.0)
    free, held = clamp(PASSIVE), clamp(PASSIVE, towards=record, rate=1e3)
    np.testing.assert_allclose(free, -54.0)
    # At rest between a leak of 0.3 /ms and a pull of 1000 /ms: 14 mV * 0.3 / 1000.3.
    np.testing.assert_allclose(held[0, -1], -40.0 - 14.0 * 0.3 / 1000.3, rtol=1e-9)


def gate(alpha, beta, before, t):
    """A gate t ms after a step, from its steady state before."""
    infinity, rate = alpha / (alpha + beta), alpha + beta
    return infinity + (before - infinity) * np.exp(-rate * t)


def potassium_rates(v):
    """Hodgkin and Huxley's, with rest near -65 mV."""
    return 0.01 * (v + 55) / (1 - np.exp(-(v + 55) / 10)), 0.125 * np.exp(-(v + 65) / 80)


def test_a_voltage_clamp_is_hodgkin_and_huxleys():
    """Potassium and leak, whose currents under a clamp they solved: g n(t)^4 (v - E)."""
    cell = tp.cells.ConductanceCell((tp.channels.Potassium(), tp.channels.Leak(0.3, -54.0)))
    commands = np.array([-30.0, 10.0])
    clamp = fit.VoltageClamp(commands, -65.0, t1=6.0, start=1.0, dt=0.05)
    found = np.asarray(eqx.filter_jit(clamp)(cell))
    ts = clamp.times()
    for command, current in zip(commands, found, strict=True):
        held, stepped = potassium_rates(-65.0), potassium_rates(command)
        n = gate(*stepped, held[0] / sum(held), np.clip(ts - 1.0, 0.0, None))
        v = np.where(ts >= 1.0, command, -65.0)
        expected = 36.0 * n**4 * (v + 77.0) + 0.3 * (v + 54.0)
        # Exact steps of a linear gate at a held voltage: rounding of currents of at most 3,000.
        np.testing.assert_allclose(current, expected, rtol=0, atol=120 * 3e3 * 2.3e-16)
    alone = fit.VoltageClamp(commands, -65.0, t1=6.0, start=1.0, dt=0.05)(cell.channels[1])
    np.testing.assert_allclose(alone[:, -1], 0.3 * (commands + 54.0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_leak_is_fitted_from_a_clamp(dtype):
    """Linear in conductance: least squares by NumPy is the answer."""
    held = np.array([-80.0, -60.0, -40.0, -20.0])
    clamp = fit.VoltageClamp(held, -65.0, t1=0.2, dt=0.05)
    rng = np.random.default_rng(2)
    ts = clamp.times()
    current = 0.5 * (held[:, None] + 70.0) + rng.normal(size=(4, len(ts)))
    design = np.stack([np.repeat(held, len(ts)), np.ones(current.size)], axis=1)
    (slope, offset), *_ = np.linalg.lstsq(design, current.ravel(), rcond=None)
    cell = tp.astype(PASSIVE, dtype)
    found = fit.least_squares(
        cell,
        lambda cell, data, stage: fit.residuals(clamp(cell), data),
        jnp.asarray(current, dtype),
        where=lambda c: (c.channels[0].conductance, c.channels[0].reversal),
        constraints=(fit.Positive(), fit.Free(10.0)),
        rtol=1e-5,
        atol=1e-5,
    )
    assert found.model.channels[0].conductance.dtype == dtype
    # Stopped when a step is below 1e-5 of the free numbers (E_L in tens of mV).
    np.testing.assert_allclose(found.values["channels.leak.conductance"], slope, rtol=1e-4)
    np.testing.assert_allclose(found.values["channels.leak.reversal"], -offset / slope, atol=1e-2)
    assert found.losses.shape == (1,) and found.loss == found.losses[0]


def five(cell):
    sodium, potassium, leak = cell.channels
    return (
        sodium.conductance,
        potassium.conductance,
        leak.conductance,
        cell.capacitance,
        leak.reversal,
    )


FIVE = (*[fit.Positive()] * 4, fit.Free(10.0))


def axon_fit(setting, span, starts, key=None):
    """The benchmark's problem, `span` ms of it."""
    samples = round(span / setting.DT) + 1
    clamp = fit.CurrentClamp.sampled(
        setting.current()[None, :samples], setting.DT, t1=span, dt=setting.DT, adjoint="by steps"
    )
    truth = tp.cells.HodgkinHuxley()
    np.testing.assert_array_equal(np.stack(five(truth)), setting.TRUTH)
    data = clamp(truth) + setting.noise()[None, :samples]
    found = fit.least_squares(
        tp.cells.HodgkinHuxley(g_sodium=60.0, g_potassium=80.0, g_leak=0.5, capacitance=1.6)
        if starts is None
        else truth,
        lambda cell, data, rate: fit.residuals(clamp(cell, towards=data, rate=rate), data, 1.0),
        data,
        where=five,
        constraints=FIVE,
        stages=(10.0, 2.0, 0.5, 0.0),
        starts=starts,
        key=key,
    )
    values = np.stack([np.asarray(x) for x in found.every.values()], axis=1)
    return found, np.max(np.abs(values / setting.TRUTH - 1.0), axis=1), (clamp, truth)


@pytest.fixture(scope="module")
def setting():
    """The numbers of the benchmark, which every simulator is given."""
    folder = str(Path(__file__).parent.parent / "benchmarks" / "simulators")
    sys.path.insert(0, folder)
    yield importlib.import_module("fit_setting")
    sys.path.remove(folder)


@pytest.mark.gate
def test_an_axon_is_fitted_from_far_away(setting):
    found, off, (clamp, truth) = axon_fit(setting, 40.0, None)
    bound = tp.analysis.fisher_information(
        lambda z: clamp(fit.pack(truth, five, FIVE).unpack(z)), jnp.zeros(5), setting.NOISE
    )
    z = fit.pack(truth, five, FIVE).pack(found.model)
    # What the record can tell: within four standard errors of the truth, and noise left over.
    assert np.all(np.abs(z) < 4.0 * np.asarray(bound.standard_errors))
    # The mean of n squares of unit noise less five fitted numbers, within five of sqrt(2 / n).
    n = clamp.times().size
    assert abs(found.loss - (1.0 - 5.0 / n)) < 5.0 * np.sqrt(2.0 / n)
    assert found.losses.shape == (4,) and off.shape == (1,)


@pytest.mark.slow
def test_an_axon_is_fitted_from_twenty_random_starts(setting, key):
    found, off, _ = axon_fit(setting, setting.SPAN, 20, key)
    assert found.losses.shape == (4, 20)
    assert np.sum(off < setting.WITHIN) == 20


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: fit.CurrentClamp(3.0, t1=1.0),
            "stimuli must be an AbstractStimulus, such as",
        ),
        (
            lambda: fit.CurrentClamp(tp.stimuli.Step(1.0), t1=1.0),
            "needs the same leading axis, one entry per sweep",
        ),
        (
            lambda: fit.CurrentClamp.sampled(np.ones(3), 0.1, t1=1.0),
            "currents must have shape [sweeps, samples], got (3,)",
        ),
        (
            lambda: fit.CurrentClamp.steps([1.0], start=0.0, stop=1.0, t1=1.0)(
                PASSIVE, towards=jnp.ones((1, 3))
            ),
            "must have shape [sweeps, samples] = (1, 21), got (1, 3)",
        ),
        (
            lambda: fit.CurrentClamp.steps([1.0], start=0.0, stop=1.0, t1=1.0)(tp.astrocytes.ChI()),
            "records the voltage of a cell, got ChI: pass state=",
        ),
        (lambda: fit.VoltageClamp(10.0, -65.0, t1=1.0), "one voltage (mV) per sweep"),
        (lambda: fit.VoltageClamp([np.nan], -65.0, t1=1.0), "commands must be finite"),
        (
            lambda: fit.VoltageClamp([10.0], -65.0, t1=1.0, start=2.0),
            "a clamp needs 0 <= start < stop and start < t1",
        ),
        (
            lambda: fit.VoltageClamp([10.0], -65.0, t1=1.0)(tp.cells.LIF()),
            "needs a channel or a cell with channels, got LIF",
        ),
        (
            lambda: fit.least_squares(PASSIVE, print, None, starts=2),
            "random starts need a key, and nothing else does",
        ),
        (
            lambda: fit.least_squares(PASSIVE, print, None, stages=()),
            "at least one stage and one iteration, got 0 stages",
        ),
        (
            lambda: fit.least_squares(
                PASSIVE,
                lambda cell, data, stage: jnp.log(-cell.capacitance)[None],
                None,
                where=lambda c: c.capacitance,
            ),
            "the residuals are not finite where the fit ended",
        ),
    ],
)
def test_recordings_that_cannot_be_made_are_refused(call, words):
    with pytest.raises(ValueError) as raised:
        call()
    assert words in str(raised.value)
