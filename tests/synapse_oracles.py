"""Synapses once more, in NumPy and SciPy, written from the published equations alone.

An oracle shares no code with the library: recursions are spelt out spike by spike, and SciPy
integrates what has no closed form. Times are in ms, concentrations in uM.
"""

import itertools
import math

import numpy as np
from scipy.integrate import solve_ivp

# Stimberg et al. 2019, table of parameters, per second and in mM there.
OMEGA_D, OMEGA_F, OMEGA_C = 2e-3, 3.33e-3, 40e-3
U_0, Y_T, RHO_C = 0.6, 500e3, 0.005
O_G, OMEGA_G = 1.5e-3, 0.5 / 60e3
RHO_E, G_T, OMEGA_E = 6.5e-4, 200e3, 60e-3
U_A, OMEGA_A = 0.6, 0.6e-3
# The sixteen spikes of figure 3 of the chapter, after 16.5 s.
FIGURE_3 = (*range(0, 201, 50), *range(300, 401, 10))


def tsodyks_markram(
    times, utilisation, *, omega_f=OMEGA_F, omega_d=OMEGA_D, omega_c=OMEGA_C, late=False
):
    """Released fractions at each spike, and (u, x, Y) just after each, by the exact recursion.

    `utilisation` is a number, or one per spike. `late`: wrongly, release comes before facilitation.
    """
    base = np.broadcast_to(utilisation, len(times))
    u, x, spilled, last = 0.0, 1.0, 0.0, times[0]
    released, states = [], []
    for time, at_rest in zip(times, base, strict=True):
        gap = time - last
        u *= math.exp(-omega_f * gap)
        x = 1.0 - (1.0 - x) * math.exp(-omega_d * gap)
        spilled *= math.exp(-omega_c * gap)
        facilitated = u + at_rest * (1.0 - u)
        r = (u if late else facilitated) * x
        u = facilitated
        x -= r
        spilled += RHO_C * Y_T * r
        released.append(r)
        states.append((u, x, spilled))
        last = time
    return np.array(released), np.array(states)


def releases(times):
    """The gliotransmitter jumps (uM) of an astrocyte that releases at `times`: chapter's equations.

    Each release takes the fraction U_A of the available resources, which recover at Omega_A.
    """
    available, last, jumps = 1.0, None, []
    for time in times:
        if last is not None:
            available = 1.0 - (1.0 - available) * math.exp(-OMEGA_A * (time - last))
        jumps.append(RHO_E * G_T * U_A * available)
        available -= U_A * available
        last = time
    return np.array(jumps)


def gliotransmitter(t, times, jumps):
    """G_A at `t` (uM): each jump decays at Omega_e."""
    age = np.asarray(t)[..., None] - np.asarray(times)
    return np.sum(np.where(age >= 0, jumps * np.exp(-OMEGA_E * np.maximum(age, 0.0)), 0.0), -1)


def bound_receptors(ts, times):
    """Gamma_S at each of `ts` for an astrocyte that releases at `times`, by SciPy."""
    jumps = releases(times)
    now, gamma, out = 0.0, 0.0, []
    stops = sorted({*times, *ts})
    found = {}
    for stop in stops:
        if stop > now:
            past = [(a, b) for a, b in zip(times, jumps, strict=True) if a <= now]

            def slope(t, y, past=past):
                g = sum(b * math.exp(-OMEGA_E * (t - a)) for a, b in past)
                return O_G * g * (1 - y) - OMEGA_G * y

            # Steps short enough to see a release decay within 17 ms.
            first = None if stop - now < 1.0 else 1e-3
            sol = solve_ivp(slope, (now, stop), [gamma], "LSODA", rtol=1e-11, atol=1e-13,
                            first_step=first)  # fmt: skip
            gamma, now = float(sol.y[0, -1]), stop
        found[stop] = gamma
    out = [found[t] for t in ts]
    return np.array(out)


def mean_field(rate, utilisation, omega_f=OMEGA_F, omega_d=OMEGA_D):
    """Mean released fraction per spike at a Poisson rate (1/ms): zero of the mean field."""
    u = utilisation * rate / (omega_f + utilisation * rate)
    at_spike = u + utilisation * (1 - u)
    return at_spike * omega_d / (omega_d + at_spike * rate)


def smeared(times, width, utilisation):
    """Resources that each square spike of `width` ms and area 1 uses up, in the mean field."""
    y, now, used = np.array([0.0, 1.0]), 0.0, []

    def go(y, span, rate):
        def slope(_, y):
            u, x = y
            at_spike = u + utilisation * (1 - u)
            up = utilisation * (1 - u) * rate
            return [up - OMEGA_F * u, OMEGA_D * (1 - x) - at_spike * x * rate]

        return solve_ivp(slope, (0, span), y, "DOP853", rtol=1e-11, atol=1e-13).y[:, -1]

    for time in times:
        before = go(y, time - now, 0.0)
        y, now = go(before, width, 1.0 / width), time + width
        used.append(before[1] - y[1])
    return np.array(used)


def two_state_pulse(t, binding, unbinding, *, peak=1000.0, duration=1.0):
    """The open fraction at `t` ms after the start of one square pulse: Destexhe et al. 1994."""
    rate = binding * peak + unbinding
    steady = binding * peak / rate
    end = steady * -math.expm1(-rate * duration)
    rising = steady * -np.expm1(-rate * np.minimum(t, duration))
    return np.where(t <= duration, rising, end * np.exp(-unbinding * (t - duration)))


def gaba_b(t, spikes, *, peak=1000.0, duration=1.0):
    """(bound receptors, G-protein, open fraction) at times `t`, by SciPy, pulse by pulse."""
    edges = sorted({0.0, *spikes, *(s + duration for s in spikes), float(t[-1])})
    y, out = np.zeros(2), []
    for start, stop in itertools.pairwise(edges):
        middle = (start + stop) / 2
        transmitter = peak * any(s <= middle < s + duration for s in spikes)

        def slope(_, y, transmitter=transmitter):
            bound, protein = y
            return [
                9e-5 * transmitter * (1 - bound) - 1.2e-3 * bound,
                0.18 * bound - 0.034 * protein,
            ]

        inside = t[(t >= start) & (t < stop if stop < t[-1] else t <= stop)]
        sol = solve_ivp(slope, (start, stop), y, "DOP853", rtol=1e-12, atol=1e-14,
                        dense_output=True)  # fmt: skip
        out.append(sol.sol(inside))
        y = sol.y[:, -1]
    bound, protein = np.concatenate(out, axis=1)
    return bound, protein, protein**4 / (protein**4 + 100.0)


def stdp(pre, post, *, a2p, a3p, a2m, a3m, tau_p, tau_x, tau_m, tau_y, nearest=False):
    """The total change of a weight under the triplet rule: Pfister and Gerstner 2006.

    All spikes of both sides in order; at a tie each side reads the traces from before both.
    """
    taus = {"r1": tau_p, "r2": tau_x, "o1": tau_m, "o2": tau_y}
    trace, last, weight = dict.fromkeys(taus, 0.0), 0.0, 0.0
    for time in sorted({*pre, *post}):
        trace = {k: v * math.exp(-(time - last) / taus[k]) for k, v in trace.items()}
        last = time
        if time in pre:
            weight -= trace["o1"] * (a2m + a3m * trace["r2"])
        if time in post:
            weight += trace["r1"] * (a2p + a3p * trace["o2"])
        for side, names in ((pre, ("r1", "r2")), (post, ("o1", "o2"))):
            for name in names if time in side else ():
                trace[name] = 1.0 if nearest else trace[name] + 1.0
    return weight


def pairings(frequency, lag, count=60):
    """Pre and post times (ms) of `count` pairings at `frequency` Hz, post `lag` ms after pre."""
    start = 20.0 + 1000.0 / frequency * np.arange(count)
    return start, start + lag


def central(f, x, step):
    """The central difference of a scalar function, fourth order."""
    return (8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / (12 * step)
