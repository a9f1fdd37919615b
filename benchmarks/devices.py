"""Weak scaling: as many cells for each device, on one device and on several, a process each.

python benchmarks/devices.py [--rounds 3] [--quick]
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time

from fleet import Row
from write import DOCS, figure, save, table

DT, SPAN, CELLS, FAN = 0.05, 20.0, 4096, 80


def measure(options):
    """Rounds over the counts of devices, which take turns; each its own process and its cores."""
    cores = sorted(os.sched_getaffinity(0))
    counts = [n for n in (1, 2, 4, 8, 16) if n <= len(cores)]
    cells = CELLS // 16 if options.quick else CELLS
    rows = []
    for edges, kind in enumerate(("without edges", f"{FAN} edges each")):
        for n in counts:
            name = f"{kind}, {n} device{'s' * (n > 1)}"
            rows.append(Row("tripartite", name, "", {"devices": n, "edges": edges}))
    taken = {row.setting: [] for row in rows}
    for _ in range(options.rounds):
        for row in rows:
            request = [str(row.request["devices"]), str(cells), str(row.request["edges"])]
            taken[row.setting].append(together(request, cores[: row.request["devices"]]))
    for row in rows:
        times = taken[row.setting]
        row.found |= {"median": statistics.median(times), "least": min(times), "most": max(times)}
        first = next(r for r in rows if r.request == row.request | {"devices": 1})
        row.found["efficiency"] = first.found["median"] / row.found["median"]
    return rows


def together(request, cores):
    """Seconds of the slowest of as many processes, each on a core of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = [
        subprocess.Popen(
            [sys.executable, __file__, "--one", *request, str(number), port],
            stdout=subprocess.PIPE,
            preexec_fn=lambda core=core: os.sched_setaffinity(0, [core]),
        )
        for number, core in enumerate(cores)
    ]
    return max(json.loads(process.communicate()[0].splitlines()[-1]) for process in processes)


def one(devices, cells, edges, number, port):
    """Seconds of one solve of `devices * cells` cells, at best, as process `number`."""
    import equinox as eqx
    import jax
    import jax.numpy as jnp

    import tripartite as tp

    if devices > 1:
        jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=devices, process_id=number)

    nets, size, key = tp.networks, devices * cells, jax.random.key(0)
    projections = []
    if edges:
        trigger = tp.synapses.SmoothSpikes(0.5, threshold=-20.0, slope=8.0)
        fan_in = nets.fixed_fan_in(size, size, FAN, key=key)
        receptor = tp.synapses.Exponential(1e-4)
        projections = [nets.Projection("cells", "cells", receptor, fan_in, trigger=trigger)]
    network = nets.Network({"cells": nets.population(tp.cells.HodgkinHuxley, size)}, projections)
    args = tp.scale.shard((network, jnp.linspace(5.0, 15.0, size), network.init()), tp.scale.mesh())

    @eqx.filter_jit
    def run(network, drive, y0):
        return tp.simulate(network, {"cells": drive}, y0=y0, t1=SPAN, dt=DT, save_every=SPAN).ys

    taken = []
    for _ in range(5):
        begin = time.perf_counter()
        jax.block_until_ready(run(*args))
        taken.append(time.perf_counter() - begin)
    print(json.dumps(min(taken)))


def step(seconds):
    """us for one step, of the seconds of a solve."""
    return 1e6 * seconds * DT / SPAN


def text(rows):
    """The page's section."""
    lines = []
    for row in rows:
        least, median, most = (step(row.found[name]) for name in ("least", "median", "most"))
        spread = f"{median:.0f} ({least:.0f} to {most:.0f})"
        lines.append([row.setting, spread, f"{row.found['efficiency']:.2f}"])
    return (
        "## Many devices\n\n"
        f"{CELLS:,} Hodgkin-Huxley cells for each device, a process and a core each, steps of "
        f"{DT} ms, float32: us for a step of all, and the time on one device over it (1: as many "
        "times more cells as devices take no longer). The processes gather voltages over the "
        "machine's own network, at every step.\n"
        + table(["cells", "us per step", "efficiency"], lines)
        + figure(
            "weak_scaling", "As many cells for each device: the time of a step, and a flat line"
        )
    )


def draw(rows):
    """docs/figures/weak_scaling.png."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    _, axis = plt.subplots(figsize=(5, 3), constrained_layout=True)
    for edges, label in ((False, "no edges"), (True, f"{FAN} edges for each cell")):
        own = [row for row in rows if bool(row.request["edges"]) == edges]
        counts = [row.request["devices"] for row in own]
        times = [step(row.found["median"]) for row in own]
        (line,) = axis.plot(counts, times, "o-", label=label)
        axis.axhline(times[0], color=line.get_color(), lw=0.8, ls=":")
    axis.set(
        xlabel="devices (a process and a core each)",
        ylabel="time of a step (us)",
        ylim=(0, None),
        xticks=counts,
    )
    axis.legend(frameon=False)
    axis.figure.savefig(DOCS / "figures" / "weak_scaling.png", dpi=150)


def main():
    """Measures, prints, draws and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--one", nargs=5, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.only = None
    if options.one:
        return one(*options.one)
    rows = measure(options)
    if not options.quick:
        draw(rows)
    save("devices", {"dt": DT, "span": SPAN, "cells": CELLS}, rows, text(rows), options)
    return None


if __name__ == "__main__":
    main()
