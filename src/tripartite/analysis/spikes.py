"""Reading traces: spike times."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.core.arguments import checked


@checked
@jax.jit
def spike_mask(v: Array, *, threshold: float = 0.0, rearm: float = -20.0) -> Array:
    """Marks each sample that starts a spike: v crosses `threshold` upwards before the next one.

    After a spike the detector is armed again once v has been below `rearm`, so that noise around
    the threshold counts once.

    **Arguments:** `v` `[T, ...]` in mV, time first; `threshold`, `rearm` in mV.

    **Returns:** booleans of v's shape; entry i says that v[i] < threshold <= v[i + 1].
    """

    def look(armed: Array, pair: tuple[Array, Array]) -> tuple[Array, Array]:
        here, after = pair
        armed = armed | (here < rearm)
        fired = armed & (here < threshold) & (after >= threshold)
        return armed & ~fired, fired

    # A trace that starts below the threshold is armed.
    _, fired = jax.lax.scan(look, v[0] < threshold, (v[:-1], v[1:]))
    return jnp.concatenate([fired, jnp.zeros_like(fired[:1])])


@checked
def spike_times(
    ts: Any, v: Any, *, threshold: float = 0.0, rearm: float = -20.0
) -> np.ndarray | list[Any]:
    """The times (ms) at which v crosses `threshold` upwards, between samples.

    Each crossing is where the cubic through the four samples around it meets the threshold (the
    straight line at the trace's ends): an error of order spacing^4.

    **Arguments:** `ts` `[T]` in ms; `v` `[T]` or `[T, ...]` in mV, time first; `threshold`, `rearm`
    in mV, see `spike_mask`.

    **Returns:** an array of times for one trace; nested lists of arrays for several.

    **Raises:** `ValueError` if the shapes disagree, fewer than two samples are given, or `rearm`
    is above `threshold`.
    """
    ts, v = np.asarray(ts), np.asarray(v)
    if ts.ndim != 1 or v.shape[:1] != ts.shape or ts.size < 2:
        raise ValueError(
            "spike_times needs ts of shape [T] and v of shape [T, ...] with T of at least 2, got "
            f"{ts.shape} and {v.shape}: put time first."
        )
    if rearm > threshold:
        raise ValueError(
            f"rearm must not exceed threshold, got {rearm} and {threshold} mV: a spike re-arms "
            "the detector when v falls below `rearm`."
        )
    mask = np.asarray(spike_mask(jnp.asarray(v), threshold=threshold, rearm=rearm))
    return _nested(ts, v, mask, threshold)


def _nested(ts: np.ndarray, v: np.ndarray, mask: np.ndarray, threshold: float) -> Any:
    if v.ndim == 1:
        return np.array([_crossing(ts, v, int(i), threshold) for i in np.flatnonzero(mask)])
    return [_nested(ts, v[:, j], mask[:, j], threshold) for j in range(v.shape[1])]


def _crossing(ts: np.ndarray, v: np.ndarray, i: int, threshold: float) -> float:
    lo, hi = max(i - 1, 0), min(i + 3, len(ts))
    scale = ts[i + 1] - ts[i]
    x = (ts[lo:hi] - ts[i]) / scale
    cubic = np.polynomial.Polynomial.fit(x, v[lo:hi] - threshold, len(x) - 1).convert()
    s = (threshold - v[i]) / (v[i + 1] - v[i])
    slope = cubic.deriv()
    for _ in range(8):
        change = cubic(s) / slope(s) if slope(s) != 0 else 0.0
        s = float(np.clip(s - change, 0.0, 1.0))
    return float(ts[i] + s * scale)
