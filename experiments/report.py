"""What the scripts share: options, results as JSON, confidence intervals, and what a step costs."""

import json
import platform
import sys
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from experiments import training
from tripartite import layers

RESULTS = Path(__file__).parent / "results"


def interval(values):
    """The mean and the half width of its 95 % interval (Student's t) over seeds or resplits."""
    x = np.asarray(values, float)
    half = stats.t.ppf(0.975, len(x) - 1) * np.std(x, ddof=1) / np.sqrt(len(x))
    return float(np.mean(x)), float(half)


def percent(values):
    """`81.2 ± 1.4` of shares."""
    mean, half = interval(values)
    return f"{100 * mean:.1f} ± {100 * half:.1f}"


def save(name, found):
    """Writes one result with the command and the versions that made it."""
    RESULTS.mkdir(exist_ok=True)
    made = {
        "command": " ".join(["python -m", Path(sys.argv[0]).stem, *sys.argv[1:]]),
        "jax": jax.__version__,
        "processor": platform.machine(),
    }
    made["command"] = made["command"].replace("python -m ", "python -m experiments.")
    (RESULTS / f"{name}.json").write_text(json.dumps(made | found, indent=1) + "\n")


def result(name):
    """A saved result."""
    return json.loads((RESULTS / f"{name}.json").read_text())


def step_memory(net, images, labels):
    """Bytes of temporaries of one gradient of a batch, by XLA's own account of the program."""
    moving, fixed = eqx.partition(net, layers.trainable(net))
    fixed, static = eqx.partition(fixed, eqx.is_array)

    def slopes(moving, fixed, images, labels):
        def loss(moving):
            return training.losses(eqx.combine(moving, fixed, static), images, labels)

        return jax.grad(loss)(moving)

    batch = (jnp.asarray(images), jnp.asarray(labels).reshape(len(labels), -1))
    compiled = jax.jit(slopes).lower(moving, fixed, *batch).compile()
    return int(compiled.memory_analysis().temp_size_in_bytes)
