"""Rung 3: the derivatives of the voltage agree, in forward and in reverse mode."""

import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite import cells, simulate, solvers
from tripartite.proofs.certificate import Claim

NAMES = (
    "g_sodium",
    "g_potassium",
    "g_leak",
    "e_sodium",
    "e_potassium",
    "e_leak",
    "capacitance",
)
VALUES = (120.0, 36.0, 0.3, 50.0, -77.0, -54.387, 1.0, 10.0)


def claims() -> Iterator[Claim]:
    """Every conductance, reversal, the capacitance and the current, along 40 ms."""
    why = (
        "the derivatives obey the differentiated identity, so they differ by amplified round-off; "
        "the project's figure of 1e-8, 4.5e7 eps, relative to the largest value"
    )
    bound = 4.5e7 * float(np.finfo(np.float64).eps)

    @functools.cache
    def sensitivities(form: str) -> np.ndarray:
        return np.asarray(jax.jacfwd(functools.partial(voltage, form))(jnp.asarray(VALUES)))

    def gap(form: str) -> float:
        truth = sensitivities("cell")
        worst = np.max(np.abs(sensitivities(form) - truth), axis=0)
        return float(np.max(worst / np.max(np.abs(truth), axis=0)))

    for form in ("share", "derivative"):
        yield Claim(
            f"dv(t)/dp of the {form} form, all 8 parameters, relative to each one's largest",
            "gradient",
            bound,
            why,
            functools.partial(gap, form),
        )

    def reverse_gap() -> float:
        def mean(values: Array) -> Array:
            return jnp.mean(voltage("share", values))

        backward = np.asarray(jax.grad(mean)(jnp.asarray(VALUES)))
        forward = np.mean(sensitivities("cell"), axis=0)
        return float(np.max(np.abs(backward - forward)) / np.max(np.abs(forward)))

    yield Claim(
        "reverse mode through the share form against forward mode through the cell",
        "gradient",
        bound,
        why,
        reverse_gap,
    )


def voltage(form: str, values: Array) -> Array:
    """v(t) under a constant current, as a function of the eight parameters."""
    settings: dict[str, Any] = dict(zip(NAMES, values[:7], strict=True))
    cell = cells.HodgkinHuxley(**settings)
    model = {
        "cell": cell,
        "share": cells.TVLIF(cell),
        "derivative": cells.DerivativeTVLIF(cell),
    }[form]
    solution: Any = simulate(
        model,
        values[7],
        t1=40.0,
        dt=0.02,
        save_every=0.1,
        solver=solvers.ClassicalRK4(),
        throw=False,
    )
    return solution.ys["v"]
