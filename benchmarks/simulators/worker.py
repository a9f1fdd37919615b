"""The other end of the line: a simulator in a process of its own, answering one request at a time.

A request is a line of JSON with what to run. It is prepared at its first mention (that is the cold
time: build, compile, first run) and run once more each time it is asked for again (the warm time).
The standard library alone: this file runs in the environment of every simulator.
"""

import array
import importlib.metadata
import json
import os
import statistics
import sys
import time

BURST = 0.05  # s: how long short runs are repeated before the next simulator has its turn
CURRENT = 10.0  # uA/cm2, from t = 0
CAPACITANCE = 1.0  # uF/cm2
LEAK_REVERSAL = -54.387  # mV
TEMPERATURE = 6.3  # degC
START = {
    "v": -65.0,
    "m": 0.052932485257249577,
    "h": 0.59612075350846028,
    "n": 0.31767691406069742,
}
# One compartment, a cylinder (um).
RADIUS, LENGTH = 10.0, 20.0
AREA = 2.0 * 3.141592653589793 * RADIUS * LENGTH
# uA/cm2 * um2 * 1e-8 cm2/um2 = uA; in nA:
NANOAMPERE = CURRENT * AREA * 1e-8 * 1e3


def pin():
    """One core for all, the same one."""
    core = os.environ.get("BENCHMARK_CORE")
    if core is not None and sys.platform == "linux":
        os.sched_setaffinity(0, {int(core)})


def versions(*packages):
    """Python's version and those of the installed distributions."""
    found = {"python": sys.version.split()[0]}
    return found | {name: importlib.metadata.version(name) for name in packages}


def serve(prepare, packages=()):
    """Answers requests until the line closes.

    `prepare(request)` returns a function without arguments. It may return nothing (its wall time is
    taken), or a dictionary with "seconds" (taken by the simulator itself), "trace" (times in ms and
    voltages in mV), or anything else to be passed on.
    """
    pin()
    # Simulators print: their standard output goes to standard error, answers have a line alone.
    line_out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    ready = {}
    for text in sys.stdin:
        try:
            answer = _answer(prepare, json.loads(text), ready) | {"versions": versions(*packages)}
        except ImportError as error:
            answer = {"missing": str(error)}
        except Exception as error:  # whatever it is, the other rows go on
            answer = {"failure": f"{type(error).__name__}: {error}"[:500]}
        line_out.write(json.dumps(answer) + "\n")
        line_out.flush()


def _warm(run):
    """A run that others have not just pushed out of the caches: short ones are repeated.

    The first of several is not looked at, of the others the median is taken.
    """
    seconds, start = [], time.perf_counter()
    while time.perf_counter() - start < BURST or not seconds:
        begin = time.perf_counter()
        found = run() or {}
        seconds.append(found.get("seconds", time.perf_counter() - begin))
    return found | {"seconds": statistics.median(seconds[1:] or seconds)}


def _answer(prepare, request, ready):
    key = json.dumps({k: v for k, v in request.items() if k != "file"}, sort_keys=True)
    answer = {}
    if key not in ready:
        start = time.perf_counter()
        run = prepare(request)
        found = run() or {}
        ready[key] = (run, time.perf_counter() - start)
    else:
        found = _warm(ready[key][0])
    trace = found.pop("trace", None)
    if trace is not None and request.get("file"):
        with open(request["file"], "wb") as file:
            for column in trace:
                array.array("d", column).tofile(file)
    return answer | {"cold": ready[key][1]} | found
