"""Published channels and cells once more, in NumPy and SciPy, written from the printed formulas.

Nothing here is shared with the library, and no rate is guarded: SciPy's steps never land on a pole
exactly. A gate is `(steady state, time constant in ms)`, both functions of v; a time constant of
`None` is an instantaneous gate.
"""

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

exp = np.exp


def by_rates(opening, closing, factor=1.0):
    return (
        lambda v: opening(v) / (opening(v) + closing(v)),
        lambda v: 1.0 / (factor * (opening(v) + closing(v))),
    )


def traub_miles(vt):
    return {
        "m": by_rates(
            lambda v: 0.32 * (13 - (v - vt)) / (exp((13 - (v - vt)) / 4) - 1),
            lambda v: 0.28 * (v - vt - 40) / (exp((v - vt - 40) / 5) - 1),
        ),
        "h": by_rates(
            lambda v: 0.128 * exp((17 - (v - vt)) / 18),
            lambda v: 4 / (1 + exp((40 - (v - vt)) / 5)),
        ),
        "n": by_rates(
            lambda v: 0.032 * (15 - (v - vt)) / (exp((15 - (v - vt)) / 5) - 1),
            lambda v: 0.5 * exp((10 - (v - vt)) / 40),
        ),
    }


def m_current(tau_max):
    return (
        lambda v: 1 / (1 + exp(-(v + 35) / 10)),
        lambda v: tau_max / (3.3 * exp((v + 35) / 20) + exp(-(v + 35) / 20)),
    )


def tau_u(v, shift=2.0):
    """ModelDB 123623, IT_huguenard.mod, at 36 degC."""
    w = v + shift
    return (30.8 + (211.4 + exp((w + 113.2) / 5)) / (1 + exp((w + 84) / 3.2))) / 3**1.2


L_TYPE = {
    "q": by_rates(
        lambda v: 0.055 * (-27 - v) / (exp((-27 - v) / 3.8) - 1),
        lambda v: 0.94 * exp((-75 - v) / 17),
    ),
    "r": by_rates(
        lambda v: 0.000457 * exp((-13 - v) / 50), lambda v: 0.0065 / (exp((-15 - v) / 28) + 1)
    ),
}
T_TYPE = {
    "s": (lambda v: 1 / (1 + exp(-(v + 2 + 57) / 6.2)), None),
    "u": (lambda v: 1 / (1 + exp((v + 2 + 81) / 4)), tau_u),
}
WANG_BUZSAKI = {
    "m": (
        by_rates(
            lambda v: -0.1 * (v + 35) / (exp(-0.1 * (v + 35)) - 1),
            lambda v: 4 * exp(-(v + 60) / 18),
        )[0],
        None,
    ),
    "h": by_rates(
        lambda v: 0.07 * exp(-(v + 58) / 20), lambda v: 1 / (exp(-0.1 * (v + 28)) + 1), 5
    ),
    "n": by_rates(
        lambda v: -0.01 * (v + 34) / (exp(-0.1 * (v + 34)) - 1),
        lambda v: 0.125 * exp(-(v + 44) / 80),
        5,
    ),
}
CONNOR_STEVENS = {
    "m": by_rates(
        lambda v: 0.38 * (v + 29.7) / (1 - exp(-0.1 * (v + 29.7))),
        lambda v: 15.2 * exp(-0.0556 * (v + 54.7)),
    ),
    "h": by_rates(
        lambda v: 0.266 * exp(-0.05 * (v + 48)), lambda v: 3.8 / (1 + exp(-0.1 * (v + 18)))
    ),
    "n": by_rates(
        lambda v: 0.02 * (v + 45.7) / (1 - exp(-0.1 * (v + 45.7))),
        lambda v: 0.25 * exp(-0.0125 * (v + 55.7)),
    ),
    "a": (
        lambda v: (0.0761 * exp(0.0314 * (v + 94.22)) / (1 + exp(0.0346 * (v + 1.17)))) ** (1 / 3),
        lambda v: 0.3632 + 1.158 / (1 + exp(0.0497 * (v + 55.96))),
    ),
    "b": (
        lambda v: (1 / (1 + exp(0.0688 * (v + 53.3)))) ** 4,
        lambda v: 1.24 + 2.678 / (1 + exp(0.0624 * (v + 50))),
    ),
}
MORRIS_LECAR = {
    "m": (lambda v: 0.5 * (1 + np.tanh((v - 10) / 15)), None),
    "w": (lambda v: 0.5 * (1 + np.tanh((v + 1) / 14.5)), lambda v: 15 / np.cosh((v + 1) / 29)),
}
H_CURRENT = {
    "r": (
        lambda v: 1 / (1 + exp((v + 75) / 5.5)),
        lambda v: 1 / (exp(-14.59 - 0.086 * v) + exp(-1.87 + 0.0701 * v)),
    )
}
PERSISTENT = {
    "m": (lambda v: 1 / (1 + exp(-(v + 40) / 6)), None),
    "h": (lambda v: 1 / (1 + exp((v + 48) / 6)), lambda v: 10_000 / np.cosh((v + 48) / 12)),
}


def pospischil(vt, tau_max):
    return {**traub_miles(vt), "p": m_current(tau_max)}


# (C, v at the start, gates, [(g, E, {gate: power})]).
NA, K = {"m": 3, "h": 1}, {"n": 4}
CELLS = {
    "TraubMiles": (
        1.0, -60.0, traub_miles(-63.0), [(100, 50, NA), (30, -90, K), (0.05, -60, {})],
    ),
    "PospischilRS": (
        1.0, -70.0, pospischil(-56.2, 608.0),
        [(56, 50, NA), (6, -90, K), (0.075, -90, {"p": 1}), (0.0205, -70.3, {})],
    ),
    "PospischilFS": (
        1.0, -70.0, pospischil(-57.9, 502.0),
        [(58, 50, NA), (3.9, -90, K), (0.0787, -90, {"p": 1}), (0.038, -70.4, {})],
    ),
    "PospischilIB": (
        1.0, -70.0, pospischil(-55.0, 600.0) | L_TYPE,
        [(50, 50, NA), (5, -90, K), (0.03, -90, {"p": 1}), (0.1, 120, {"q": 2, "r": 1}),
         (0.01, -70, {})],
    ),
    "PospischilLTS": (
        1.0, -84.0, pospischil(-55.0, 1000.0) | T_TYPE,
        [(50, 50, NA), (5, -100, K), (0.03, -100, {"p": 1}), (0.4, 120, {"s": 2, "u": 1}),
         (0.01, -85, {})],
    ),
    "WangBuzsaki": (1.0, -65.0, WANG_BUZSAKI, [(35, 55, NA), (9, -90, K), (0.1, -65, {})]),
    "ConnorStevens": (
        1.0, -68.0, CONNOR_STEVENS,
        [(120, 55, NA), (20, -72, K), (47.7, -75, {"a": 3, "b": 1}), (0.3, -17, {})],
    ),
    "MorrisLecar": (
        20.0, -50.0, MORRIS_LECAR, [(4, 100, {"m": 1}), (8, -70, {"w": 1}), (2, -50, {})],
    ),
}  # fmt: skip


def slope(name, current):
    """The right-hand side of `(v, moving gates in the order of the table)`."""
    capacitance, _, gates, channels = CELLS[name]
    moving = [g for g, (_, tau) in gates.items() if tau is not None]

    def field(t, y):
        v = y[0]
        value = dict(zip(moving, y[1:], strict=True))
        for gate, (steady, tau) in gates.items():
            if tau is None:
                value[gate] = steady(v)
        total = current(t)
        for g, e, powers in channels:
            total -= g * np.prod([value[x] ** p for x, p in powers.items()]) * (v - e)
        rates = [(gates[g][0](v) - value[g]) / gates[g][1](v) for g in moving]
        return np.array([total / capacitance, *rates])

    return field


def start(name, v=None):
    """Every gate at its steady state at `v` (default: the published start)."""
    _, v_init, gates, _ = CELLS[name]
    v = v_init if v is None else v
    return np.array([v, *(s(v) for s, tau in gates.values() if tau is not None)])


def solve(name, current, ts):
    """v (mV) at the times `ts` (ms) under a constant current."""
    found = solve_ivp(
        slope(name, lambda t: current), (ts[0], ts[-1]), start(name), "DOP853", ts,
        rtol=1e-11, atol=1e-11,
    )  # fmt: skip
    return found.y[0]


def steady_voltages(name, current, low=-95.0, high=45.0):
    """Every potential at which the cell rests under a current, from a scan of 0.0437 mV."""
    field = slope(name, lambda t: current)

    def balance(v):
        return field(0.0, start(name, v))[0]

    vs = np.arange(low, high, 0.0437)
    signs = [balance(v) for v in vs]
    pairs = zip(vs[:-1], vs[1:], signs[:-1], signs[1:], strict=True)
    return [brentq(balance, a, b, xtol=1e-12) for a, b, f, g in pairs if f * g < 0]


def eigenvalues(name, current, v):
    """Of the Jacobian by central differences at rest."""
    field, y = slope(name, lambda t: current), start(name, v)
    columns = []
    for i in range(len(y)):
        step = np.zeros_like(y)
        step[i] = 1e-5 * max(1.0, abs(y[i]))
        columns.append((field(0.0, y + step) - field(0.0, y - step)) / (2 * step[i]))
    return np.linalg.eigvals(np.stack(columns, axis=1))
