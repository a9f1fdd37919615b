"""The tables that need no other simulator, in one process and on whatever cores there are."""

import dataclasses
import json
import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import tripartite as tp
from tripartite.bench.numbers import number, spread, with_spread, worst_spike
from tripartite.bench.work import (
    COLD,
    CURRENT,
    DT,
    SPAN,
    compiled,
    once,
    one_cell,
    population,
    small_loops,
    solver,
    temporaries,
)

SETTINGS = (
    ("symmetric", "exponential"),
    ("symmetric", "Pade"),
    ("symmetric", "Crank-Nicolson"),
    ("sequential", "exponential"),
)
PRECISIONS = ("float32", "float64")
# Neuron-steps of one timed run: long enough to be timed, short enough to wait for.
WORK = {1: 8000, 100: 200_000, 1000: 500_000, 4096: 2_000_000, 8192: 4_000_000}


@dataclasses.dataclass(frozen=True)
class Table:
    """What was measured: a title, a note, and a line for each setting."""

    title: str
    note: str
    header: list[str]
    lines: list[list[str]]


def _sizes(full: bool) -> tuple[int, ...]:
    return (1, 100, 8192) if full else (1, 1000)


def _rounds(function: Any, arguments: Any, scale: float, rounds: int) -> dict[str, float]:
    once(function, arguments)
    return spread([once(function, arguments) for _ in range(rounds)], scale)


def _ns(cells: int, setting: tuple[str, str], rounds: int, gradient: bool) -> tuple[dict, Any]:
    """ns per neuron-step, and the executable."""
    steps = max(20, WORK[cells] // cells)
    work, arguments = population(cells, steps, DT, solver(*setting), gradient=gradient)
    executable, _ = compiled(work, arguments)
    return _rounds(executable, arguments, 1e9 / (cells * steps), rounds), executable


def forward(full: bool, rounds: int) -> Table:
    """ns per neuron-step of populations, nothing recorded."""
    lines = []
    for precision in PRECISIONS:
        with jax.enable_x64(precision == "float64"):
            for setting in SETTINGS:
                times = [_ns(size, setting, rounds, False)[0] for size in _sizes(full)]
                name = ", ".join([*setting, precision])
                lines.append([name, *(with_spread(time) for time in times)])
    return Table(
        "Populations, forward",
        f"Hodgkin-Huxley cells, dt = {DT} ms, nothing recorded: ns per neuron-step, median "
        "(least-most).",
        ["step", *(f"N = {size:,}" for size in _sizes(full))],
        lines,
    )


def gradient(full: bool, rounds: int) -> Table:
    """ns per neuron-step of the gradient with respect to the model and every current."""
    sizes, lines = ((1, 100, 4096) if full else (1, 100)), []
    for precision in PRECISIONS:
        with jax.enable_x64(precision == "float64"):
            for setting in SETTINGS if full else (SETTINGS[0], SETTINGS[-1]):
                found = [_ns(size, setting, rounds, True) for size in sizes]
                shown = [with_spread(time) for time, _ in found]
                kernels = str(small_loops(found[0][1]))
                lines.append([", ".join([*setting, precision]), *shown, kernels])
    return Table(
        "Populations, gradient",
        f"All parameters and currents, dt = {DT} ms: ns per neuron-step, median (least-most); the "
        "loops that XLA compiled into one kernel each at N = 1 (2 is both passes).",
        ["step", *(f"N = {size:,}" for size in sizes), "kernels"],
        lines,
    )


def _truth() -> np.ndarray:
    """Spike times from adaptive steps of eighth order at a tolerance of 1e-12."""
    setting = {"scheme": "Dopri8", "tolerance": 1e-12, "grid": 0.0125}
    function, arguments = one_cell(setting)
    return np.asarray(tp.analysis.spike_times(*jax.jit(function)(*arguments)))


def work_precision(full: bool, rounds: int) -> Table:
    """Time of a run of one cell against the error of its spikes."""
    dts = (0.1, 0.05, 0.025, 0.0125, 0.00625) if full else (0.05, 0.025, 0.0125)
    settings: list[dict[str, Any]] = [
        {"scheme": scheme, "flow": flow, "dt": dt} for scheme, flow in SETTINGS for dt in dts
    ]
    settings += [{"scheme": "Tsit5", "tolerance": 10.0**-k} for k in ((4, 6, 8) if full else (5,))]
    lines = []
    with jax.enable_x64(True):
        truth = _truth()
        for setting in settings:
            function, arguments = one_cell(setting)
            executable, _ = compiled(function, arguments)
            time = _rounds(executable, arguments, 1e3, 3 * rounds)
            fine, arguments = one_cell(setting | {"grid": 0.0125})
            spikes = tp.analysis.spike_times(*jax.jit(fine)(*arguments))
            at = f"dt {setting['dt']:g}" if "dt" in setting else f"tol {setting['tolerance']:g}"
            name = ", ".join([setting["scheme"], *filter(None, [setting.get("flow")])])
            error = worst_spike(spikes, truth)
            missing = "spikes missing" if math.isinf(error) else number(error, 2)
            lines.append([name, at, missing, "-" if math.isinf(error) else with_spread(time)])
    return Table(
        "One cell, time against error",
        f"{SPAN:g} ms at {CURRENT:g} uA/cm2, float64, every step recorded: the worst spike time "
        "against Dopri8 at 1e-12, and ms of run, median (least-most).",
        ["method", "setting", "error (ms)", "run (ms)"],
        lines,
    )


def memory(full: bool, rounds: int) -> Table:
    """What XLA sets aside for a gradient."""
    cells, steps = (4096, 8000) if full else (1000, 1000)
    lines = []
    for way in ("by steps", "nested"):
        adjoint, method = tp.solvers.FixedSteps(steps, DT, way), solver("symmetric")
        work = population(cells, steps, DT, method, gradient=True, adjoint=adjoint)
        size = temporaries(compiled(*work)[0])
        state = cells * 4 * jnp.zeros(()).dtype.itemsize
        lines.append(
            [
                f"symmetric, exponential, {way}",
                number(size / 2**20),
                number(size / state / math.sqrt(steps)),
                number(size / state / steps),
            ]
        )
    return Table(
        "Memory of a gradient",
        f"N = {cells:,}, {steps:,} steps: temporaries by XLA's own account.",
        ["step", "MiB", "x sqrt(steps) states", "x steps states"],
        lines,
    )


def cold(full: bool, rounds: int) -> Table:
    """Seconds from a new process to its first gradient."""
    lines, names = [], []
    for scheme in ("symmetric", "sequential"):
        words = [sys.executable, "-c", COLD, scheme, "exponential", "float32"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        phases = json.loads(done.stdout.splitlines()[-1])["phases"]
        names = list(phases)
        shown = [number(phases[name], 2) for name in names]
        lines.append([f"{scheme}, exponential, float32", number(sum(phases.values()), 2), *shown])
    return Table(
        "From nothing to a first gradient",
        "A fresh process, one cell, 4,000 steps: seconds.",
        ["step", "in all", *names],
        lines,
    )


TABLES: dict[str, Callable[[bool, int], Table]] = {
    "forward": forward,
    "precision": work_precision,
    "gradient": gradient,
    "memory": memory,
    "cold": cold,
}
