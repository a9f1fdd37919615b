"""The squid axon once more, in NumPy and SciPy, written from the 1952 equations alone.

An oracle shares no code with the library: rates are spelt out, and SciPy integrates them.
"""

import itertools

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

G_NA, G_K, G_L = 120.0, 36.0, 0.3
E_NA, E_K = 50.0, -77.0


def _linear_exponential(x):
    """x / (1 - exp(-x)); SciPy's steps never land on the pole exactly."""
    return x / -np.expm1(-x)


def rates(v):
    """(opening, closing) of m, h and n in 1/ms at v mV: equations 12, 13, 20, 21, 23 and 24."""
    return {
        "m": (_linear_exponential((v + 40) / 10), 4 * np.exp(-(v + 65) / 18)),
        "h": (0.07 * np.exp(-(v + 65) / 20), 1 / (1 + np.exp(-(v + 35) / 10))),
        "n": (0.1 * _linear_exponential((v + 55) / 10), 0.125 * np.exp(-(v + 65) / 80)),
    }


def steady_gates(v):
    """m, h and n after long at v mV."""
    return np.array([a / (a + b) for a, b in rates(v).values()])


def slope(v, gates, current, *, e_leak=-54.387, factor=1.0, conductance=0.0):
    """dv/dt and the gates' derivatives (per ms), with C = 1 uF/cm2: equation 26."""
    m, h, n = gates
    ionic = G_NA * m**3 * h * (v - E_NA) + G_K * n**4 * (v - E_K) + G_L * (v - e_leak)
    moved = [
        factor * (a * (1 - x) - b * x) for x, (a, b) in zip(gates, rates(v).values(), strict=True)
    ]
    return np.array([current - conductance * v - ionic, *moved])


def rest(e_leak):
    """The resting potential in mV."""

    def balance(v):
        return slope(v, steady_gates(v), 0.0, e_leak=e_leak)[0]

    return brentq(balance, -75.0, -56.0, xtol=1e-12)


RESTING = np.concatenate([[-65.0], steady_gates(-65.0)])


def solve(current, ts, *, y0=RESTING, jumps=(), rtol=1e-10, **parameters):
    """(v, m, h, n) at the times `ts` (ms), from `y0`, restarted at each of `jumps`."""
    edges = [ts[0], *jumps, ts[-1]]
    y, out = y0, []
    for start, stop in itertools.pairwise(edges):
        # From the inside of the interval, so that a jump's own value is not read.
        def field(t, y, a=start, b=stop):
            inside = min(max(t, a + 1e-12), b - 1e-12)
            return slope(y[0], y[1:], current(inside), **parameters)

        found = solve_ivp(
            field,
            (start, stop),
            y,
            method="DOP853",
            rtol=rtol,
            atol=rtol,
            dense_output=True,
        )
        here = (ts >= start) & ((ts < stop) | (stop == edges[-1]))
        out.append(found.sol(ts[here]))
        y = found.y[:, -1]
    return np.concatenate(out, axis=1)


def observed_order(errors, steps):
    """The slope of log error on log step."""
    return np.polyfit(np.log(steps), np.log(errors), 1)[0]
