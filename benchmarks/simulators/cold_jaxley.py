"""From a cold start to Jaxley's first gradient: seconds of each phase, as one line of JSON."""

import importlib
import time

STARTED = time.perf_counter()


def main():
    marks = {"start": STARTED}
    import jax
    from run_jaxley import voltage
    from worker import pin, versions

    importlib.import_module("jaxley")  # here, so that it counts as importing
    pin()
    marks["import"] = time.perf_counter()
    request = {"do": "gradient", "cells": 1, "steps": 4000, "dt": 0.025}
    run, arguments, _ = voltage(request | {"solver": "crank_nicolson"})
    marks["model"] = time.perf_counter()

    def final(parameters, currents):
        return run(parameters, currents)[:, -1].mean()

    traced = jax.jit(jax.grad(final, argnums=(0, 1))).trace(*arguments)
    marks["trace"] = time.perf_counter()
    lowered = traced.lower()
    marks["lower"] = time.perf_counter()
    executable = lowered.compile()
    marks["compile"] = time.perf_counter()
    jax.block_until_ready(executable(*arguments))
    marks["first run"] = time.perf_counter()
    names = list(marks)
    phases = {b: marks[b] - marks[a] for a, b in itertools.pairwise(names)}
    print(json.dumps({"phases": phases, "versions": versions("jaxley", "jax", "jaxlib")}))


if __name__ == "__main__":
    import itertools
    import json

    main()
