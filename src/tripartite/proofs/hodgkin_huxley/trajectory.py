"""Rung 2: under one fixed-step method the voltages differ by round-off, and by tolerance else."""

import functools
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite import analysis, astype, cells, channels, simulate, solvers, stimuli
from tripartite.proofs.certificate import Claim
from tripartite.proofs.hodgkin_huxley.open_loop import TeacherForced, open_loop_ratio
from tripartite.proofs.hodgkin_huxley.setting import (
    DURATION,
    METHODS,
    STEPS,
    drives,
    gaps,
    round_off_bound,
    under_drives,
)
from tripartite.proofs.side_by_side import SideBySide


def claims() -> Iterator[Claim]:
    """Fixed steps, exponential steps, adaptive steps, bounds, float32, open loop, other cells."""
    yield from _fixed_claims()
    yield from _adaptive_claims()
    yield from _share_claims()
    yield from _cell_claims()


def _fixed_claims() -> Iterator[Claim]:
    bound = round_off_bound()
    why = "round-off: eps x 1,000 mV x 4,500, 7 times the largest gain measured; dt does not appear"
    found: dict[str, dict[float, Array]] = {}

    def worst(method: str, form: int) -> float:
        if method not in found:
            hh = cells.HodgkinHuxley()
            forms = (hh, cells.TVLIF(hh), cells.DerivativeTVLIF(hh))
            found[method] = {dt: gaps(forms, dt=dt, solver=METHODS[method]) for dt in STEPS}
        return max(float(gap[form]) for gap in found[method].values())

    for method in METHODS:
        for form, name in enumerate(("share", "derivative")):
            yield Claim(
                f"|dv| of the {name} form, {method}, dt 0.01 and 0.05 ms, three drives (mV)",
                "trajectory",
                bound,
                why,
                functools.partial(worst, method, form),
            )
    yield Claim(
        "growth of that gap from dt 0.01 to 0.05 ms, all methods and forms (mV)",
        "trajectory",
        bound,
        "round-off: an error of ordering would grow fivefold, as dt does",
        lambda: max(float(jnp.max(gap[0.05] - gap[0.01])) for gap in found.values()),
    )
    yield Claim(
        "|dv| of the share form under the symmetric exponential sweep (mV)",
        "trajectory",
        bound,
        why,
        lambda: max(float(gaps(_share_pair(), dt=dt)[0]) for dt in STEPS),
    )
    yield Claim(
        "|dv| with gauge resets at every spike, both forms, classical RK4 (mV)",
        "trajectory",
        bound,
        why,
        lambda: jnp.max(gaps(_gauged(), dt=0.01, solver=METHODS["classical RK4"])),
    )


def _share_pair() -> tuple[cells.AbstractCell, ...]:
    hh = cells.HodgkinHuxley()
    return hh, cells.TVLIF(hh)


def _gauged() -> tuple[cells.AbstractCell, ...]:
    hh = cells.HodgkinHuxley()
    return (
        hh,
        cells.gauge_reset(cells.TVLIF(hh)),
        cells.gauge_reset(cells.DerivativeTVLIF(hh)),
    )


def _adaptive_claims() -> Iterator[Claim]:
    @functools.cache
    def traces(tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        return tuple(
            np.asarray(under_drives(cell, rtol=tolerance, atol=tolerance, save_every=0.1)["v"])
            for cell in _share_pair()
        )  # pyright: ignore[reportReturnType]

    def gap(tolerance: float) -> float:
        truth, units = traces(tolerance)
        return float(np.max(np.abs(truth - units)))

    yield Claim(
        "share form, adaptive, each on its own steps: gap(1e-9)/gap(1e-6), gap(1e-12)/gap(1e-9)",
        "trajectory",
        0.1,
        "error control: a tolerance 1,000 times tighter must shrink the gap at least 10 times",
        lambda: max(gap(1e-9) / gap(1e-6), gap(1e-12) / gap(1e-9)),
        note=lambda: "Gaps: " + ", ".join(f"{gap(x):.2g} mV at {x:g}" for x in (1e-6, 1e-9, 1e-12)),
    )

    def shift() -> float:
        ts = np.linspace(0.0, DURATION, traces(1e-9)[0].shape[1])
        times = [analysis.spike_times(ts, v.T) for v in traces(1e-9)]
        return max(_shift(a, b) for a, b in zip(*times, strict=True))

    yield Claim(
        "spike times at tolerance 1e-9 (ms)",
        "trajectory",
        1e-5,
        "a budget, not proved: 1e-9 mV in 1,000 steps, a gain of 1,000, over 100 mV/ms",
        shift,
    )


def _shift(a: np.ndarray, b: np.ndarray) -> float:
    """The largest difference of two lists of spike times; infinite if their lengths differ."""
    if len(a) != len(b) or len(a) == 0:
        return float("inf")
    return float(np.max(np.abs(a - b)))


def _share_claims() -> Iterator[Claim]:
    yield Claim(
        "Theorem 1: each unit within max(|u(0)|, |E|) or max(|u(0)|, sup|I|/g_L), all samples",
        "trajectory",
        1.0,
        "a ratio of sizes; the theorem's own bound",
        theorem_one_ratio,
    )
    yield Claim(
        "float32, 300 ms: spike-time shift of the share form (ms)",
        "trajectory",
        1e-3,
        "eps(float32) x 100 mV = 1.2e-5 mV a step, random over 30,000 steps (x 173), a gain of "
        "about 100 under a step, over some 200 mV/ms at each crossing",
        float32_shift,
        float64_only=False,
    )
    rk4 = solvers.ClassicalRK4()
    yield Claim(
        "|dv|, conductances replayed at identical stages, classical RK4 (mV)",
        "trajectory",
        round_off_bound(),
        "round-off; open loop is contractive, so the gain of a spike is not even needed",
        lambda: jnp.max(
            jnp.abs(jnp.diff(under_drives(TeacherForced(0.0), dt=0.01, solver=rk4)["v"], axis=-1))
        ),
    )
    yield Claim(
        "conductances replayed 1 % wrong: |dv| over its bound sup|sum dg (v - E)| / g_L",
        "trajectory",
        1.0,
        "C e' = -g e - sum of dg (v - E) with e(0) = 0, hence the bound at every time",
        lambda: open_loop_ratio(0.01),
    )


def theorem_one_ratio() -> float:
    """The largest |u| over its bound, all units, samples and drives."""
    hh = cells.HodgkinHuxley()
    y = under_drives(cells.TVLIF(hh), dt=0.01, solver=solvers.ClassicalRK4(), record="state")
    ratios = [
        float(jnp.max(jnp.abs(u)) / jnp.abs(e))
        for u, e in zip(y.shares, hh.reversals(hh.init()), strict=True)
    ]
    strongest = jnp.max(jnp.abs(drives().values), axis=-1)
    limit = jnp.maximum(jnp.abs(hh.v_init), strongest / hh.conductances(hh.init())[-1])
    ratios.append(float(jnp.max(jnp.max(jnp.abs(y.drive), axis=-1) / limit)))
    return max(ratios)


def float32_shift() -> float:
    """Share form against the cell, both in float32."""
    pair = astype(SideBySide(_share_pair()), jnp.float32)
    drive = astype(stimuli.Step(10.0, start=5.0), jnp.float32)
    sol: Any = simulate(pair, drive, t1=300.0, dt=0.01, solver=solvers.ClassicalRK4())
    return _shift(*analysis.spike_times(sol.ts, sol.ys["v"]))


def five_channels() -> cells.ConductanceCell:
    """Sodium, potassium, a slow potassium current, a persistent sodium current and a leak."""
    slow = channels.Gate(
        channels.Exponential(0.0033, -35.0, 20.0), channels.Exponential(0.0033, -35.0, -20.0)
    )
    persistent = channels.Gate(
        channels.Sigmoid(1.0, -48.0, 5.0), channels.Sigmoid(1.0, -48.0, -5.0)
    )
    return cells.ConductanceCell(
        (
            channels.Sodium(),
            channels.Potassium(),
            channels.Channel(
                name="slow_potassium", gates={"p": slow}, conductance=0.1, reversal=-90.0
            ),
            channels.Channel(
                name="persistent_sodium", gates={"p": persistent}, conductance=0.02, reversal=50.0
            ),
            channels.Leak(),
        )
    )


def with_calcium() -> cells.ConductanceCell:
    """Nine channels: two carry calcium (a Nernst and a GHK current), which opens two others."""
    sources = (
        channels.NernstChannel("t_calcium", channels.t_type_gates(), 0.4),
        channels.GHKChannel(
            "l_calcium", channels.l_type_gates(), channels.permeability_current(5e-6)
        ),
    )
    others = (
        channels.TraubMilesSodium(50.0, threshold=-55.0),
        channels.TraubMilesPotassium(5.0, threshold=-55.0),
        channels.CalciumPotassium(0.3),
        channels.AfterHyperpolarisation(0.1),
        channels.HCurrent(0.02),
        channels.PersistentSodium(0.02),
        channels.Leak(0.05, -70.0),
    )
    pool = channels.CalciumPool(tuple(channel.name for channel in sources))
    return cells.ConductanceCell((*sources, *others), pool=pool)


# Solved side by side, in one compiled loop.
FAMILY = (cells.WangBuzsaki, cells.MorrisLecar, with_calcium)


def family_gap() -> Array:
    """The largest |dv| of the share form over the family's cells and the drives (mV)."""
    made = [make() for make in FAMILY]
    pairs = SideBySide(tuple(form for cell in made for form in (cell, cells.TVLIF(cell))))
    v = under_drives(pairs, dt=0.01, solver=solvers.ClassicalRK4())["v"]
    return jnp.max(jnp.abs(v[..., 1::2] - v[..., ::2]))


CELLS = {
    "leak alone, 2 units": lambda: cells.ConductanceCell((channels.Leak(),)),
    "NEURON's leak reversal, 4 units": lambda: cells.HodgkinHuxley(e_leak=-54.3),
    "five channels, 6 units": five_channels,
}


def _cell_claims() -> Iterator[Claim]:
    def gap(make: object) -> float:
        cell = make()  # pyright: ignore[reportCallIssue]
        return float(gaps((cell, cells.TVLIF(cell)), dt=0.01, solver=solvers.ClassicalRK4())[0])

    for name, make in CELLS.items():
        yield Claim(
            f"|dv| of the share form, {name} (mV)",
            "trajectory",
            round_off_bound(),
            "as for Hodgkin-Huxley: the theorem holds for any channels",
            functools.partial(gap, make),
        )
    yield Claim(
        "|dv| of the share form: Wang-Buzsaki, Morris-Lecar, nine channels with a "
        "calcium pool (mV)",
        "trajectory",
        round_off_bound(),
        "conductances and reversals that depend on v and calcium are read at the sum of the units",
        family_gap,
    )
