"""Cells and astrocytes solved: times and heights that SciPy finds from the published equations."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite import analysis, astrocytes, cells
from tripartite.core.units import per_second
from tripartite.proofs.certificate import Claim, machine_epsilon
from tripartite.proofs.models import numbers
from tripartite.proofs.models.setting import record_of

SQUID_STEP = 0.01
PULSE_STEP = 0.5
RELEASE_STEP = 1.0
NEST_STEP = 2.0


def squid() -> Array:
    """The largest error of three spike times under 10 uA/cm2, ms."""
    run = eqx.filter_jit(lambda cell: record_of(cell, 10.0, t1=35.0, dt=SQUID_STEP)["v"])
    v = np.asarray(run(cells.HodgkinHuxley()))
    times = analysis.spike_times(SQUID_STEP * np.arange(v.size), v)
    return _worst(np.asarray(times), numbers.SQUID_SPIKES)


def _worst(found: np.ndarray, expected: tuple[float, ...]) -> Array:
    """The largest difference; infinite where there is one too many or too few."""
    if found.shape != (len(expected),):
        return jnp.asarray(jnp.inf)
    return jnp.asarray(np.max(np.abs(found - np.asarray(expected))))


def top(ts: np.ndarray, c: np.ndarray) -> tuple[float, float]:
    """Time and height of the largest value, through a parabola."""
    k = int(np.clip(np.argmax(c), 1, c.size - 2))
    a, b, d = (float(x) for x in c[k - 1 : k + 2])
    bend = d - 2.0 * b + a
    if bend == 0.0:
        return float(ts[k]), b
    return (
        float(ts[k] - 0.5 * (d - a) / bend * (ts[1] - ts[0])),
        b - 0.125 * (d - a) ** 2 / bend,
    )


def chi_period() -> Array:
    """The period of the ChI cell's orbit under 2.5 uM of glutamate: its error, relative."""
    start = astrocytes.ChIState(*map(jnp.asarray, numbers.CHI_ORBIT))

    @eqx.filter_jit
    def run(cell: Any) -> Array:
        tight = {"rtol": 1e-9, "atol": 1e-11}
        return record_of(cell, 2.5, t1=8_200.0, y0=start, save_every=1.0, **tight)["calcium"]

    c = np.asarray(run(astrocytes.DePittaAM()))[4000:]
    up = np.flatnonzero((c[:-1] < 0.3) & (c[1:] >= 0.3))
    if up.size != 1:
        return jnp.asarray(jnp.inf)
    k = up[0]
    period = 4000.0 + k + (0.3 - c[k]) / (c[k + 1] - c[k])
    return jnp.asarray(abs(period / numbers.CHI_PERIOD - 1.0))


@eqx.filter_jit
def _one_vesicle(cell: Any, jump: Array) -> Array:
    glutamate = astrocytes.Transients(jump, 2000.0, 40.0 * per_second)
    drive = astrocytes.drive(glutamate=glutamate)
    return record_of(cell, drive, t1=3500.0, dt=PULSE_STEP)["calcium"]


def figure_2(jump: float = 500.0) -> tuple[float, float]:
    """Time and height of the first maximum of figure 2, with `jump` uM of glutamate at 2 s."""
    c = np.asarray(_one_vesicle(astrocytes.StimbergFigure2(), jnp.asarray(jump)))
    return top(PULSE_STEP * np.arange(c.size), c)


@cache
def _releases(precision: str) -> np.ndarray:
    """The gliotransmitter of figure 3's two cells, `[2, steps + 1]`, in the precision in force."""

    @jax.jit
    @jax.vmap
    def run(bias: Array) -> Array:
        model = astrocytes.GliotransmitterRelease(astrocytes.StimbergFigure3(bias))
        return record_of(model, None, t1=10_500.0, dt=RELEASE_STEP)["gliotransmitter"]

    return np.asarray(run(jnp.asarray([0.8, 1.25], precision)))


def releases() -> np.ndarray:
    """The gliotransmitter of both cells, solved once in each precision."""
    return _releases(str(jnp.result_type(float)))


def release_times() -> Array:
    """The largest error of three release times, ms."""
    worst = jnp.zeros(())
    for g, expected in zip(releases(), numbers.FIGURE_3, strict=True):
        times = RELEASE_STEP * (np.flatnonzero(np.diff(g) > 1.0) + 1)
        worst = jnp.maximum(worst, _worst(times, expected))
    return worst


def first_release() -> Array:
    """The first jump of gliotransmitter against rho_e G_T U_A: the larger relative error."""
    return jnp.asarray(np.max(np.abs(np.max(releases(), axis=1) / numbers.RELEASED - 1.0)))


def nest_pulse() -> Array:
    """Time of the maximum, the maximum, the peak's logarithm, time above threshold: `[4]` errors.

    Each relative to its own size.
    """
    calcium, h = numbers.LI_RINZEL
    cell = astrocytes.NESTAstrocyte(jump_size=1.0, calcium_init=calcium, h_init=h)
    spike = astrocytes.drive(spikes=astrocytes.SpikeArrivals([NEST_STEP], NEST_STEP))
    run = eqx.filter_jit(lambda cell: record_of(cell, spike, t1=7000.0, dt=NEST_STEP))
    ys = run(cell)
    c, sic = np.asarray(ys["calcium"]), np.asarray(ys["sic"])
    ts = NEST_STEP * (np.arange(c.size) - 1.0)
    level = 0.19669
    above = np.interp(level, *_around(c, ts, level, rising=False)) - np.interp(
        level, *_around(c, ts, level, rising=True)
    )
    found = np.array([*top(ts, c), np.max(sic), above])
    return jnp.asarray(np.abs(found / np.asarray(numbers.NEST_PULSE) - 1.0))


def _around(c: np.ndarray, ts: np.ndarray, level: float, *, rising: bool) -> Any:
    """The two values of calcium around the level, in rising order, and their times."""
    k = int(np.argmax(c > level)) if rising else c.size - int(np.argmax(c[::-1] > level))
    order = slice(k - 1, k + 1) if rising else slice(k, k - 2, -1)
    return c[order], ts[order]


def claims() -> Iterator[Claim]:
    """Spike times, a period, two figures of one chapter, and NEST's astrocyte."""
    yield from _single_cells()
    yield from _releases_and_pulse()


def _single_cells() -> Iterator[Claim]:
    eps = machine_epsilon()
    yield Claim(
        "Hodgkin-Huxley: worst of three spike times under 10 uA/cm2, ms",
        "trajectory",
        0.003 + 3500 * 65.0 * eps,
        "a step of second order loses 0.029 ms in 100 ms at dt = 0.025, hence 0.0015 in 32 ms at "
        "0.01; twice that, and every rounding of 65 mV as a ms per mV",
        squid,
        float64_only=False,
    )
    yield Claim(
        "ChI, AM, under 2.5 uM of glutamate: relative error of the period",
        "trajectory",
        1e-6,
        "some thousand steps of a relative tolerance of 1e-9, all errors of one sign",
        chi_period,
    )
    yield Claim(
        "G-ChI, figure 2: relative error of the first maximum of calcium",
        "trajectory",
        5e-4 + 7000 * eps,
        "(k dt)^2 / 12 for the fastest rate, k = 0.15 /ms of binding, and dt = 0.5 ms; a rounding "
        "a step",
        lambda: abs(figure_2()[1] / numbers.FIGURE_2[1] - 1.0),
        float64_only=False,
    )
    yield Claim(
        "G-ChI, figure 2: error of the time of that maximum, ms",
        "trajectory",
        1.0 + 1000.0 * (2.0 * 64.0 * eps / 3.0) ** 0.5,
        "an error of 5e-4 in what follows the vesicle, over 1.1 s; and a maximum that bends by "
        "3 uM/s^2 is flat to 64 roundings for that long",
        lambda: abs(figure_2()[0] - numbers.FIGURE_2[0]),
        float64_only=False,
    )


def _releases_and_pulse() -> Iterator[Claim]:
    eps = machine_epsilon()
    yield Claim(
        "release, figure 3: worst of three release times (one and two), ms",
        "trajectory",
        1.5 * RELEASE_STEP,
        "a release is seen at the end of its step of 1 ms; half a step for the step's own error",
        release_times,
        float64_only=False,
    )
    yield Claim(
        "release, figure 3: first jump against rho_e G_T U_A = 78 uM, relative",
        "trajectory",
        16 * eps,
        "a product of four numbers",
        first_release,
        float64_only=False,
    )
    yield Claim(
        "NEST's astrocyte, 1 uM of IP3: worst of peak time, peak, its logarithm, time above 0.197",
        "trajectory",
        1e-3 + 3500 * eps,
        "a step of second order at 2 ms, with modes of 100 ms or slower: (2 / 100)^2 / 12 for each "
        "of the 30 time constants that pass",
        lambda: jnp.max(nest_pulse()),
        float64_only=False,
    )
