"""The fitting problem, the same for every simulator: standard library and NumPy alone.

The stimulus, the record and the starts are drawn here, from seeds, so that everyone is given the
same numbers. The record is made by each simulator with its own equations at the true parameters;
noise with a standard deviation of 1 mV is added to it.
"""

import numpy as np

SPAN, DT = 100.0, 0.05  # ms
STEP, BEGIN, END = 8.0, 10.0, 80.0  # uA/cm2, ms
NOISE_CURRENT, TAU = 5.0, 2.0  # uA/cm2, ms: an Ornstein-Uhlenbeck process
NOISE = 1.0  # mV
NAMES = ("g_Na", "g_K", "g_L", "C", "E_L")
TRUTH = np.array([120.0, 36.0, 0.3, 1.0, -54.387])
FACTOR, REACH = 3.0, 15.0  # starts: so many times more or less; so many mV up or down
WITHIN = 0.02


def current():
    """A step and a noise current, uA/cm2, one value every DT, both ends included."""
    normal = np.random.default_rng(7).standard_normal(round(SPAN / DT) + 1)
    keep = np.exp(-DT / TAU)
    path = [normal[0]]
    for x in normal[1:]:
        path.append(keep * path[-1] + np.sqrt(1.0 - keep**2) * x)
    ts = DT * np.arange(len(path))
    return np.where((ts >= BEGIN) & (ts < END), STEP, 0.0) + NOISE_CURRENT * np.array(path)


def noise():
    """What is added to the record, mV."""
    return NOISE * np.random.default_rng(0).standard_normal(round(SPAN / DT) + 1)


def starts(number):
    """`[number, 5]`: log-uniform, and uniform in E_L."""
    u = np.random.default_rng(5).uniform(-1.0, 1.0, (number, 5))
    scaled = TRUTH[:4] * FACTOR ** u[:, :4]
    return np.concatenate([scaled, TRUTH[4:] + REACH * u[:, 4:]], axis=1)


def errors(found):
    """The largest relative error of each fit's five parameters; infinite if it is no number."""
    off = np.max(np.abs(np.asarray(found) / TRUTH - 1.0), axis=1)
    return np.where(np.isfinite(off), off, np.inf)
