"""The network of benchmark 3 of Brette et al. (2007): what every simulator of it is given.

J. Comput. Neurosci. 23, 349, appendix B: Traub-Miles cells, four fifths of them excitatory, each
joined to each with a probability of 2 %; conductances per area for cells of 20,000 um2. NumPy
alone: this file is read in the environment of every simulator, and draws the same in each.
"""

import hashlib

import numpy as np

FULL = 4000
SEED = 2007
JOINED = 0.02
DT = 0.1  # ms
THRESHOLD, REFRACTORY = -20.0, 3.0  # mV, ms
# nS of a whole cell of 20,000 um2 to mS/cm2: 1 nS / 2e-4 cm2 = 5e-3 mS/cm2.
PER_AREA = 5e-3
WEIGHT = {"exc": 6.0 * PER_AREA, "inh": 67.0 * PER_AREA}  # mS/cm2
DECAY = {"exc": 5.0, "inh": 10.0}  # ms
REVERSAL = {"exc": 0.0, "inh": -80.0}  # mV
CELL = {
    "g_sodium": 100.0,
    "g_potassium": 30.0,
    "g_leak": 0.05,
    "e_sodium": 50.0,
    "e_potassium": -90.0,
    "e_leak": -60.0,
    "threshold": -63.0,
}


def sources(cells, kind):
    """The first and one past the last of the cells of a kind."""
    excitatory = 4 * cells // 5
    return (0, excitatory) if kind == "exc" else (excitatory, cells)


def weight(cells, kind):
    """mS/cm2: fewer cells have stronger synapses, so that the mean conductance is the same."""
    return WEIGHT[kind] * FULL / cells


def edges(cells):
    """`{kind: (pre, post)}` over all cells, in order of post."""
    rng, found = np.random.default_rng([SEED, cells]), {}
    for kind in ("exc", "inh"):
        first, last = sources(cells, kind)
        # One row of uniform numbers for each target, so that no matrix has to be held.
        rows = [np.flatnonzero(rng.random(last - first) < JOINED) for _ in range(cells)]
        post = np.repeat(np.arange(cells), [len(row) for row in rows])
        found[kind] = np.concatenate(rows) + first, post
    return found


def start(cells):
    """Voltages (mV) and conductances (mS/cm2), by kind, at t = 0; every gate starts at 0."""
    rng = np.random.default_rng([SEED, cells, 1])
    v = -65.0 + 5.0 * rng.standard_normal(cells)
    excitatory = (40.0 + 15.0 * rng.standard_normal(cells)) * PER_AREA
    inhibitory = (200.0 + 120.0 * rng.standard_normal(cells)) * PER_AREA
    return v, {"exc": excitatory, "inh": inhibitory}


def fingerprint(cells):
    """A digest of all that is drawn: the same wherever the draws are."""
    v, g = start(cells)
    drawn = [x for pair in edges(cells).values() for x in pair]
    rounded = [np.round(x * 1e6).astype(np.int64) for x in (v, *g.values())]
    digest = hashlib.sha256()
    for x in (*drawn, *rounded):
        digest.update(np.ascontiguousarray(x, np.int64).tobytes())
    return digest.hexdigest()[:16]
