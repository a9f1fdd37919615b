"""Integrate-and-fire cells against SciPy, closed forms, and what papers say of their patterns."""

import functools
import re
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import tripartite as tp
from tripartite import cells
from tripartite.cells.exponential import Pattern
from tripartite.cells.quadratic import Kind

PATTERNS, KINDS = get_args(Pattern), get_args(Kind)
# The currents of figure 2 of the paper are not printed; these make each type fire as it shows.
CURRENTS = dict.fromkeys(KINDS, 10.0) | {"TC": 2.0, "RZ": 0.5}


@jax.jit
def solve(cell, step):
    solution = tp.simulate(
        cell, step, t1=500.0, save_every=500.0, max_spikes=128, rtol=1e-10, atol=1e-10
    )
    return solution.stats["spikes"]


def fired(cell, current, stop=1e6):
    spikes = solve(cell, tp.stimuli.Step(current, stop=stop))
    return np.asarray(spikes.times)[: int(spikes.count)]


@functools.cache
def adex(pattern):
    return fired(cells.adex(pattern), cells.adex_current(pattern))


@functools.cache
def izhikevich(kind):
    return fired(cells.izhikevich(kind), CURRENTS[kind])


def by_scipy(field, start, low, top, after, t1):
    """Spike times by SciPy: in time up to `low` mV, and from there to `top` with v as the clock.

    v runs away in finite time, where a solver in time would have to take ever shorter steps.
    """
    t, y, found = 0.0, np.array(start), []
    settings = {"rtol": 1e-11, "atol": 1e-11, "method": "DOP853"}

    def reached(t, y):
        return y[0] - low

    reached.terminal, reached.direction = True, 1

    def upwards(v, z):
        dv, dw = field(0.0, (v, z[1]))
        return 1.0 / dv, dw / dv

    while True:
        solution = solve_ivp(field, (0.0, t1 - t), y, events=reached, **settings)
        assert solution.status >= 0
        if not len(solution.t_events[0]):
            return np.array(found)
        t += solution.t_events[0][0]
        w = solution.y_events[0][0][1]
        took, w = solve_ivp(upwards, (low, top), (0.0, w), **settings).y[:, -1]
        t += took
        if t > t1:
            return np.array(found)
        found.append(t)
        y = after(w)


def adex_oracle(pattern, t1):
    names = ("capacitance", "leak", "rest", "onset", "slope", "coupling", "adaptation_time")
    names = (*names, "increment", "reset")
    c, g, rest, onset, slope, a, tau, b, reset = (
        float(getattr(cells.adex(pattern), name)) for name in names
    )
    current = cells.adex_current(pattern)

    def field(t, y):
        v, w = y
        upstroke = g * slope * np.exp((v - onset) / slope)
        return (-g * (v - rest) + upstroke - w + current) / c, (a * (v - rest) - w) / tau

    return by_scipy(field, (rest, 0.0), -30.0, 0.0, lambda w: np.array([reset, w + b]), t1)


def izhikevich_oracle(kind, t1):
    cell, current = cells.izhikevich(kind), CURRENTS[kind]
    a, b, c, d = (float(getattr(cell, n)) for n in ("rate", "sensitivity", "reset", "increment"))

    def field(t, y):
        v, w = y
        return 0.04 * v**2 + 5.0 * v + 140.0 - w + current, a * (b * v - w)

    return by_scipy(field, (-65.0, -65.0 * b), -20.0, 30.0, lambda w: np.array([c, w + d]), t1)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_of_the_adex_cell_has_scipy_s_spike_times(pattern):
    # 1e-6 ms, as the two tolerances of 1e-10 and 1e-11 allow of spikes that do not amplify an
    # error; the irregular pattern does, several times at each spike, and has fewer of them here.
    t1 = 100.0 if pattern == "irregular" else 300.0
    expected = adex_oracle(pattern, t1)
    times = adex(pattern)
    times = times[times <= t1]
    assert times.shape == expected.shape
    assert np.abs(times - expected).max() < 1e-6


@pytest.mark.parametrize("kind", KINDS)
def test_every_type_of_izhikevich_cell_has_scipy_s_spike_times(kind):
    expected = izhikevich_oracle(kind, 300.0)
    times = izhikevich(kind)
    times = times[times <= 300.0]
    assert times.shape == expected.shape
    assert np.abs(times - expected).max() < 1e-6


def bursts(times, gap):
    """The numbers of spikes between silences longer than `gap` ms; the last may be cut off."""
    ends = np.flatnonzero(np.diff(times) > gap)
    return np.diff(np.concatenate([[-1], ends]))


def spread(intervals):
    return np.std(intervals) / np.mean(intervals)


def test_the_adex_patterns_are_what_their_names_say():
    # Naud et al. (2008), section 2.2 and figure 4.
    intervals = {name: np.diff(adex(name)) for name in PATTERNS}
    settled = intervals["tonic"][-10:]
    assert spread(settled) < 1e-3 and len(adex("tonic")) > 40
    adapting = intervals["adapting"]
    assert np.all(np.diff(adapting) > -1e-6) and adapting[-1] > 5 * adapting[0]
    # A burst, and single spikes afterwards.
    first = intervals["initial burst"]
    assert np.all(first[:2] < 10.0) and np.all(first[2:] > 40.0) and spread(first[3:]) < 0.1
    # Bursts of the same size, for ever.
    assert set(bursts(adex("bursting"), 25.0)[1:]) == {2}
    delayed = adex("delayed accelerating")
    assert delayed[0] > 1.5 * np.diff(delayed)[0] and np.all(np.diff(np.diff(delayed)) < 0)
    late = adex("delayed bursting")
    assert late[0] > 2 * np.diff(late)[:3].max() and set(bursts(late, 25.0)) == {4}
    assert 1 <= len(adex("transient")) <= 3 and adex("transient")[-1] < 50.0
    # Neither a period nor two: no interval comes back after one, two, three or four others.
    irregular = intervals["irregular"][5:]
    for k in (1, 2, 3, 4):
        assert np.median(np.abs(irregular[k:] - irregular[:-k])) > 0.5
    assert spread(irregular) > 0.2


def test_the_izhikevich_types_are_what_their_names_say():
    # Izhikevich (2003), section III and figure 2.
    intervals = {name: np.diff(izhikevich(name)) for name in KINDS}
    # Regular: the first interval is short, then the frequency settles low.
    assert intervals["RS"][0] < 0.6 * intervals["RS"][-1] and spread(intervals["RS"][2:]) < 0.01
    # Intrinsically bursting: a burst of three or so, and single spikes.
    assert np.all(intervals["IB"][:2] < 6.0) and np.all(intervals["IB"][3:] > 25.0)
    # Chattering: bursts again and again, faster inside than any other type.
    sizes = bursts(izhikevich("CH"), 20.0)
    assert len(sizes) > 5 and sizes[1:].min() >= 3
    assert np.median(intervals["CH"][intervals["CH"] < 20.0]) < 4.0
    # Fast spiking: high frequency, hardly any adaptation.
    assert intervals["FS"][-1] < 10.0 and intervals["FS"][-1] < 2.0 * intervals["FS"][0]
    # Low threshold: fires fast, and adapts by a factor.
    assert intervals["LTS"][0] < 5.0 and intervals["LTS"][-1] > 3.0 * intervals["LTS"][0]
    # Tonic from rest in the thalamus; and a resonator is tonic under a current as small as 0.5.
    assert spread(intervals["TC"][-5:]) < 0.01 and len(izhikevich("TC")) > 10
    assert spread(intervals["RZ"][-5:]) < 0.01 and len(izhikevich("RZ")) > 5


def test_a_thalamic_cell_fires_a_rebound_burst_and_a_regular_one_none():
    # Released from hyperpolarisation, as the second panel of TC in the paper's figure 2.
    times = fired(cells.izhikevich("TC"), -10.0, stop=100.0)
    assert len(times) >= 3 and times[0] > 100.0 and times[2] - times[0] < 20.0
    assert len(fired(cells.izhikevich("RS"), -10.0, stop=100.0)) == 0


def test_the_quadratic_cell_has_the_period_of_its_closed_form():
    cell = cells.QIF()
    rest, critical, top, reset = -65.0, -50.0, 30.0, -70.0
    k, middle = 0.1 / 15.0, 0.5 * (rest + critical)
    for current in (0.5, 2.0):
        s = np.sqrt(current / k - (critical - rest) ** 2 / 4.0)
        period = (np.arctan((top - middle) / s) - np.arctan((reset - middle) / s)) / (k * s)
        times = fired(cell, current)
        # A step may err by 1e-10 of v, 7e-9 mV, which is 6e-8 ms where v is slowest (0.12 mV/ms);
        # some ten steps are taken there.
        assert np.abs(np.diff(times) - period).max() < 1e-6
    assert len(fired(cell, 0.37)) == 0  # below g (critical - rest) / 4 = 0.375 uA/cm2


def test_the_exponential_cell_is_the_adaptive_one_without_adaptation():
    # 1 uF/cm2, 0.1 mS/cm2 and 1 uA/cm2 over 20,000 um2 are 200 pF, 20 nS and 200 pA.
    same = {"rest": -65.0, "slope": 3.48, "onset": -59.9, "reset": -68.0, "increment": 0.0}
    whole = cells.AdEx(capacitance=200.0, leak=20.0, coupling=0.0, adaptation_time=1.0, **same)
    alone, adaptive = fired(cells.EIF(), 1.0), fired(whole, 200.0)
    assert len(alone) > 20
    assert np.abs(alone - adaptive).max() < 1e-6


@pytest.mark.parametrize("cell, current", [(cells.EIF(), 1.0), (cells.izhikevich("RS"), 10.0)])
def test_steps_and_events_agree(cell, current):
    dt = 0.01
    solution = tp.simulate(cell, current, t1=100.0, dt=dt)
    stepped = np.asarray(solution.ts)[np.asarray(solution.ys["spike"]) > 0]
    located = fired(cell, current)
    located = located[located < 100.0]
    assert len(stepped) == len(located) > 2
    # Each spike waits for the end of its step: on average half a step, at most one.
    delay = np.diff(stepped, prepend=0.0) - np.diff(located, prepend=0.0)
    assert np.all(np.abs(delay) < 2 * dt)


@pytest.mark.parametrize("make", [cells.EIF, cells.QIF, cells.AdEx, cells.Izhikevich])
def test_a_cell_conforms(make):
    precision = jnp.float32 if make is cells.AdEx else jnp.float64
    tp.testing.check(tp.astype(make(), precision)).assert_ok()


def test_what_cannot_be_made_says_so():
    for make, text in (
        (
            lambda: cells.AdEx(threshold=-60.0),
            "AdEx.threshold must exceed AdEx.reset, got -60.0 and -58.0 mV: otherwise the cell "
            "fires on every step.",
        ),
        (lambda: cells.QIF(reset=30.0), "QIF.threshold must exceed QIF.reset, got 30.0 and 30.0"),
        (lambda: cells.EIF(reset=5.0), "EIF.threshold must exceed EIF.reset"),
        (lambda: cells.Izhikevich(reset=31.0), "Izhikevich.threshold must exceed Izhikevich.reset"),
        (
            lambda: cells.QIF(critical=-66.0),
            "QIF.critical must exceed QIF.rest, got -66.0 and -65.0 mV: it would run away",
        ),
        (lambda: cells.EIF(slope=0.0), "EIF.slope must be positive, got 0.0 mV"),
        (lambda: cells.adex("bursty"), "no firing pattern 'bursty': give one of 'tonic', "),
        (lambda: cells.izhikevich("XX"), "kind must be one of 'RS', 'IB', "),
        (lambda: cells.EIF(surrogate=3.0), "EIF.surrogate must be a core.surrogates.Abstract"),
    ):
        with pytest.raises(ValueError, match=re.escape(text)):
            make()


def test_a_surrogate_gives_clocked_spikes_a_derivative():
    surrogate = tp.core.surrogates.FastSigmoid(width=10.0)

    def count(current):
        cell = cells.EIF(surrogate=surrogate)
        solution = tp.simulate(cell, current, t1=16.0, dt=0.25, adjoint="by steps")
        return jnp.sum(solution.ys["spike"])

    assert float(jax.grad(count)(1.0)) > 0.0
