"""Spike times: between samples, re-armed, for one trace or many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import oracles
from tripartite.analysis import spike_mask, spike_times


def wave(ts, period=7.0, low=-80.0, high=40.0):
    """A smooth spike train: crosses (low + high) / 2 = -20 mV upwards at each whole period."""
    return (low + high) / 2 + (high - low) / 2 * np.sin(2 * np.pi * ts / period)


def test_crossings_are_found_between_samples_to_fourth_order():
    # -20 + 60 sin(2 pi t / 7) = 0 where the sine is a third.
    exact = 7.0 * (np.arcsin(1 / 3) / (2 * np.pi) + np.arange(3))
    spacings, errors = [0.4, 0.2, 0.1], []
    for spacing in spacings:
        # The worst of grids that meet the crossings anywhere between two samples.
        worst = 0.0
        for shift in np.arange(16) / 16:
            ts = -3.0 + spacing * (shift + np.arange(int(20 / spacing)))
            found = spike_times(ts, wave(ts))
            assert len(found) == 3
            worst = max(worst, np.abs(found - exact).max())
        errors.append(worst)
    assert errors[-1] < 1e-5
    assert oracles.observed_order(errors, spacings) == pytest.approx(4.0, abs=0.5)


def test_a_cubic_is_read_exactly():
    ts = np.array([0.0, 1.0, 2.0, 4.0, 5.0])
    v = 3 * (ts - 1.7) * (ts**2 + 1)
    np.testing.assert_allclose(spike_times(ts, v, rearm=-0.1), [1.7], rtol=1e-12)


def test_at_the_ends_of_a_trace():
    np.testing.assert_allclose(spike_times([0.0, 1.0], [-30.0, 10.0]), [0.75], rtol=1e-12)
    assert len(spike_times([0.0, 1.0], [10.0, -30.0])) == 0
    # A trace that starts above the threshold has to fall below `rearm` first.
    ts = np.arange(6.0)
    assert len(spike_times(ts, np.array([5.0, -10.0, 5.0, -10.0, 5.0, -10.0]))) == 0
    assert len(spike_times(ts, np.array([5.0, -30.0, 5.0, -10.0, 5.0, -10.0]))) == 1


def test_noise_around_the_threshold_counts_once():
    v = np.array([-70.0, 5.0, -5.0, 5.0, -19.0, 5.0, -21.0, 5.0])
    np.testing.assert_array_equal(spike_mask(jnp.asarray(v)), [1, 0, 0, 0, 0, 0, 1, 0])
    every = spike_mask(jnp.asarray(v), rearm=0.0)
    np.testing.assert_array_equal(every, [1, 0, 1, 0, 1, 0, 1, 0])


def test_the_threshold_itself_counts_as_crossed():
    v = jnp.array([-70.0, 0.0, -70.0, -50.0])
    np.testing.assert_array_equal(spike_mask(v), [True, False, False, False])
    np.testing.assert_array_equal(spike_mask(v, threshold=-60.0, rearm=-65.0), [1, 0, 1, 0])


def test_many_traces_time_first():
    ts = 0.1 * np.arange(200)
    v = np.stack([wave(ts), wave(ts, period=5.0), np.full_like(ts, -65.0)], axis=1)
    found = spike_times(ts, v)
    assert [len(times) for times in found] == [3, 4, 0]
    np.testing.assert_allclose(found[1], spike_times(ts, v[:, 1]), rtol=1e-15)
    nested = spike_times(ts, v[:, :, None])
    np.testing.assert_allclose(nested[0][0], found[0], rtol=1e-15)


def test_the_mask_under_jit_and_vmap():
    ts = 0.1 * np.arange(200)
    v = jnp.stack([jnp.asarray(wave(ts)), jnp.asarray(wave(ts, period=5.0))])
    mapped = jax.jit(jax.vmap(spike_mask))(v)
    np.testing.assert_array_equal(mapped, spike_mask(v.T).T)
    np.testing.assert_array_equal(mapped.sum(axis=1), [3, 4])


def test_float32_traces():
    ts = (0.1 * np.arange(200)).astype(np.float32)
    found = spike_times(ts, wave(ts).astype(np.float32))
    exact = 7.0 * (np.arcsin(1 / 3) / (2 * np.pi) + np.arange(3))
    # Times of a spacing of 1e-6 ms at 20 ms, and v of 4e-6 mV at 50 mV per ms.
    np.testing.assert_allclose(found, exact, rtol=0, atol=2e-5)
