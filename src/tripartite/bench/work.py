"""The work that `tripartite bench` and the project's benchmarks time.

The problem is one for all: squid axons of Hodgkin and Huxley under 10 uA/cm2 from t = 0, started at
-65 mV with every gate at its steady state.
"""

import time
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import tripartite as tp

CURRENT = 10.0
DT = 0.025
SPAN = 100.0
SCHEMES = {
    "symmetric": tp.solvers.SymmetricExponential,
    "sequential": tp.solvers.SequentialExponential,
    "all at once": tp.solvers.AllAtOnceExponential,
}
FLOWS = {"exponential": "Exponential", "Pade": "Pade", "Crank-Nicolson": "CrankNicolson"}
ADAPTIVE = {"Tsit5": diffrax.Tsit5, "Dopri8": diffrax.Dopri8}
# A small loop that XLA compiles into one kernel; others run operation by operation on CPU.
SMALL_LOOP = "xla_cpu_small_call"
# Between records of an adaptive solve (ms), as `simulate` has it.
GRID = 0.1


def solver(scheme: str, flow: str = "exponential") -> diffrax.AbstractSolver:
    """One of `SCHEMES` with one of `FLOWS`, or "RK4"."""
    if scheme == "RK4":
        return tp.solvers.ClassicalRK4()
    if flow == "exponential":
        return SCHEMES[scheme]()
    return SCHEMES[scheme](flow=getattr(tp.solvers, FLOWS[flow])())


def final_voltage(
    cell: Any, current: jax.Array, steps: int, dt: float, solver: Any, adjoint: Any = None
) -> jax.Array:
    """The mean voltage (mV) of a population after `steps` steps; one current for each cell."""
    y0 = jax.tree.map(lambda x: jnp.broadcast_to(x, current.shape), cell.init())
    span = steps * dt
    solution = tp.simulate(
        cell,
        current,
        t1=span,
        dt=dt,
        y0=y0,
        solver=solver,
        save_every=span,
        adjoint=adjoint,
        throw=False,
    )
    return jnp.mean(solution.stats["y1"].v)


def population(
    cells: int, steps: int, dt: float, solver: Any, *, gradient: bool = False, adjoint: Any = None
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A function to compile and its arguments: the model and every cell's current.

    The gradient is with respect to all of them. One cell is a cell, and no array of length one.
    """

    def run(cell: Any, current: jax.Array) -> jax.Array:
        return final_voltage(cell, current, steps, dt, solver, adjoint)

    arguments = tp.cells.HodgkinHuxley(), jnp.full(() if cells == 1 else cells, CURRENT)
    return (jax.grad(run, argnums=(0, 1)) if gradient else run), arguments


def one_cell(
    setting: dict[str, Any], model: Any = None, span: float = SPAN, current: float = CURRENT
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A function to compile and its arguments: one cell with its voltage recorded throughout.

    `setting` has `scheme`, `flow` and `dt`, or `scheme` (of `ADAPTIVE`), `tolerance` and, if one is
    wanted, `grid` (ms). The function returns the times (ms) and the voltage (mV) of every step, or
    on the grid.
    """

    def fixed(cell: Any, current: jax.Array) -> tuple[Any, Any]:
        dt, method = setting["dt"], solver(setting["scheme"], setting.get("flow", "exponential"))
        solution: Any = tp.simulate(
            cell, current, t1=span, dt=dt, solver=method, save_every=dt, throw=False
        )
        return solution.ts, solution.ys["v"]

    def adaptive(cell: Any, current: jax.Array) -> tuple[Any, Any]:
        solution: Any = tp.simulate(
            cell,
            current,
            t1=span,
            solver=ADAPTIVE[setting["scheme"]](),
            rtol=setting["tolerance"],
            atol=setting["tolerance"],
            save_every=setting.get("grid", GRID),
            throw=False,
        )
        return solution.ts, solution.ys["v"]

    cell = tp.cells.HodgkinHuxley() if model is None else model
    function = adaptive if setting["scheme"] in ADAPTIVE else fixed
    return function, (cell, jnp.asarray(current, jnp.result_type(float)))


# For a process of its own: seconds from its first line to its first gradient, as a line of JSON.
COLD = """
import time
started = time.perf_counter()
import json, sys
from tripartite import bench
print(json.dumps(bench.first_gradient(started, *sys.argv[1:])))
"""


def first_gradient(started: float, scheme: str, flow: str, precision: str) -> dict[str, Any]:
    """Seconds of each phase from `started` to the first gradient of one cell over `SPAN` ms."""
    imported = time.perf_counter()
    with jax.enable_x64(precision == "float64"):
        steps, method = round(SPAN / DT), solver(scheme, flow)
        function, arguments = population(1, steps, DT, method, gradient=True)
        model = time.perf_counter()
        executable, phases = compiled(function, arguments)
        last = once(executable, arguments)
    phases = {"import": imported - started, "model": model - imported} | phases
    return {"phases": phases | {"first run": last}, "versions": versions()}


def versions() -> dict[str, str]:
    """What took part."""
    return {name: version(name) for name in ("tripartite", "jax", "jaxlib", "equinox", "diffrax")}


def compiled(function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[Any, dict]:
    """The executable, and the seconds of tracing, lowering and compiling."""
    marks = [time.perf_counter()]
    traced = jax.jit(function).trace(*arguments)
    marks.append(time.perf_counter())
    lowered = traced.lower()
    marks.append(time.perf_counter())
    executable = lowered.compile()
    marks.append(time.perf_counter())
    spent = zip(("trace", "lower", "compile"), np.diff(marks), strict=True)
    return executable, {name: float(seconds) for name, seconds in spent}


def small_loops(executable: Any) -> int:
    """How many loops of a compiled function run as one kernel each."""
    return sum(SMALL_LOOP in line for line in executable.as_text().splitlines())


def temporaries(executable: Any) -> int:
    """Bytes that XLA sets aside for what a compiled function needs on the way."""
    return int(executable.memory_analysis().temp_size_in_bytes)


def once(function: Callable[..., Any], arguments: tuple[Any, ...]) -> float:
    """Seconds of one call, to the last byte of its result."""
    start = time.perf_counter()
    jax.block_until_ready(function(*arguments))
    return time.perf_counter() - start
