"""Simulators at work, each in its own process and all on one core, in turns.

Round by round every simulator does its piece once, so that what disturbs the machine disturbs them
all alike; medians and extremes are taken over the rounds.
"""

import contextlib
import dataclasses
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import accuracy

from tripartite.bench import spread

SIMULATORS = Path(__file__).parent / "simulators"
PATIENCE = 300.0  # seconds a simulator may take for one answer
PYTHONS = {"peers": "TRIPARTITE_PEERS_PYTHON", "brian": "TRIPARTITE_BRIAN_PYTHON"}
# Which environment runs which script; the others run in ours.
ENVIRONMENT = {
    "run_jaxley": "peers",
    "run_fit_jaxley": "peers",
    "run_neuron": "peers",
    "run_pospischil": "peers",
    "run_arbor": "peers",
    "run_brian": "brian",
    "run_chapter_brian": "brian",
    "run_brunel_nest": "peers",
    "run_brian_cobahh": "brian",
}
ONE_THREAD = "--xla_cpu_multi_thread_eigen=false"
WIDE = "--xla_cpu_prefer_vector_width=512"


@dataclasses.dataclass
class Row:
    """A simulator with a setting: a line of a table."""

    who: str
    setting: str
    script: str
    request: dict
    wide: bool = False  # 512-bit vectors in XLA
    patience: float = PATIENCE
    found: dict = dataclasses.field(default_factory=dict)

    @property
    def name(self):
        return f"{self.who}, {self.setting}"

    def to_dict(self):
        return {"who": self.who, "setting": self.setting, "wide": self.wide, **self.found}


def add_options(parser):
    """The interpreters of the peers, by option or by environment variable."""
    for name, variable in PYTHONS.items():
        parser.add_argument(
            f"--{name}-python",
            default=os.environ.get(variable, sys.executable),
            metavar="PYTHON",
            help=f"the interpreter that has {name} installed (default: ${variable}, else this one)",
        )
    parser.add_argument("--rounds", type=int, default=5, help="repetitions (default: 5)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; writes nothing")
    parser.add_argument(
        "--only", metavar="TEXT", help="the rows whose name contains it; writes nothing"
    )


def has_wide_vectors():
    """Whether the processor says it has AVX-512."""
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.exists() and "avx512f" in cpuinfo.read_text()


def core():
    """The last of the cores that this process may use."""
    if sys.platform != "linux":
        return None
    return max(os.sched_getaffinity(0))


class Simulator:
    """The near end of the line to `simulators/worker.py`."""

    def __init__(self, row, options):
        folder = ENVIRONMENT.get(row.script)
        python = sys.executable if folder is None else getattr(options, f"{folder}_python")
        self.answers, self.patience = queue.Queue(), row.patience
        self.process = subprocess.Popen(
            [python, str(SIMULATORS / f"{row.script}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env=environment(row),
        )
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self):
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put(None)

    def ask(self, request):
        """The answer, or what kept it from coming."""
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.answers.get(timeout=self.patience)
        except queue.Empty:
            self.process.kill()
            return {"failure": f"no answer within {self.patience:.0f} s"}
        except BrokenPipeError:
            line = None
        if line is None:
            return {"failure": f"the process ended with status {self.process.wait()}"}
        return json.loads(line)

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.listener.join()
        self.process.stdout.close()


def environment(row):
    """One thread for whatever might take more, and one core."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    flags = f"{ONE_THREAD} {WIDE}" if row.wide else ONE_THREAD
    found = os.environ | dict.fromkeys(threads, "1") | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    found.pop("JAX_COMPILATION_CACHE_DIR", None)
    return found | ({} if core() is None else {"BENCHMARK_CORE": str(core())})


@contextlib.contextmanager
def fleet(rows, options):
    """Starts a simulator for every row, and ends them all."""
    started = {}
    try:
        for row in rows:
            if options.only is None or options.only in row.name:
                started[row.name] = Simulator(row, options)
        yield {row.name: started[row.name] for row in rows if row.name in started}
    finally:
        for simulator in started.values():
            simulator.close()


def chosen(rows, options):
    """The rows that `--only` leaves."""
    return [row for row in rows if options.only is None or options.only in row.name]


def trace_error(row, simulator, span=100.0, **more):
    """The worst error (ms) of the row's spikes, located by the routine that serves all."""
    request = {"span": span, **row.request, "do": "trace", **more}
    with tempfile.NamedTemporaryFile(suffix=".f64") as file:
        answer = simulator.ask(request | {"file": file.name})
        if not settled(row, answer):
            return None
        return accuracy.spike_error(*accuracy.read_trace(file.name), span)


def settled(row, answer):
    """Whether there is an answer; if not, the row says why, once."""
    for key in ("missing", "failure"):
        if key in answer:
            row.found[key] = answer[key]
            return False
    row.found["versions"] = answer["versions"]
    return True


def rounds(rows, line, requests, repeat, scale=1.0):
    """Each row's request `repeat` times, in turns. `{name: spread and cold time}`.

    `requests` is a function from a row to its request, `None` for a row that sits this one out.
    The first answer, which is cold, is not among the times.
    """
    seconds, extra = {}, {}
    for turn in range(repeat + 1):
        for row in rows:
            request = requests(row)
            if request is None or row.name not in line or stopped(row):
                continue
            answer = line[row.name].ask(request)
            if not settled(row, answer):
                continue
            extra[row.name] = {k: v for k, v in answer.items() if k not in ("seconds", "versions")}
            if turn:
                seconds.setdefault(row.name, []).append(answer["seconds"])
    return {
        name: {**spread(times, scale), **extra[name], "rounds": len(times)}
        for name, times in seconds.items()
    }


def stopped(row):
    """Whether the row has failed or is not installed."""
    return "missing" in row.found or "failure" in row.found
