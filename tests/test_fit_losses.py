"""Losses against theory and against NumPy written apart: traces, spikes, warping, features."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import fit

# --- traces ---------------------------------------------------------------------------------------


def test_mean_square_is_a_mean_square_over_the_noise():
    trace = {"v": jnp.array([1.0, 2.0, 3.0]), "ca": jnp.array([[0.5], [1.5]])}
    seen = {"v": np.array([0.0, 2.0, 5.0]), "ca": np.array([[0.5], [0.5]])}
    noise = {"v": 2.0, "ca": np.array([[1.0], [0.5]])}
    # (1/2)^2 + 0 + (2/2)^2 + 0 + (1/0.5)^2 over five samples.
    np.testing.assert_allclose(fit.mean_square(trace, seen, noise), (0.25 + 1.0 + 4.0) / 5)
    np.testing.assert_allclose(fit.negative_log_likelihood(trace, seen, noise), 5.25 / 2)
    np.testing.assert_array_equal(fit.residuals(trace["v"], seen["v"], 2.0), [0.5, 0.0, -1.0])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fit.mean_square(jnp.ones(3), np.ones(4)), "the trace's shape, (3,), got (4,)"),
        (lambda: fit.mean_square(jnp.ones(3), {"v": np.ones(3)}), "the trace's structure"),
        (lambda: fit.mean_square(jnp.ones(2), np.array([1.0, np.nan])), "recorded must be finite"),
        (
            lambda: fit.mean_square(jnp.ones(2), np.ones(2), 0.0),
            "positive and finite, got 0.0",
        ),
        (
            lambda: fit.mean_square({"v": jnp.ones(2)}, {"v": np.ones(2)}, {"ca": 1.0}),
            "noise must be one number or have the trace's structure",
        ),
    ],
)
def test_a_recording_that_does_not_fit_is_refused(call, words):
    with pytest.raises(ValueError) as raised:
        call()
    assert words in str(raised.value)


# --- spike trains ---------------------------------------------------------------------------------

A, B = np.array([3.0, 8.0, 9.5, 30.0]), np.array([4.0, 9.0, 22.0])


def with_slope(distance):
    compiled = jax.jit(jax.value_and_grad(distance))
    return lambda a, b, scale: compiled(jnp.asarray(a), jnp.asarray(b), scale)


VAN_ROSSUM, VICTOR_PURPURA = with_slope(fit.van_rossum), with_slope(fit.victor_purpura)


def van_rossum_by_quadrature(a, b, tau):
    """The integral itself, between events exactly where the integrand is a single exponential."""
    events = np.sort(np.concatenate([a, b]))
    total = 0.0
    for begin, end in itertools.pairwise([*events, np.inf]):
        height = np.sum(np.exp(-(begin - a[a <= begin]) / tau))
        height -= np.sum(np.exp(-(begin - b[b <= begin]) / tau))
        total += height**2 * 0.5 * (1.0 - np.exp(-2.0 * (end - begin) / tau))
    return total


def test_van_rossum_is_the_integral():
    for tau in (0.1, 3.0, 100.0):
        expected = van_rossum_by_quadrature(A, B, tau)
        # Sums of at most 16 terms of order 1.
        np.testing.assert_allclose(fit.van_rossum(A, B, tau), expected, rtol=0, atol=1e-14)


def test_van_rossum_in_the_limits_of_the_paper():
    # Spikes that do not overlap count one half each; two trains alike are at distance zero; of a
    # kernel much longer than the trains only the squared difference of the numbers is left, halved.
    np.testing.assert_allclose(fit.van_rossum(A, B, 1e-6), 0.5 * (len(A) + len(B)))
    np.testing.assert_allclose(fit.van_rossum(A, A, 3.0), 0.0, atol=1e-15)
    np.testing.assert_allclose(fit.van_rossum(A, B, 1e9), 0.5 * (len(A) - len(B)) ** 2, rtol=1e-6)
    # One spike each, dt apart: 1 - e^(-dt / tau), and its derivative.
    # One spike each, dt apart: 1 - e^(-dt / tau), and its derivative. Infinity is no spike.
    none = np.inf
    value, slope = VAN_ROSSUM([none, 5.0, none, none], [7.0, none, none], 3.0)
    np.testing.assert_allclose(value, 1.0 - np.exp(-2 / 3), rtol=1e-14)
    np.testing.assert_allclose(slope, [0.0, -np.exp(-2 / 3) / 3.0, 0.0, 0.0], rtol=1e-14)


def victor_purpura_by_table(a, b, cost):
    """The table, filled entry by entry."""
    table = np.zeros((len(a) + 1, len(b) + 1))
    table[:, 0], table[0] = np.arange(len(a) + 1), np.arange(len(b) + 1)
    for i, j in itertools.product(range(len(a)), range(len(b))):
        table[i + 1, j + 1] = min(
            table[i, j + 1] + 1, table[i + 1, j] + 1, table[i, j] + cost * abs(a[i] - b[j])
        )
    return table[-1, -1]


def victor_purpura_by_pairings(a, b, cost):
    """Every set of pairs in order: a proof by exhaustion that the table finds the least."""
    best = len(a) + len(b)
    for k in range(1, min(len(a), len(b)) + 1):
        for left in itertools.combinations(a, k):
            for right in itertools.combinations(b, k):
                moved = cost * np.sum(np.abs(np.subtract(left, right)))
                best = min(best, len(a) + len(b) - 2 * k + moved)
    return best


def test_victor_purpura_is_the_least_cost():
    rng = np.random.default_rng(0)
    for cost in (0.0, 0.1, 0.5, 1.0, 10.0):
        a, b = np.sort(rng.uniform(0, 20, 4)), np.sort(rng.uniform(0, 20, 3))
        expected = victor_purpura_by_pairings(a, b, cost)
        np.testing.assert_allclose(victor_purpura_by_table(a, b, cost), expected, rtol=1e-13)
        np.testing.assert_allclose(VICTOR_PURPURA(a, b, cost)[0], expected, rtol=0, atol=1e-13)


def test_victor_purpura_moves_or_replaces_and_its_slope_says_which():
    value, slopes = VICTOR_PURPURA(A, B, 0.5)
    # 3 -> 4 and 9.5 -> 9 move; 8 and 30 go and 22 comes: moving 30 to 22 would cost 4.
    np.testing.assert_allclose(slopes, [-0.5, 0.0, 0.5, 0.0])
    np.testing.assert_allclose(value, 0.5 + 0.25 + 3.0)
    assert fit.victor_purpura(A, np.full(3, np.inf), 0.5) == 4
    assert fit.victor_purpura(A, B, 0.0) == 1


def test_padding_is_no_spike():
    padded = np.append(A[:2], [np.inf] * 2)
    value, slopes = VICTOR_PURPURA(padded, B, 0.5)
    np.testing.assert_allclose(value, victor_purpura_by_table(A[:2], B, 0.5), rtol=1e-14)
    # 3 -> 4 and 8 -> 9 move.
    np.testing.assert_allclose(slopes, [-0.5, -0.5, 0.0, 0.0])
    value, slopes = VAN_ROSSUM(padded, B, 3.0)
    np.testing.assert_allclose(value, van_rossum_by_quadrature(A[:2], B, 3.0), rtol=1e-13)
    assert np.all(np.isfinite(slopes)) and np.all(slopes[2:] == 0.0)


def test_distances_in_float32_and_mapped():
    many = jnp.asarray(np.stack([B, B + 1.0, B - 1.0]), jnp.float32)
    for distance, scale in ((fit.van_rossum, 3.0), (fit.victor_purpura, 0.5)):
        mapped = jax.jit(jax.vmap(distance, in_axes=(None, 0, None)))
        found = mapped(jnp.asarray(A, jnp.float32), many, scale)
        assert found.dtype == jnp.float32
        expected = [distance(A, np.asarray(b, float), scale) for b in many]
        # Sums of 16 terms of at most 8, in float32.
        np.testing.assert_allclose(found, expected, atol=16 * 8 * np.finfo(np.float32).eps)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fit.van_rossum(A, B[:, None], 1.0), "b must be a vector of spike times in ms"),
        (lambda: fit.van_rossum(A, B, 0.0), "tau must be positive, got 0.0 ms"),
        (lambda: fit.van_rossum(A, np.array([np.nan]), 1.0), "pad missing spikes with infinity"),
        (lambda: fit.victor_purpura(A[::-1], B, 1.0), "a must ascend: sort"),
        (lambda: fit.victor_purpura(A, B, -1.0), "cost must not be negative, got -1.0 /ms"),
    ],
)
def test_trains_that_are_none_are_refused(call, words):
    with pytest.raises(ValueError) as raised:
        call()
    assert words in str(raised.value)


# --- warping --------------------------------------------------------------------------------------


def paths(n, m):
    """Every monotone way from (0, 0) to (n - 1, m - 1)."""
    if (n, m) == (1, 1):
        return [[(0, 0)]]
    found = []
    for i, j in ((n - 1, m), (n, m - 1), (n - 1, m - 1)):
        if i and j:
            found += [[*way, (n - 1, m - 1)] for way in paths(i, j)]
    return found


def soft_dtw_by_paths(x, y, gamma):
    """The definition: a soft minimum over all alignments, and its gradient, their mean."""
    costs = np.sum((x[:, None] - y[None]) ** 2, axis=-1)
    ways = paths(len(x), len(y))
    totals = np.array([sum(costs[at] for at in way) for way in ways])
    weights = np.exp(-(totals - totals.min()) / gamma)
    value = totals.min() - gamma * np.log(weights.sum())
    weights /= weights.sum()
    slopes = np.zeros_like(x)
    for weight, way in zip(weights, ways, strict=True):
        for i, j in way:
            slopes[i] += weight * 2.0 * (x[i] - y[j])
    return value, slopes


SOFT = jax.jit(jax.value_and_grad(fit.soft_dtw))


@pytest.mark.parametrize("gamma", [1e-3, 0.1, 1.0, 100.0])
def test_soft_dtw_is_the_soft_minimum_over_all_alignments(gamma):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(4, 2)), rng.normal(size=(5, 2))
    value, slopes = SOFT(jnp.asarray(x), jnp.asarray(y), gamma)
    expected = soft_dtw_by_paths(x, y, gamma)
    # 321 ways of at most 8 costs of order 1; the soft minimum adds gamma ln 321.
    np.testing.assert_allclose(value, expected[0], rtol=1e-13, atol=1e-13 * gamma)
    np.testing.assert_allclose(slopes, expected[1], rtol=1e-9, atol=1e-12)


def test_soft_dtw_at_equal_series_of_one_is_zero_and_forgives_a_shift():
    ts = np.arange(40.0)
    bump, shifted = (np.exp(-((ts - at) ** 2) / 8.0) for at in (15.0, 22.0))
    assert fit.soft_dtw(jnp.ones(1), jnp.ones(1), 0.1) == 0.0
    warped = fit.soft_dtw(jnp.asarray(bump), jnp.asarray(shifted), 1e-4)
    assert warped < 0.01 * np.sum((bump - shifted) ** 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_soft_dtw_is_finite_at_any_gamma(dtype):
    x = jnp.asarray(np.linspace(-80.0, 40.0, 6), dtype)
    y = jnp.asarray(np.linspace(40.0, -80.0, 6), dtype)
    for gamma in (1e-30, 1e-3, 1e6):
        value, slopes = SOFT(x, y, jnp.asarray(gamma, dtype))
        assert value.dtype == dtype and np.isfinite(value) and np.all(np.isfinite(slopes))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fit.soft_dtw(jnp.ones(3), jnp.ones(3), 0.0), "gamma must be positive, got 0.0"),
        (lambda: fit.soft_dtw(jnp.ones((3, 2)), jnp.ones((3, 1))), "vectors of one width"),
        (lambda: fit.soft_dtw(jnp.ones(0), jnp.ones(3)), "at least one sample"),
    ],
)
def test_series_that_do_not_warp_are_refused(call, words):
    with pytest.raises(ValueError) as raised:
        call()
    assert words in str(raised.value)


# --- features -------------------------------------------------------------------------------------

TS = np.arange(0.0, 60.0, 0.05)


def pulses(ts, at, height=100.0, width=0.5, rest=-65.0, dip=6.0):
    """Spikes of a known shape: Gaussians, each with a slower dip after it."""
    v = np.full_like(ts, rest)
    for t in at:
        v += height * np.exp(-((ts - t) ** 2) / (2 * width**2))
        v -= dip * np.exp(-((ts - t - 5.0) ** 2) / (2 * 1.5**2))
    return v


def test_features_of_a_trace_made_by_hand():
    at = np.array([20.0, 32.0, 47.0])
    v = pulses(TS, at)
    found = fit.features(jnp.asarray(TS), jnp.asarray(v), onset=10.0)
    # A Gaussian of 100 mV on -65 mV crosses 0 mV at width sqrt(2 ln(100 / 65)) before its peak; on
    # straight lines between samples 0.05 ms apart that is off by h^2 / 8 of curvature over slope,
    # 3e-4 ms * (1 / 0.5 ms); the dip's foot at the spike is 6 e^-5.6 = 0.02 mV, 2e-4 ms.
    early = 0.5 * np.sqrt(2.0 * np.log(100.0 / 65.0))
    np.testing.assert_allclose(found.latency, 20.0 - early - 10.0, atol=1e-3)
    np.testing.assert_allclose(found.interval, (47.0 - 20.0) / 2, atol=1e-3)
    # Every spike climbs from a sigmoid of e^-32 to one of 1 - e^-17.
    np.testing.assert_allclose(found.spikes, 3.0, atol=1e-6)
    np.testing.assert_allclose(found.depth, 6.0, atol=1e-6)
    after = v[TS >= 10.0]
    np.testing.assert_allclose(found.mean, after.mean(), rtol=1e-12)
    np.testing.assert_allclose(found.variance, after.var(), rtol=1e-12)


def test_a_trace_without_spikes():
    found = fit.features(jnp.asarray(TS), jnp.full(TS.shape, -65.0), onset=10.0)
    assert found.latency == np.inf and found.interval == np.inf
    assert found.depth == 0.0 and found.spikes == 0.0 and found.mean == -65.0


def test_slopes_of_features_are_those_of_shifted_spikes():
    ts = jnp.asarray(TS)

    def shape(first, height):
        v = pulses(TS, [47.0]) + 0.0 * first
        bump = jnp.exp(-((ts - first) ** 2) / (2 * 0.5**2))
        return jnp.asarray(v) + height * bump

    def read(first, height):
        return fit.features(ts, shape(first, height), onset=10.0)

    slopes = jax.jit(jax.jacfwd(read, argnums=(0, 1)))
    found = slopes(20.02, 100.0)
    # The first spike later by dt: so is the latency, and the one interval is shorter. On straight
    # lines the slope is off by h times the logarithmic derivative of the rise, 0.05 * 1/0.27.
    np.testing.assert_allclose(found.latency[0], 1.0, atol=0.02)
    np.testing.assert_allclose(found.interval[0], -1.0, atol=0.02)
    # The mean moves by the area of the bump, width sqrt(2 pi), over the samples of 50 ms.
    area = 0.5 * np.sqrt(2 * np.pi)
    np.testing.assert_allclose(found.mean[1], area / (0.05 * np.sum(TS >= 10.0)), rtol=1e-6)
    # A bump that just fails to be a spike tells the count how to make it one, and no feature has
    # a NaN for a slope where there is nothing to read.
    failing = slopes(20.0, 64.0)
    assert failing.spikes[1] > 0.01 and np.all(np.isfinite(jax.tree.leaves(failing)))


def test_crossing_times_agree_with_the_analysis():
    v = pulses(TS, [20.0, 32.0, 47.0])
    found = fit.crossing_times(jnp.asarray(TS), jnp.asarray(v), most=5)
    expected = tp.analysis.spike_times(TS, v)
    assert np.all(np.isinf(found[3:]))
    # Straight lines against cubics: h^2 / 8 times curvature over slope, about 3e-4 ms / 0.5.
    np.testing.assert_allclose(found[:3], expected, atol=1e-3)


def test_feature_distance_leaves_out_what_is_not_there():
    one = fit.Features(*map(jnp.asarray, (3.0, 5.0, 10.0, 6.0, -60.0, 100.0)))
    other = one._replace(spikes=jnp.asarray(1.0), interval=jnp.asarray(jnp.inf))
    scales = fit.Features(*map(jnp.asarray, (1.0, 1.0, 1.0, 1.0, 1.0, jnp.inf)))
    value, slopes = jax.jit(jax.value_and_grad(fit.feature_distance))(one, other, scales)
    # Two spikes more; the interval is left out, and so is the variance: 2^2 over four features.
    np.testing.assert_allclose(value, 1.0)
    assert np.all(np.isfinite(jax.tree.leaves(slopes)))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: fit.features(jnp.ones(3), jnp.ones((3, 2))), "two vectors of one length"),
        (lambda: fit.features(jnp.arange(3.0), jnp.ones(3), onset=9.0), "onset must lie within"),
        (lambda: fit.crossing_times(jnp.arange(3.0), jnp.ones(3), most=0), "most must be at least"),
    ],
)
def test_traces_without_features_are_refused(call, words):
    with pytest.raises(ValueError) as raised:
        call()
    assert words in str(raised.value)
