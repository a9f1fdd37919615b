"""A small fit, run as a command: python fit_a_leak.py CHECKPOINT OUT STEPS [PAUSE].

Prints a line for each step taken, so that whoever started it knows when to kill it.
"""

import sys
import time

import jax
import numpy as np
import optax

jax.config.update("jax_enable_x64", True)

from tripartite import cells, channels, fit  # noqa: E402


def where(cell):
    return cell.channels[0].conductance, cell.channels[0].reversal


def noisy_loss(cell, data, key):
    """A different batch of voltages at each step: whoever goes on needs the same keys."""
    held, current = data
    clamp = fit.VoltageClamp(held, -65.0, t1=0.1, dt=0.05)
    weights = jax.random.uniform(key, current.shape)
    return fit.mean_square(clamp(cell) * weights, current * weights)


def main(checkpoint, out, steps, pause=0.0):
    cell = cells.ConductanceCell((channels.Leak(0.3, -54.0),))
    held = np.array([-80.0, -60.0, -40.0])
    current = np.repeat(0.5 * (held[:, None] + 70.0), 3, axis=1)

    def told(progress):
        print(progress.step, flush=True)
        time.sleep(pause)

    found = fit.fit(
        cell,
        noisy_loss,
        (held, current),
        where=where,
        constraints=(fit.Positive(), fit.Free(10.0)),
        optim=optax.adam(0.05),
        steps=steps,
        key=jax.random.key(3),
        noisy=True,
        checkpoint=checkpoint,
        checkpoint_every=7,
        callbacks=(told,),
    )
    values = {name: np.asarray(value) for name, value in found.values.items()}
    np.savez(out, losses=found.losses, loss=found.loss, **values)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), *map(float, sys.argv[4:]))
