"""Where the spikes should be, and where a simulator puts them: one reference, one routine for all.

The reference is SciPy's DOP853 at rtol = atol = 1e-12, on the equations as written here, apart from
any simulator's. A spike is an upward crossing of 0 mV: the cubic through the four samples around
it, and a root find.
"""

import functools
import math
from pathlib import Path

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

TOLERANCE = 1e-12
START = (-65.0, 0.052932485257249577, 0.59612075350846028, 0.31767691406069742)


def linoid(x):
    """x / (1 - exp(-x)), 1 at 0."""
    return 1.0 + x / 2 if abs(x) < 1e-9 else -x / math.expm1(-x)


def squid_axon(t, y, current=10.0):
    """Hodgkin and Huxley (1952) in the modern convention; mV, ms, uA/cm2."""
    v, m, h, n = y
    am, bm = linoid((v + 40) / 10), 4 * math.exp(-(v + 65) / 18)
    ah, bh = 0.07 * math.exp(-(v + 65) / 20), 1 / (1 + math.exp(-(v + 35) / 10))
    an, bn = 0.1 * linoid((v + 55) / 10), 0.125 * math.exp(-(v + 65) / 80)
    ionic = 120 * m**3 * h * (v - 50) + 36 * n**4 * (v + 77) + 0.3 * (v + 54.387)
    return current - ionic, am - (am + bm) * m, ah - (ah + bh) * h, an - (an + bn) * n


def crosses(t, y):
    """The event of the reference: v = 0 upwards."""
    return y[0]


crosses.direction = 1.0


@functools.cache
def reference(span=100.0, field=squid_axon, start=START, grid=None):
    """The spike times (ms) of the reference, from its own dense output, and a sampled trace."""
    solution = solve_ivp(
        field,
        (0.0, span),
        start,
        method="DOP853",
        rtol=TOLERANCE,
        atol=TOLERANCE,
        events=crosses,
        dense_output=grid is not None,
    )
    if grid is None:
        return solution.t_events[0], None
    ts = grid * np.arange(round(span / grid) + 1)
    return solution.t_events[0], (ts, solution.sol(ts)[0])


def spikes(ts, v):
    """Times (ms) of the upward crossings of 0 mV of a trace, which need not be evenly sampled."""
    rising = np.flatnonzero((v[:-1] < 0) & (v[1:] >= 0))
    return np.array([crossing(ts, v, int(i)) for i in rising])


def crossing(ts, v, i):
    """The root, in [ts[i], ts[i + 1]], of the cubic through the four samples around it."""
    lo = min(max(i - 1, 0), max(len(ts) - 4, 0))
    t, x = ts[lo : lo + 4] - ts[i], v[lo : lo + 4]

    def cubic(s):
        total = 0.0
        for j in range(len(t)):
            others = np.delete(t, j)
            total += x[j] * np.prod((s - others) / (t[j] - others))
        return total

    return ts[i] + brentq(cubic, 0.0, ts[i + 1] - ts[i], xtol=1e-14)


def read_trace(path):
    """Times and voltages as a simulator wrote them."""
    return np.fromfile(Path(path), np.float64).reshape(2, -1)


def spike_error(ts, v, span=100.0):
    """The worst distance (ms) from the reference; infinite for a wrong number of spikes."""
    truth, _ = reference(span)
    found = spikes(np.asarray(ts), np.asarray(v))
    found = found[found <= span]
    if len(found) != len(truth):
        return math.inf
    return float(np.max(np.abs(found - truth)))


def floor(grid, span=100.0):
    """What the routine itself loses on the reference sampled every `grid` ms (ms)."""
    truth, (ts, v) = reference(span, grid=grid)
    return float(np.max(np.abs(spikes(ts, v) - truth)))


def cost_at(points, target):
    """The cost at an error of `target`, and whether it lies beyond what was measured.

    `points` are `(cost, error)` from the coarsest setting to the finest. From some setting on, all
    meet the target: between the first of these and the one before it, error is taken as a power of
    cost, unless a finer one was cheaper still. Beyond the finest the power of the last two is
    followed.
    """
    points = [(c, e) for c, e in points if math.isfinite(e) and e > 0]
    met = len(points)
    while met and points[met - 1][1] <= target:
        met -= 1
    cheapest = min((cost for cost, _ in points[met:]), default=math.nan)
    if met == 0:
        return cheapest, True
    beyond = met == len(points)
    if beyond and len(points) < 2:
        return math.nan, True
    (c0, e0), (c1, e1) = points[-2:] if beyond else points[met - 1 : met + 1]
    power = math.log(e1 / e0) / math.log(c1 / c0) if c1 != c0 else math.inf
    if not -math.inf < power < 0:
        return cheapest, beyond
    between = c0 * (target / e0) ** (1 / power)
    return (between if beyond else min(between, cheapest)), beyond
