"""Who is joined to whom in figure 6 of Stimberg et al. (2019), and what is read off a run.

NumPy alone: every simulator builds its network from these arrays. The equations, the parameters and
the wiring are those of the authors' example in Brian2 (Stimberg_et_al_2018, example 6).
"""

import dataclasses

import numpy as np

# um: the side of the square at full size, on which cells and astrocytes stand in rows.
SIDE = 3750.0
REACH = 75.0  # um: astrocytes closer than this are joined
N_EXC, N_INH, N_ASTRO = 3200, 800, 3200
P_EXC, P_INH = 0.05, 0.2
W_EXC, W_INH = 0.05, 1.0  # nS, at full size
REST, THRESHOLD = -60.0, -50.0  # mV
LEVELS, PERIOD = (100.0, 120.0, 100.0, 100.0), 2.0  # pA: the current, each for so many s
START = (0.01, 0.01)  # uM: calcium and IP3 of the astrocytes
BIN = 5.0  # ms: of the counts whose variance says how synchronous the cells are


@dataclasses.dataclass(frozen=True)
class Wiring:
    """Edges from excitatory and inhibitory cells to all cells (excitatory ones first).

    `astrocyte`: of each excitatory edge, -1 for none; `junctions`: pairs of astrocytes, each once;
    `v`: where the cells start, mV; `w_exc` and `w_inh` in nS.
    """

    n_exc: int
    n_inh: int
    n_astro: int
    exc: np.ndarray
    inh: np.ndarray
    astrocyte: np.ndarray
    junctions: np.ndarray
    v: np.ndarray
    w_exc: float
    w_inh: float


def wiring(scale=1.0, seed=0, covering="script"):
    """The network with `scale` times the cells, its weights divided by `scale`.

    Each pair is joined with the same probability at every size, so that a cell hears `scale` times
    as many others, each `1 / scale` times as strongly. `covering`: as in `covered`.
    """
    rng = np.random.default_rng(seed)
    n_exc, n_inh, n_astro = (round(n * scale) for n in (N_EXC, N_INH, N_ASTRO))
    total, side = n_exc + n_inh, SIDE * np.sqrt(scale)
    exc = _joined(rng, n_exc, total, P_EXC)
    inh = _joined(rng, n_inh, total, P_INH)
    return Wiring(
        n_exc, n_inh, n_astro, exc, inh,
        covered(exc[1], n_exc, n_astro, side, covering), _neighbours(n_astro, side),
        REST + (THRESHOLD - REST) * rng.random(total), W_EXC / scale, W_INH / scale,
    )  # fmt: skip


def _joined(rng, n_pre, n_post, p):
    """Each pair with probability p, by target: `[2, edges]`."""
    rows = [np.nonzero(rng.random(n_pre) < p)[0] for _ in range(n_post)]
    post = np.repeat(np.arange(n_post), [len(row) for row in rows])
    return np.stack([np.concatenate(rows), post])


def places(n, side, columns=None):
    """Where the units stand, in rows from the middle of the square, um: `[n, 2]`."""
    rows = int(np.sqrt(n))
    across = n // rows if columns is None else columns
    step = side / (across if columns is None else rows)
    i = np.arange(n)
    return np.stack([(i // rows - rows / 2) * step, (i % rows - across / 2) * step], axis=1)


def covered(post, n_exc, n_astro, side, covering):
    """The astrocyte at each excitatory synapse, by where its target stands; -1 for none.

    `"script"`: as the authors' script has it. There inhibitory cells stand in the middle, and the
    index of an astrocyte is counted from the middle, too, so that the targets in one half of the
    square have none. `"place"`: the astrocyte nearest to the target, if that is excitatory.
    """
    rows = int(np.sqrt(n_astro))
    step = side / rows
    at = np.zeros((post.max() + 1, 2))
    at[:n_exc] = places(n_exc, side)
    if covering == "script":
        column, row = np.trunc(at[post] / step).T
        index = np.trunc(column + n_astro / rows * row).astype(int)
        return np.where((index >= 0) & (index < n_astro), index, -1)
    astrocytes = places(n_astro, side, n_astro / rows)
    nearest = [np.argmin(np.sum((astrocytes - x) ** 2, axis=1)) for x in at[:n_exc]]
    return np.where(post < n_exc, np.append(nearest, -1)[np.minimum(post, n_exc)], -1)


def _neighbours(n, side):
    """Pairs of astrocytes closer than REACH."""
    at = places(n, side, n / int(np.sqrt(n)))
    found = []
    for i in range(n - 1):
        near = np.nonzero(np.sum((at[i + 1 :] - at[i]) ** 2, axis=1) < REACH**2)[0]
        found.append(np.stack([np.full(len(near), i), near + i + 1]))
    return np.concatenate(found, axis=1)


def summary(w, dt, exc, inh, released):
    """Rates (Hz) and synchrony in three windows, from spikes per step, and the first release (s).

    Synchrony is the variance of the number of spikes in 5 ms over its mean: 1 for independent
    Poisson cells, at most the number of cells. `released`: releases per step. The first 0.5 s, in
    which the start is forgotten, belong to no window.
    """
    end = len(exc) * dt / 1000
    windows = {"before": (0.5, PERIOD), "raised": (PERIOD, 2 * PERIOD), "after": (2 * PERIOD, end)}
    found, width = {}, round(BIN / dt)
    for name, (start, stop) in windows.items():
        a, b = round(start * 1000 / dt), round(min(stop, end) * 1000 / dt)
        if b - a < 2 * width:
            continue
        seconds = (b - a) * dt / 1000
        both = (exc + inh)[a : a + (b - a) // width * width].reshape(-1, width).sum(1)
        found[name] = {
            "exc": float(exc[a:b].sum() / w.n_exc / seconds),
            "inh": float(inh[a:b].sum() / w.n_inh / seconds),
            "synchrony": float(both.var() / max(both.mean(), 1e-12)),
            "releases": float(released[a:b].sum()),
        }
    at = np.flatnonzero(released > 0)
    found["first release"] = float(at[0] * dt / 1000) if len(at) else None
    return found
