"""Two fits from ten starts each, and their figure: `python docs/draw_fit.py` (needs matplotlib)."""

from pathlib import Path
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optimistix
from matplotlib.figure import Figure

import tripartite as tp
from tripartite import astrocytes as ast

FIGURES = Path(__file__).parent / "figures"
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "0.6"
STARTS, FACTOR = 10, 3.0
SOLVER = optimistix.LevenbergMarquardt(rtol=1e-4, atol=1e-4)


class Experiment(NamedTuple):
    """`trace`: unconstrained numbers, one for each parameter, to the noiseless record.

    They are logarithms of rates and log-odds of shares; `relative` is d ln(parameter) of each.
    """

    names: tuple[str, ...]
    truth: Any
    relative: Any
    trace: Any
    spacing: float
    glutamate: Any


def calcium_parameters(cell: Any) -> tuple[Any, ...]:
    """O_beta, O_3K, Omega_5P and O_P."""
    return cell.agonist, cell.metabolism.kinase, cell.metabolism.phosphatase, cell.store.pump


LEVELS = np.array([30.0, 0.0, 0.3, 0.0, 6.0, 0.0, 0.0, 1.0])


def calcium_model(logs: Any) -> Any:
    return eqx.tree_at(calcium_parameters, ast.GChI(), tuple(jnp.exp(logs)))


def solved(model: Any, stimulus: Any) -> Any:
    """Calcium every 50 ms for 80 s. A trial that fails is a misfit like any other."""
    solver = tp.solvers.ClassicalRK4()
    solution = tp.simulate(model, stimulus, t1=80_000.0, dt=50.0, solver=solver, throw=False)
    return solution.ys["calcium"]


def calcium() -> Experiment:
    """Glutamate at eight levels, each for 10 s."""
    levels = tp.stimuli.Sampled(LEVELS, 10_000.0, interpolation="previous")
    glutamate = ast.drive(glutamate=levels)
    return Experiment(
        ("O_beta", "O_3K", "Omega_5P", "O_P"),
        jnp.log(jnp.stack(calcium_parameters(ast.GChI()))),
        np.ones(4),
        lambda logs: solved(calcium_model(logs), glutamate),
        50.0,
        glutamate,
    )


def release() -> Experiment:
    """Glutamate of 4 uM for 0.3 s of every 1.2 s: some releases come before all is recycled.

    The vesicles do not act back on calcium, so that their two parameters move no release in time,
    and the derivative through the jumps is the whole one.
    """
    glutamate = ast.drive(glutamate=tp.stimuli.PulseTrain(4.0, 300.0, 1200.0, count=100))
    model = ast.GliotransmitterRelease(ast.GChI())

    def parameters(m: Any) -> tuple[Any, Any]:
        return m.vesicles.share, m.vesicles.recycling

    def trace(free: Any) -> Any:
        values = jax.nn.sigmoid(free[0]), jnp.exp(free[1])
        found = eqx.tree_at(parameters, model, values)
        solver = tp.solvers.AllAtOnceExponential()
        solution = tp.simulate(
            found, glutamate, t1=120_000.0, dt=2.0, solver=solver, save_every=2.0, throw=False
        )
        return solution.ys["gliotransmitter"]

    share, recycling = parameters(model)
    truth = jnp.stack([jnp.log(share / (1.0 - share)), jnp.log(recycling)])
    relative = np.array([1.0 - float(share), 1.0])
    return Experiment(("U_A", "Omega_A"), truth, relative, trace, 2.0, glutamate)


def record(experiment: Experiment, key: Any) -> tuple[Any, Any]:
    """The trace with noise of 5 % of its range, and that noise."""
    clean = jax.jit(experiment.trace)(experiment.truth)
    noise = 0.05 * jnp.ptp(clean)
    return clean + noise * jax.random.normal(key, clean.shape), noise


def starts(experiment: Experiment, key: Any) -> Any:
    """Uniform over `FACTOR` either way of the truth, in the logarithm or the log-odds."""
    shape = (STARTS, len(experiment.names))
    span = np.log(FACTOR)
    return experiment.truth[None] + jax.random.uniform(key, shape, minval=-span, maxval=span)


def plain(experiment: Experiment, data: Any, noise: Any) -> Any:
    """Levenberg and Marquardt on the misfit itself."""

    def misfit(logs: Any, _: Any) -> Any:
        return (experiment.trace(logs) - data) / noise

    return jax.jit(
        lambda start: (
            optimistix.least_squares(misfit, SOLVER, start, max_steps=100, throw=False).value
        )
    )


def nudged(experiment: Experiment, data: Any, noise: Any) -> Any:
    """The same, the calcium first pulled towards the record: 2, 0.5 and 0.1 /s, then not."""
    seen = tp.stimuli.Sampled(data, experiment.spacing)

    def misfit(logs: Any, rate: Any) -> Any:
        model = tp.analysis.Nudged(calcium_model(logs), lambda y: y.calcium, seen, rate)
        return (solved(model, experiment.glutamate) - data) / noise

    def stage(logs: Any, rate: Any) -> tuple[Any, None]:
        found = optimistix.least_squares(misfit, SOLVER, logs, args=rate, max_steps=30, throw=False)
        return found.value, None

    rates = jnp.asarray([2e-3, 5e-4, 1e-4, 0.0])
    return jax.jit(lambda start: jax.lax.scan(stage, start, rates)[0])


def adam(experiment: Experiment, data: Any, noise: Any) -> Any:
    """300 steps of Adam on the mean squared misfit."""
    optimiser = optax.adam(0.05)

    def loss(logs: Any) -> Any:
        return jnp.mean(((experiment.trace(logs) - data) / noise) ** 2)

    def step(carry: Any, _: Any) -> tuple[Any, None]:
        logs, state = carry
        updates, state = optimiser.update(jax.grad(loss)(logs), state)
        return (optax.apply_updates(logs, updates), state), None

    def run(start: Any) -> Any:
        return jax.lax.scan(step, (start, optimiser.init(start)), length=300)[0][0]

    return jax.jit(run)


def from_every_start(fit: Any, begins: Any) -> Any:
    """What each start ends at, one after the other."""
    return np.stack([np.asarray(fit(start)) for start in begins])


def recovered(experiment: Experiment, found: Any) -> Any:
    """The largest relative error of each fit's parameters, to first order."""
    return np.max(np.abs(experiment.relative * (found - np.asarray(experiment.truth))), axis=1)


def panels(axes: Any, experiment: Experiment, data: Any, begins: Any, fits: Any) -> None:
    """The record with a fit, and the way of each start."""
    top, below = axes
    ts = 1e-3 * experiment.spacing * np.arange(len(data))
    top.plot(ts, data, ".", color=GREY, markersize=1.5, label="recorded")
    fitted = jax.jit(experiment.trace)(fits[0])
    top.plot(ts, fitted, color=BLUE, linewidth=1.0, label="fitted")
    top.set(xlabel="time (s)")
    top.legend(frameon=False, fontsize=8, loc="upper right")
    truth = np.asarray(experiment.truth)
    for k in range(len(experiment.names)):
        for start, end in zip(begins, fits, strict=True):
            ends = np.exp([start[k] - truth[k], end[k] - truth[k]])
            below.plot([k - 0.3, k + 0.3], ends, color=ORANGE, linewidth=0.8, marker=".")
    below.axhline(1.0, color="black", linewidth=0.8, zorder=0)
    below.set(yscale="log", ylabel="over the truth (U_A: its odds)", ylim=(0.3, 3.3))
    below.set_xticks(range(len(experiment.names)), experiment.names)
    below.set_yticks([1 / 3, 0.5, 1.0, 2.0, 3.0], ["1/3", "1/2", "1", "2", "3"])
    below.minorticks_off()


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    figure = Figure(figsize=(10.0, 6.0), layout="constrained")
    axes = figure.subplots(2, 2)
    both = ((calcium(), nudged, {"alone": plain, "Adam": adam}), (release(), plain, {}))
    for k, (experiment, way, others) in enumerate(both):
        data, noise = record(experiment, jax.random.key(k))
        bound = tp.analysis.fisher_information(experiment.trace, experiment.truth, noise)
        print(
            experiment.names,
            "standard errors (%):",
            100 * experiment.relative * bound.standard_errors,
        )
        begins = starts(experiment, jax.random.key(10 + k))
        fits = from_every_start(way(experiment, data, noise), begins)
        errors = recovered(experiment, fits)
        print("  within 5 %:", np.sum(errors < 0.05), "of", STARTS, "largest errors", errors)
        for name, other in others.items():
            found = from_every_start(other(experiment, data, noise), begins)
            print(f"  {name}, within 5 %:", np.sum(recovered(experiment, found) < 0.05))
        panels(axes[:, k], experiment, data, begins, fits)
        axes[1, k].set_title("ten starts, left, and where they end, right", fontsize=10)
    axes[0, 0].set(title="Calcium under glutamate", ylabel="Ca (uM)")
    axes[0, 1].set(title="Released transmitter", ylabel="G (uM)", xlim=(60.0, 75.0))
    figure.savefig(FIGURES / "fit_an_astrocyte.png", dpi=110)


if __name__ == "__main__":
    main()
