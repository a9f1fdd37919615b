"""From a cold start to the first gradient of one cell, and where the time goes.

python benchmarks/compile_time.py [--peers-python PYTHON]
"""

import argparse
import json
import os
import subprocess
import sys
import time

from fleet import (
    PATIENCE,
    SIMULATORS,
    Row,
    add_options,
    chosen,
    core,
    environment,
    settled,
    stopped,
)
from write import failures, save, table, why_not

from tripartite.bench import COLD, number, spread, with_spread

PHASES = ("import", "model", "trace", "lower", "compile", "first run")
MOST = 3  # fresh processes for each row


def rows_of():
    for scheme in ("sequential", "symmetric"):
        for precision in ("float32", "float64"):
            words = [scheme, "exponential", precision]
            yield Row("tripartite", f"{scheme}, {precision}", "cold", {"words": words})
    yield Row("Jaxley", "crank_nicolson, float32", "cold_jaxley", {})


def command(row, options):
    """A process that ends when it has its first gradient."""
    if row.who == "Jaxley":
        return [options.peers_python, str(SIMULATORS / "cold_jaxley.py")]
    return [sys.executable, "-c", COLD, *row.request["words"]]


def pinned():
    """What a new process does first."""
    os.sched_setaffinity(0, {core()})


def run(row, options):
    """One cold start: its phases, and the whole as seen from outside."""
    start = time.perf_counter()
    done = subprocess.run(
        command(row, options),
        capture_output=True,
        text=True,
        env=environment(row),
        timeout=PATIENCE,
        preexec_fn=pinned if core() is not None else None,
        check=False,
    )
    whole = time.perf_counter() - start
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        missing = said.startswith(("ModuleNotFoundError", "ImportError"))
        return {"missing" if missing else "failure": said}
    answer = json.loads(done.stdout.splitlines()[-1])
    return answer | {"phases": answer["phases"] | {"whole": whole}}


def measure(options):
    """Every row in turns."""
    rows, phases = chosen(rows_of(), options), {}
    for _ in range(min(MOST, options.rounds)):
        for row in rows:
            if not stopped(row) and settled(row, answer := run(row, options)):
                phases.setdefault(row.name, []).append(answer["phases"])
    for row in rows:
        taken = phases.get(row.name, [])
        names = taken[0] if taken else ()
        row.found["phases"] = {name: spread([p[name] for p in taken]) for name in names}
    return rows


def text(rows):
    """The page's section."""
    lines = []
    for row in rows:
        if stopped(row):
            lines.append([row.name, why_not(row), *["-"] * (len(PHASES) + 1)])
            continue
        phases = row.found["phases"]
        compiling = sum(phases[k]["median"] for k in ("trace", "lower", "compile", "first run"))
        shown = [number(phases[k]["median"]) if k in phases else "-" for k in PHASES]
        lines.append([row.name, with_spread(phases["whole"]), *shown, number(compiling)])
    header = ["who", "whole process", *PHASES, "trace to first gradient"]
    return (
        "## From nothing to a first gradient\n\n"
        "A fresh process, one cell, 4,000 steps, the gradient with respect to all parameters and "
        "the current; no compilation cache. Seconds: the whole (median, least-most), and the "
        "medians of what it is made of.\n" + table(header, lines) + failures(rows)
    )


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    rows = measure(options)
    save("compile_time", {"steps": 4000}, rows, text(rows), options)


if __name__ == "__main__":
    main()
