"""What is read off a voltage trace: spikes, their times, what follows them."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from tripartite.analysis import spike_mask
from tripartite.core.arguments import checked
from tripartite.core.errors import is_concrete, require_above_zero, require_axes


class Features(NamedTuple):
    """Statistics of one trace; `features` makes it.

    `spikes`, their number, smoothly counted; `latency`, ms from the onset to the first spike, and
    `interval`, the mean of the first intervals between spikes in ms: infinite without enough
    spikes; `depth`, mV that the voltage falls below its mean before the onset once it has fired, 0
    if it never does; `mean` in mV and `variance` in mV^2, from the onset on.
    """

    spikes: Array
    latency: Array
    interval: Array
    depth: Array
    mean: Array
    variance: Array


@checked
def crossing_times(
    ts: Float[Array, " t"],
    v: Float[Array, " t"],
    *,
    most: int,
    threshold: float = 0.0,
    rearm: float = -20.0,
) -> Float[Array, " most"]:
    """The first `most` times at which v crosses `threshold` upwards, padded with infinity.

    As `analysis.spike_times`, on straight lines between samples (an error of spacing^2 times the
    curvature over 8 times the slope), and made to be differentiated: a time moves by
    dt = -dv / (dv/dt at the crossing), by the implicit function theorem on that line. A spike that
    comes or goes has no derivative.

    **Arguments:** `ts` in ms and `v` in mV; `most`, how many at most; `threshold`, `rearm` in mV,
    as in `analysis.spike_mask`.

    **Raises:** `ValueError` for other shapes, or `most` below 1.
    """
    _check_trace(ts, v)
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}.")
    return _crossings(ts, v, most, threshold, rearm)


@partial(jax.jit, static_argnums=2)
def _crossings(ts: Array, v: Array, most: int, threshold: float, rearm: float) -> Array:
    mask = spike_mask(jax.lax.stop_gradient(v), threshold=threshold, rearm=rearm)
    (at,) = jnp.nonzero(mask, size=most, fill_value=-1)
    found = at >= 0
    left = jnp.where(found, at, 0)
    here, after = v[left], v[left + 1]
    # Where there is no spike the rise may be zero: another one there keeps the derivative finite.
    rise = jnp.where(found, after - here, 1.0)
    times = ts[left] + (ts[left + 1] - ts[left]) * (threshold - here) / rise
    return jnp.where(found, times, jnp.inf)


@checked
def spike_count(v: Float[Array, " t"], *, threshold: float = 0.0, width: float = 2.0) -> Array:
    """The number of upward crossings of `threshold`, smoothly.

        sum over k of max(s(v_k+1) - s(v_k), 0),    s(v) = 1 / (1 + e^(-(v - threshold) / width))

    the climbing of a sigmoid of the voltage: 1 for each crossing from far below to far above, and
    between 0 and 1 for a voltage that comes near, so that a derivative knows how near. Not by
    itself robust against noise around the threshold: take a wider `width` then.

    **Arguments:** `v` in mV; `threshold` and `width` in mV.
    """
    require_axes("t", v=v)
    require_above_zero("width", width, "it is the width of a sigmoid in mV")
    lit = jax.nn.sigmoid((v - threshold) / width)
    return jnp.sum(jax.nn.relu(lit[1:] - lit[:-1]))


@checked
def features(
    ts: Float[Array, " t"],
    v: Float[Array, " t"],
    *,
    onset: float = 0.0,
    most: int = 16,
    threshold: float = 0.0,
    rearm: float = -20.0,
    width: float = 2.0,
) -> Features:
    """Spike count, latency, mean interval, afterhyperpolarisation, mean and variance.

    What can be differentiated: the count (smooth), latency and interval (while the spikes stay the
    same ones), depth (that of its lowest sample), mean and variance. What cannot: that a spike
    comes or goes shows in the count alone.

    **Arguments:**

    - `ts` in ms, `v` in mV: one trace, `[t]` each.
    - `onset`: ms, when the stimulus begins. What comes before is the baseline.
    - `most`: how many spikes are looked at, for the interval.
    - `threshold`, `rearm`, `width`: mV, as in `crossing_times` and `spike_count`.

    **Raises:** `ValueError` for other shapes, or an onset after the last sample.
    """
    _check_trace(ts, v)
    if is_concrete(ts) and not onset <= float(np.asarray(ts)[-1]):
        raise ValueError(f"onset must lie within the trace, got {onset} ms.")
    require_above_zero("width", width, "it is the width of a sigmoid in mV")
    if most < 1:
        raise ValueError(f"most must be at least 1, got {most}.")
    return _read(ts, v, most, onset, threshold, rearm, width)


@partial(jax.jit, static_argnums=2)
def _read(
    ts: Array, v: Array, most: int, onset: float, threshold: float, rearm: float, width: float
) -> Features:
    after = ts >= onset
    # Held before the onset: no spike of the baseline is looked at.
    evoked = jnp.where(after, v, v[jnp.argmax(after)])
    times = _crossings(ts, evoked, most, threshold, rearm)
    found = jnp.isfinite(times)
    kept = jnp.where(found, times, 0.0)
    number = jnp.sum(found)
    between = kept[jnp.maximum(number - 1, 0)] - kept[0]
    between = between / jnp.maximum(number - 1, 1).astype(ts.dtype)
    lowest = jnp.min(jnp.where(ts > times[0], v, jnp.inf))
    fell = jnp.where(found[0], _baseline(v, ~after) - jnp.where(found[0], lowest, 0.0), 0.0)
    samples = jnp.sum(after).astype(ts.dtype)
    mean = jnp.sum(jnp.where(after, v, 0.0)) / samples
    return Features(
        spikes=spike_count(evoked, threshold=threshold, width=width),
        latency=jnp.where(found[0], kept[0] - onset, jnp.inf),
        interval=jnp.where(number > 1, between, jnp.inf),
        depth=fell,
        mean=mean,
        variance=jnp.sum(jnp.where(after, (v - mean) ** 2, 0.0)) / samples,
    )


@checked
def feature_distance(found: Features, wanted: Features, scales: Features) -> Array:
    """The mean of `((found - wanted) / scale)^2` over the features that both have.

    A latency or an interval that either has not (infinite) is left out: that spikes are missing is
    told by the count, which is smooth.

    **Arguments:** `scales`, what counts as one unit of difference of each, such as its standard
    deviation from trial to trial; an infinite scale leaves a feature out.
    """
    terms, weights = [], []
    for x, y, s in zip(found, wanted, scales, strict=True):
        both = jnp.isfinite(x) & jnp.isfinite(y)
        apart = jnp.where(both, x, 0.0) - jnp.where(both, y, 0.0)
        terms.append((apart / s) ** 2)
        weights.append((both & jnp.isfinite(s)).astype(terms[-1].dtype))
    return jnp.sum(jnp.stack(terms)) / jnp.maximum(jnp.sum(jnp.stack(weights)), 1.0)


def _baseline(v: Array, before: Array) -> Array:
    """The mean voltage before the onset; that of the first sample if it begins with the trace."""
    number = jnp.sum(before)
    mean = jnp.sum(jnp.where(before, v, 0.0)) / jnp.maximum(number, 1).astype(v.dtype)
    return jnp.where(number > 0, mean, v[0])


def _check_trace(ts: Array, v: Array) -> None:
    if jnp.ndim(ts) != 1 or jnp.shape(ts) != jnp.shape(v) or jnp.size(ts) < 2:
        raise ValueError(
            f"ts and v must be two vectors of one length, at least 2, got shapes {jnp.shape(ts)} "
            f"and {jnp.shape(v)}: map over several traces with jax.vmap."
        )
