"""Figure 4 of Stimberg et al. (2019) once more, in NumPy and SciPy, from the printed equations.

A synapse without gliotransmission, one whose astrocyte does not hear it (open loop) and one whose
astrocyte does (closed loop). Nothing is shared with the library. Time is in s, uM throughout.
"""

import numpy as np
from scipy.integrate import solve_ivp

import astrocyte_oracles
import synapse_oracles as synapse

# O_beta 3.2, and otherwise the chapter's table; the last is F_ex.
CELL = (3.2, 0.6, 0.1, 4.5, 0.7, 0.05, 0.05, 2.0)
# The level of the IP3 source, and whether transmitter reaches the astrocyte.
LOOPS = {"open": (1.0, 0.0), "closed": (0.0, 1.0)}
START = (0.0, 0.0, 0.0, 0.9)  # Gamma_A, I, C, h
THRESHOLD = 0.5
OMEGA_A, OMEGA_E, CONTENT, SHARE = 0.6, 60.0, 130.0, 0.6
O_G, OMEGA_G = 1.5, 0.5 / 60.0
OMEGA_C, JUMP = 40.0, 2500.0


def released_on_average(rate, bound):
    """The released fraction per spike in the mean field, where `bound` of the receptors are."""
    return synapse.mean_field(1e-3 * rate, 0.6 * (1.0 - bound))


def mean_field(loop, rate, seconds, transient):
    """The mean over [transient, seconds] of what a spike releases, and when the astrocyte released.

    The terminal is at its steady state for the present Gamma_S: it follows within a second what
    changes over minutes, and where it does not (after a release) every path is compared alike.
    """
    level, hears = LOOPS[loop]

    def field(t, y):
        u, x, spilled, bound, ready, g = y[4:]
        inner = astrocyte_oracles.gchi(CELL, lambda t: level, lambda t: hears * spilled)(t, y[:4])
        at_rest = 0.6 * (1.0 - bound)
        used = (u + at_rest * (1.0 - u)) * x * rate
        return [
            *inner,
            -3.33 * u + at_rest * (1.0 - u) * rate,
            2.0 * (1.0 - x) - used,
            -OMEGA_C * spilled + JUMP * used,
            O_G * g * (1.0 - bound) - OMEGA_G * bound,
            OMEGA_A * (1.0 - ready),
            -OMEGA_E * g,
        ]

    def crossing(t, y):
        return y[2] - THRESHOLD

    crossing.direction, crossing.terminal = 1, True
    y, t, times = np.array([*START, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]), 0.0, []
    area = 0.0
    while t < seconds:
        found = solve_ivp(field, (t, seconds), y, "LSODA", rtol=1e-8, atol=1e-10, events=crossing,
                          max_step=0.5, first_step=1e-4, dense_output=True)  # fmt: skip
        y, last, t = found.y[:, -1].copy(), t, found.t[-1]
        if t > transient:
            ts = np.linspace(max(last, transient), t, 2 + int(1000 * (t - last)))
            _, _, _, _, u, x, _, bound, _, _ = found.sol(ts)
            area += np.trapezoid((u + 0.6 * (1.0 - bound) * (1.0 - u)) * x, ts)
        if t < seconds:
            times.append(t)
            y[9] += CONTENT * SHARE * y[8]
            y[8] -= SHARE * y[8]
            # Past the threshold, so that the same crossing is not found again.
            y[2] = np.nextafter(THRESHOLD, 1.0) + 1e-9
    return area / (seconds - transient), np.array(times)


def bound_in_open_loop(seconds, transient):
    """Gamma_S every 10 ms after the transient, of a synapse that its astrocyte does not hear."""
    found, t = [], np.arange(transient, seconds, 0.01)
    cell = astrocyte_oracles.gchi(CELL, lambda t: LOOPS["open"][0], lambda t: 0.0)

    def crossing(t, y):
        return y[2] - THRESHOLD

    crossing.direction = 1
    times = 1000 * solve_ivp(
        cell, (0.0, seconds), START, "LSODA", rtol=1e-8, atol=1e-10, events=crossing, max_step=0.5
    ).t_events[0]  # fmt: skip
    # Of one release everything is bound before the receptors let go: exact but for 1/7200.
    jumps = synapse.releases(times)
    bound, last = 0.0, 0.0
    for time, jump in zip(times, jumps, strict=True):
        inside = (t >= last) & (t < time / 1000)
        found.append(bound * np.exp(-OMEGA_G * (t[inside] - last)))
        bound *= np.exp(-OMEGA_G * (time / 1000 - last))
        bound = 1.0 - (1.0 - bound) * np.exp(-O_G * jump / OMEGA_E)
        last = time / 1000
    found.append(bound * np.exp(-OMEGA_G * (t[t >= last] - last)))
    return np.concatenate(found)


def spike_by_spike(loop, spikes, dt):
    """What each spike releases, `[steps, synapses]` (0 where there is none), and Gamma_S.

    `spikes`: 1 where one arrives at the end of a step of `dt` s. The terminal is exact between
    spikes, the astrocyte takes steps of Runge and Kutta, and hears the transmitter decay.
    """
    count = spikes.shape[1]
    level, hears = LOOPS.get(loop, (0.0, 0.0))
    y = np.array([np.full(count, x) for x in START])
    u, x, spilled, bound = np.zeros(count), np.ones(count), np.zeros(count), np.zeros(count)
    ready, g, armed = np.ones(count), np.zeros(count), np.ones(count, bool)
    released, gamma = np.zeros(spikes.shape), np.zeros(spikes.shape)
    bias = lambda t: level  # noqa: E731
    for k, spike in enumerate(spikes):
        if loop != "none":
            heard = hears * spilled
            field = astrocyte_oracles.gchi(
                CELL, bias, lambda t, heard=heard: heard * np.exp(-OMEGA_C * t)
            )
            a = field(0.0, y)
            b = field(dt / 2, y + dt / 2 * a)
            c = field(dt / 2, y + dt / 2 * b)
            d = field(dt, y + dt * c)
            y = y + dt / 6 * (a + 2 * b + 2 * c + d)
            # G_A decays by its own equation, Gamma_S by its mean over the step.
            mean = g * -np.expm1(-OMEGA_E * dt) / (OMEGA_E * dt)
            rate = O_G * mean + OMEGA_G
            bound = O_G * mean / rate + (bound - O_G * mean / rate) * np.exp(-rate * dt)
            g = g * np.exp(-OMEGA_E * dt)
            ready = 1.0 - (1.0 - ready) * np.exp(-OMEGA_A * dt)
            above = y[2] > THRESHOLD
            now = np.where(above & armed, SHARE * ready, 0.0)
            g, ready, armed = g + CONTENT * now, ready - now, ~above
        u = u * np.exp(-3.33 * dt)
        x = 1.0 - (1.0 - x) * np.exp(-2.0 * dt)
        spilled = spilled * np.exp(-OMEGA_C * dt)
        at_spike = u + 0.6 * (1.0 - bound) * (1.0 - u)
        u = np.where(spike > 0, at_spike, u)
        r = at_spike * x * spike
        x, spilled = x - r, spilled + JUMP * r
        released[k], gamma[k] = r, bound
    return released, gamma
