"""Hodgkin-Huxley populations at a fixed step: time per neuron-step, beside the error it buys.

    python benchmarks/hh_population.py     # writes benchmarks/results/ and docs/benchmarks.md

One core, one process. The yardstick is `hh_reference.c`, the same equations stepped by hand and
vectorised by gcc; no time is shown for a run whose spikes are not where they should be.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
CURRENT, DT = 10.0, 0.025
SIZES = {1: 8000, 100: 8000, 8192: 2000}
REPEATS = 5
PRECISIONS = {"float32": ["-DREAL=float", "-DSINGLE"], "float64": ["-DREAL=double"]}
NOTICE = "<!-- Written by benchmarks/hh_population.py. -->\n\n"
SCHEMES = {"symmetric": 0, "all at once": 1}


def main() -> None:
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    if sys.platform == "linux":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    rows = [*reference_rows(options.repeats), *library_rows(options.repeats)]
    found = {"hardware": hardware(), "dt": DT, "current": CURRENT, "rows": rows}
    options.results.mkdir(exist_ok=True)
    (options.results / "hh_population.json").write_text(json.dumps(found, indent=2) + "\n")
    page = markdown(found)
    (options.results / "hh_population.md").write_text(page)
    (HERE.parent / "docs" / "benchmarks.md").write_text(NOTICE + page)
    print(page)


def hardware() -> dict[str, object]:
    """The processor, and the versions that matter."""
    from tripartite.proofs.certificate import environment

    model = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), model)
    return {"processor": model, "cores used": 1, **environment()}


def truth() -> list[float]:
    """Spike times of one cell in 100 ms, from adaptive steps at a tolerance of 1e-10."""
    import jax

    import tripartite as tp

    with jax.enable_x64(True):
        solution = tp.simulate(
            tp.cells.HodgkinHuxley(), CURRENT, t1=100.0, rtol=1e-10, atol=1e-10, save_every=0.005
        )
        return tp.analysis.spike_times(solution.ts, solution.ys["v"]).tolist()


def spike_error(spikes: list[float]) -> float:
    """The worst distance (ms) from `truth`; infinite if a spike is missing or one too many."""
    expected = truth()
    spikes = [t for t in spikes if t <= 100.0]
    if len(spikes) != len(expected):
        return float("inf")
    return max(abs(a - b) for a, b in zip(spikes, expected, strict=True))


def reference_rows(repeats: int) -> list[dict[str, object]]:
    """The C reference, both schemes and precisions."""
    gcc = shutil.which("gcc")
    if gcc is None:
        return []
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for precision, flags in (
            ("float32", ["-DREAL=float", "-DSINGLE"]),
            ("float64", ["-DREAL=double"]),
        ):
            binary = Path(folder) / precision
            source = HERE / "hh_reference.c"
            options = ["-O3", "-march=native", "-ffast-math", *flags]
            subprocess.run([gcc, *options, source, "-o", binary, "-lm"], check=True)
            for scheme, number in SCHEMES.items():
                for size, steps in SIZES.items():
                    seconds, spikes = [], []
                    for _ in range(repeats):
                        command = [binary, size, steps, DT, CURRENT, number]
                        out = subprocess.run(
                            [str(x) for x in command], capture_output=True, text=True, check=True
                        ).stdout.split()
                        seconds.append(float(out[0]))
                        spikes = [float(x) for x in out[2:]] or spikes
                    rows.append(row("C", scheme, precision, size, steps, seconds))
                    rows[-1]["spike error ms"] = spike_error(spikes) if size == 1 else None
    return rows


def library_rows(repeats: int) -> list[dict[str, object]]:
    """tripartite, forward and reverse mode."""
    import jax
    import jax.numpy as jnp

    import tripartite as tp

    solvers = {
        "symmetric": tp.solvers.SymmetricExponential(),
        "sequential": tp.solvers.SequentialExponential(),
        "all at once": tp.solvers.AllAtOnceExponential(),
    }
    rows = []
    for precision in ("float32", "float64"):
        with jax.enable_x64(precision == "float64"):
            for scheme, solver in solvers.items():
                for size, steps in SIZES.items():
                    current = jnp.full(size, CURRENT)

                    def final(cell, current, steps=steps, solver=solver):
                        y0 = jax.tree.map(lambda x: jnp.broadcast_to(x, current.shape), cell.init())
                        solution = tp.simulate(
                            cell,
                            current,
                            t1=steps * DT,
                            dt=DT,
                            y0=y0,
                            solver=solver,
                            save_every=steps * DT,
                            throw=False,
                        )
                        return jnp.mean(solution.ys["v"])

                    cell = tp.cells.HodgkinHuxley()
                    forward = timed(jax.jit(final), (cell, current), repeats)
                    rows.append(row("tripartite", scheme, precision, size, steps, forward))
                    gradient = jax.jit(jax.grad(final, argnums=(0, 1)))
                    seconds = timed(gradient, (cell, current), repeats)
                    rows[-1] |= row_gradient(seconds, size, steps)
                    rows[-1]["spike error ms"] = None
                    if size == 1:
                        solution = tp.simulate(cell, CURRENT, t1=100.0, dt=DT, solver=solver)
                        spikes = tp.analysis.spike_times(solution.ts, solution.ys["v"])
                        rows[-1]["spike error ms"] = spike_error(spikes.tolist())
    return rows


def timed(function, arguments, repeats: int) -> list[float]:
    """Seconds of each warm call."""
    import jax

    jax.block_until_ready(function(*arguments))
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        seconds.append(time.perf_counter() - start)
    return seconds


def row(who: str, scheme: str, precision: str, size: int, steps: int, seconds: list[float]):
    """One line of the table: the median and the spread, in ns per neuron-step."""
    scale = 1e9 / (size * steps)
    return {
        "who": who,
        "scheme": scheme,
        "precision": precision,
        "cells": size,
        "forward ns": statistics.median(seconds) * scale,
        "forward spread ns": (max(seconds) - min(seconds)) * scale,
    }


def row_gradient(seconds: list[float], size: int, steps: int) -> dict[str, float]:
    """The same for the gradient with respect to the cell's parameters and every current."""
    scale = 1e9 / (size * steps)
    return {
        "gradient ns": statistics.median(seconds) * scale,
        "gradient spread ns": (max(seconds) - min(seconds)) * scale,
    }


def markdown(found: dict) -> str:
    """The table, with each time as a ratio to the C reference of the same precision and size."""
    rows = found["rows"]
    yardstick = {
        (r["precision"], r["cells"]): r["forward ns"]
        for r in rows
        if r["who"] == "C" and r["scheme"] == "symmetric"
    }
    errors = {
        (r["who"], r["scheme"], r["precision"]): r["spike error ms"]
        for r in rows
        if r["spike error ms"] is not None
    }
    lines = [
        "# Hodgkin-Huxley populations, fixed step",
        "",
        f"dt {found['dt']} ms, I = {found['current']:g} uA/cm2; ns per neuron-step, median of the "
        "runs (spread). The gradient is that of the mean final voltage with respect to all "
        "parameters and each cell's current. The ratio is to C with the symmetric scheme, same "
        "precision and size. The error is the worst of the spike times in 100 ms.",
        "",
        "| who | scheme | bits | cells | error (ms) | forward | / C | gradient | / C |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for r in rows:
        base = yardstick.get((r["precision"], r["cells"]))
        error = errors[(r["who"], r["scheme"], r["precision"])]
        run = f"{r['who']} | {r['scheme']} | {r['precision'][5:]} | {r['cells']:,} | {error:.2g}"
        # The accuracy gate: no time for a run that has lost its spikes.
        if error > 5.0:
            lines.append(f"| {run} | - | - | - | - |")
            continue
        gradient = r.get("gradient ns")
        shown = "-" if gradient is None else f"{gradient:.0f} ({r['gradient spread ns']:.0f})"
        forward = f"{r['forward ns']:.1f} ({r['forward spread ns']:.1f})"
        ratios = ratio(r["forward ns"], base), ratio(gradient, base)
        lines.append(f"| {run} | {forward} | {ratios[0]} | {shown} | {ratios[1]} |")
    hardware = ", ".join(f"{k} {v}" for k, v in found["hardware"].items())
    return "\n".join([*lines, "", f"Measured on: {hardware}.", ""])


def ratio(value: float | None, base: float | None) -> str:
    """`value / base`, or a dash."""
    return "-" if value is None or base is None else f"{value / base:.2f}"


if __name__ == "__main__":
    main()
