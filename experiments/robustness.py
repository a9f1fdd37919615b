"""Two labels at once under noise: one fixed pattern, as He et al. released it, and fresh noise.

    python -m experiments.robustness              all of the table
    python -m experiments.robustness --kind hh    one kind of units

The released test draws one picture of noise and adds it to every picture, for training and for
test: an offset that a first layer can take away. The other protocol trains without noise and adds
to each test picture noise of its own. Amplitudes are the released ones, of 255.
"""

import argparse

import jax
import numpy as np

from experiments import multitask, nets, pictures, report, training

AMPLITUDES = (25, 50, 75)
KINDS = nets.KINDS
SEEDS, EPOCHS = 3, 6


def fixed_pattern(data, amplitude, seed):
    """The same picture of Gaussian noise on every picture."""
    rng = np.random.default_rng((77, seed))
    pattern = rng.standard_normal(data.images.shape[1:]).astype(np.float32)
    return data._replace(images=data.images + np.float32(amplitude / 255.0) * pattern)


def fresh_noise(data, amplitude, seed):
    """Gaussian noise drawn anew for each picture."""
    rng = np.random.default_rng((78, seed))
    noise = rng.standard_normal(data.images.shape).astype(np.float32)
    return data._replace(images=data.images + np.float32(amplitude / 255.0) * noise)


def run(kind, seed, rate, epochs=EPOCHS, train=multitask.TRAIN, test=multitask.TEST):
    """The mean accuracy of both tasks, clean and at each amplitude of either protocol."""
    data, held = pictures.two_tasks(train, test, seed=1000 * seed)
    build, order = jax.random.split(jax.random.key(seed))

    def trained(data):
        net = nets.build(kind, "fc", nets.Sizes(), key=build)
        return training.train(net, data, epochs=epochs, rate=rate, key=order)[0]

    clean = trained(data)
    found = {"clean": float(np.mean(training.accuracy(clean, held)))}
    for amplitude in AMPLITUDES:
        noisy = fresh_noise(held, amplitude, seed)
        found[f"fresh {amplitude}"] = float(np.mean(training.accuracy(clean, noisy)))
        pair = (fixed_pattern(x, amplitude, seed) for x in (data, held))
        learnt = trained(next(pair))
        found[f"fixed {amplitude}"] = float(np.mean(training.accuracy(learnt, next(pair))))
    return found


def main():
    """Each kind's seeds, saved as soon as they are done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=KINDS)
    options = parser.parse_args()
    for kind in [options.kind] if options.kind else KINDS:
        rate = report.result(f"multitask_{kind}_fc")["rate"]
        runs = [run(kind, seed, rate) for seed in range(SEEDS)]
        print(kind, runs, flush=True)
        report.save(
            f"robustness_{kind}", {"kind": kind, "rate": rate, "epochs": EPOCHS, "runs": runs}
        )


if __name__ == "__main__":
    main()
