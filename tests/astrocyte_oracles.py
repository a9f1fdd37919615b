"""Published astrocytes once more, in NumPy and SciPy, written from the printed equations.

Nothing here is shared with the library. Time is in seconds and concentrations in uM, as in the
papers; the order of the states is the papers', too: (C, h), (C, h, I) and (Gamma, I, C, h).
"""

import itertools

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq, fsolve

# C_T, c1, Omega_C, Omega_L, O_P, K_P, d1, d2, d3, d5, O_2
NADKARNI_JUNG = (2.0, 0.185, 6.0, 0.11, 0.9, 0.1, 0.13, 1.049, 0.9434, 0.08234, 0.2)
CHAPTER = (2.0, 0.18, 6.0, 0.1, 0.9, 0.05, 0.13, 1.05, 0.9434, 0.08, 0.2)
BOOK = (4.0, 0.4, 7.0, 0.05, 0.9, 0.1, 0.1, 2.1, 0.9967, 0.2, 0.4)


def with_pump(core, k_p):
    return (*core[:5], k_p, *core[6:])


def li_rinzel(core, ip3):
    """(dC/dt, dh/dt) as a function of (C, h, I)."""
    c_t, c1, v1, v2, v3, k3, d1, d2, d3, d5, a2 = core

    def field(c, h, i=ip3):
        m = i / (i + d1)
        n = c / (c + d5)
        # The form with the store's own concentration, in which the papers print it.
        c_er = (c_t - c) / c1
        j_channel = c1 * v1 * m**3 * n**3 * h**3 * (c_er - c)
        j_leak = c1 * v2 * (c_er - c)
        j_pump = v3 * c**2 / (k3**2 + c**2)
        alpha = a2 * d2 * (i + d1) / (i + d3)
        beta = a2 * c
        return j_channel + j_leak - j_pump, alpha * (1 - h) - beta * h

    return field


def li_rinzel_rest(core, ip3):
    """The lowest equilibrium: h eliminated, one equation in C."""
    _, _, _, _, _, _, d1, d2, d3, _, _ = core
    q2 = d2 * (ip3 + d1) / (ip3 + d3)
    field = li_rinzel(core, ip3)

    def balance(c):
        return field(c, q2 / (q2 + c))[0]

    grid = np.geomspace(1e-4, 2.0, 4000)
    signs = np.sign([balance(c) for c in grid])
    first = int(np.flatnonzero(signs[:-1] != signs[1:])[0])
    c = brentq(balance, grid[first], grid[first + 1], xtol=1e-15, rtol=1e-14)
    return c, q2 / (q2 + c)


def li_rinzel_trace(core, ip3):
    """The trace of the Jacobian at the (unique) rest, by central differences of fourth order."""
    c, h = li_rinzel_rest(core, ip3)
    field = li_rinzel(core, ip3)

    def slope(f, x, step):
        return (8 * (f(x + step) - f(x - step)) - f(x + 2 * step) + f(x - 2 * step)) / (12 * step)

    return slope(lambda x: field(x, h)[0], c, 1e-4 * c) + slope(
        lambda x: field(c, x)[1], h, 1e-4 * h
    )


def hopf(core, low, high):
    """Where the trace changes sign (the determinant stays positive on an isolated focus)."""
    return brentq(lambda i: li_rinzel_trace(core, i), low, high, xtol=1e-12)


def cycle(field, start, settle, watch, level=None):
    """The period (s) and the extrema of C on the orbit that `start` ends on; C comes first.

    The period is from the last two upward crossings of the orbit's middle; extrema by dense output.
    """
    settled = solve_ivp(field, (0, settle), start, "LSODA", rtol=1e-10, atol=1e-12).y[:, -1]
    ts = np.linspace(0, watch, 40_001)
    run = solve_ivp(field, (0, watch), settled, "LSODA", ts, rtol=1e-10, atol=1e-12)
    c = run.y[0]
    middle = 0.5 * (c.min() + c.max())
    up = np.flatnonzero((c[:-1] < middle) & (c[1:] >= middle))
    times = ts[up] + (middle - c[up]) / (c[up + 1] - c[up]) * (ts[1] - ts[0])
    period = np.nan if len(times) < 2 else times[-1] - times[-2]
    return period, c.min(), c.max()


# v_beta, v_delta, r_5P, K_P, v_3K
CHI = {
    "AM": (0.2, 0.02, 0.04, 0.1, 2.0),
    "FM": (0.5, 0.05, 0.05, 0.05, 2.0),
    "Lallouette": (0.0, 0.7, 0.21, 0.05, 4.5),
}


def chi(name, glutamate):
    """d(C, h, I)/dt of De Pitta et al. (2009); `glutamate` in uM, a number."""
    v_beta, v_delta, r_5p, k_p, v_3k = CHI[name]
    core = li_rinzel(with_pump(NADKARNI_JUNG, k_p), None)

    def field(t, y):
        c, h, i = y
        k_gamma = 1.3 * (1 + 10 / 1.3 * c / (c + 0.6))
        v_glu = v_beta * glutamate**0.7 / (glutamate**0.7 + k_gamma**0.7)
        delta = v_delta / (1 + i / 1.5) * c**2 / (c**2 + 0.1**2)
        kinase = v_3k * c**4 / (c**4 + 0.7**4) * i / (i + 1.0)
        return [*core(c, h, i), v_glu + delta - kinase - r_5p * i]

    return field


def rest(field, guess):
    return fsolve(lambda y: field(0.0, y), guess, xtol=1e-13)


# O_beta, O_delta, K_delta, O_3K, K_D, Omega_5P, K_P, F_ex
FIGURE_2 = (5.0, 0.2, 0.3, 4.5, 0.5, 0.1, 0.1, 0.09)
FIGURE_3 = (0.0, 0.6, 0.1, 4.5, 0.7, 0.05, 0.05, 2.0)
RING = (0.0, 0.6, 0.1, 4.5, 0.7, 0.05, 0.05, 0.09)
NO_SOURCE = (0.0, 0.6, 0.1, 4.5, 0.7, 0.05, 0.05, 0.0)


def exchange(gap, strength):
    """What flows against a gap of IP3 (uM/s)."""
    return -strength / 2 * (1 + np.tanh((np.abs(gap) - 0.3) / 0.05)) * np.sign(gap)


def gchi(values, i_bias, glutamate):
    """d(Gamma, I, C, h)/dt of the chapter; `glutamate` and `i_bias` functions of t (s)."""
    o_beta, o_delta, k_delta, o_3k, k_d, omega_5p, k_p, f_ex = values
    core = li_rinzel(with_pump(CHAPTER, k_p), None)

    def field(t, y):
        gamma, i, c, h = y
        j_delta = o_delta / (1 + i / 1.5) * c**2 / (c**2 + k_delta**2)
        j_3k = o_3k * c**4 / (c**4 + k_d**4) * i / (i + 1.0)
        j_ex = exchange(i - i_bias(t), f_ex)
        unbinding = 0.5 * (1 + 10 * c / (c + 0.5))
        return np.array(
            [
                0.3 * glutamate(t) * (1 - gamma) - unbinding * gamma,
                o_beta * gamma + j_delta - j_3k - omega_5p * i + j_ex,
                *core(c, h, i),
            ]
        )

    return field


def figure_2(seconds=30.0):
    """The deterministic cell: glutamate jumps by 500 uM every 2 s and decays at 40 /s."""
    jumps = np.arange(2.0, seconds, 2.0)
    edges = np.concatenate([[0.0], jumps, [seconds]])

    pieces, y = [], np.array([0.0, 0.0, 0.0, 0.9])
    for k, (a, b) in enumerate(itertools.pairwise(edges)):
        done = jumps[:k]

        def glutamate(t, done=done):
            return float(np.sum(500.0 * np.exp(-40.0 * (t - done))))

        field = gchi(FIGURE_2, lambda t: 0.0, glutamate)
        found = solve_ivp(
            field, (a, b), y, "DOP853", rtol=1e-10, atol=1e-12, max_step=0.05, dense_output=True
        )
        pieces.append((a, b, found.sol))
        y = found.y[:, -1]

    def at(ts):
        values = np.empty((4, len(ts)))
        for a, b, sol in pieces:
            inside = (ts >= a) & (ts <= b)
            values[:, inside] = sol(ts[inside])
        return values

    return at


def figure_3(i_bias, seconds=16.5):
    """Times (s) at which C rises through 0.5 uM, and the path."""
    field = gchi(FIGURE_3, lambda t: i_bias, lambda t: 0.0)

    def crossing(t, y):
        return y[2] - 0.5

    crossing.direction = 1
    return solve_ivp(
        field, (0, seconds), [0.0, 0.4, 0.0, 0.9], "DOP853", rtol=1e-10, atol=1e-12,
        events=crossing, max_step=0.05, dense_output=True,
    )  # fmt: skip


def ring_field(count=50, driven=25):
    """d(I, C, h)/dt of the ring, in rows; the driven cell's source is on 20 s of every 50 s."""
    core = li_rinzel(CHAPTER, None)

    def field(t, y):
        i, c, h = y
        on = 1.0 if (t % 50.0) < 20.0 else 0.0
        bias = np.zeros(count)
        bias[driven] = on
        j_delta = 0.6 / (1 + i / 1.5) * c**2 / (c**2 + 0.1**2)
        j_3k = 4.5 * c**4 / (c**4 + 0.7**4) * i / (i + 1.0)
        flow = exchange(i - np.roll(i, 1), 0.09) + exchange(i - np.roll(i, -1), 0.09)
        own = j_delta - j_3k - 0.05 * i + exchange(i - bias, 0.09)
        return np.array([own + flow, *core(c, h, i)])

    return field


def runge_kutta(field, y, dt, steps):
    """Kutta's method of fourth order: every state, the start included.

    The first and the last stage read the input just inside the step, so that none meets a jump.
    """
    path = [y]
    for k in range(steps):
        t = k * dt
        a = field(t + 1e-9, y)
        b = field(t + dt / 2, y + dt / 2 * a)
        c = field(t + dt / 2, y + dt / 2 * b)
        d = field(t + dt - 1e-9, y + dt * c)
        y = y + dt / 6 * (a + 2 * b + 2 * c + d)
        path.append(y)
    return np.array(path)


def handy(ip3):
    """d(c, ct, h)/dt of Handy et al. (2017); `ip3` a function of t (s)."""
    gamma, d1, d2, d3, d5 = 5.4054, 0.13, 1.049, 0.9434, 0.08234

    def field(t, y):
        c, ct, h = y
        i = ip3(t)
        c_er = gamma * (ct - c)
        q2 = d2 * (i + d1) / (i + d3)
        channel = 0.222 * (i / (i + d1)) ** 3 * (c / (c + d5)) ** 3 * h**3 * (c_er - c)
        leak = 0.002 * (c_er - c)
        serca = 0.9 * c**1.75 / (c**1.75 + 0.1**1.75)
        pmca = 10 * c**2 / (c**2 + 2.5**2)
        soc = 1.57 * 90.0**4 / (90.0**4 + c_er**4)
        outside = 0.2 * (0.05 - 1.2 * c - pmca + soc)
        return [channel + leak - serca + outside, outside, 0.04 * (q2 - (q2 + c) * h)]

    return field


# Amplitude (uM), rise (s), rate (1/s), decay (s): the four pulses of Taheri et al. (2017).
PULSES = {
    "single peak": (0.2, 10.0, 0.2, 97.0),
    "multiple peaks": (0.26, 41.0, 0.12, 200.0),
    "plateau": (0.375, 34.0, 0.002, 138.0),
    "long lasting": (0.55, 39.0, 0.002, 179.0),
}


def ip3_pulse(amplitude, rise, rate, decay, start=0.0):
    """IP3 (uM) as a function of time (s)."""
    top = amplitude / (1 - np.exp(-rate * rise))

    def at(t):
        if t < start:
            return 0.0
        if t <= start + rise:
            return top * (1 - np.exp(-rate * (t - start)))
        return amplitude * np.exp(np.log(0.005 / amplitude) * (t - start - rise) / decay)

    return at


def ullah(t, y):
    """d(C, h, I)/dt of the cell of Gordleeva et al., without input."""
    c, h, i = y
    c0, c1, v1, v2, v3, v4, v6, k1, k2, k3, k4 = 2, 0.185, 6, 0.11, 2.2, 0.3, 0.2, 0.5, 1, 0.1, 1.1
    d1, d2, d3, d5, a2, alpha, rest_ip3, rate = 0.13, 1.049, 0.9434, 0.082, 0.14, 0.8, 0.16, 0.14
    er = c0 / c1 - (1 + 1 / c1) * c
    j_er = c1 * v1 * (i * c * h / ((i + d1) * (c + d5))) ** 3 * er
    j_leak = c1 * v2 * er
    j_pump = v3 * c**2 / (k3**2 + c**2)
    j_in, j_out = v6 * i**2 / (k2**2 + i**2), k1 * c
    gate = a2 * (d2 * (i + d1) / (i + d3) * (1 - h) - c * h)
    ip3 = rate * (rest_ip3 - i) + v4 * (c + (1 - alpha) * k4) / (c + k4)
    return [j_er - j_pump + j_leak + j_in - j_out, gate, ip3]


def nest(t, y):
    """d(C, h, I)/dt of astrocyte_lr_1994 between spikes."""
    c, h, i = y
    return [*li_rinzel(NADKARNI_JUNG, i)(c, h), (0.16 - i) / 7.142]


def response_class(ts, c):
    """The four classes of Taheri et al. (2017), read off a trace that starts at rest.

    Long lasting: raised for more than 55 s. Else a single peak, if there is one; multiple peaks, if
    calcium falls by more than 0.1 uM between the first two; a plateau, if it stays up.
    """
    raised = np.sum(c > 1.5 * c[0]) * (ts[1] - ts[0])
    tops = np.flatnonzero((c[1:-1] > c[:-2]) & (c[1:-1] >= c[2:])) + 1
    tops = [k for k in tops if c[k] > 2.5 * c[0]]
    if raised > 55.0:
        return "long lasting"
    if len(tops) == 1:
        return "single peak"
    fall = c[tops[1]] - c[tops[0] : tops[1]].min()
    return "multiple peaks" if fall > 0.1 else "plateau"


def path(field, start, ts, jumps):
    """The states at the times `ts` (s), solved in pieces so that no step crosses a jump (s)."""
    edges = [ts[0], *(t for t in jumps if ts[0] < t < ts[-1]), ts[-1]]
    values, y = np.empty((len(start), len(ts))), np.asarray(start, float)
    for a, b in itertools.pairwise(edges):
        inside = (ts >= a) & (ts <= b)
        found = solve_ivp(
            field, (a, b), y, "DOP853", rtol=1e-10, atol=1e-12, max_step=0.5, dense_output=True
        )
        values[:, inside] = found.sol(ts[inside])
        y = found.y[:, -1]
    return values
