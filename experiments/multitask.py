"""Two labels at once: five kinds of units, dense and convolutional, five seeds.

    python -m experiments.multitask                      all of the table
    python -m experiments.multitask --kind hh --shape fc one net of it
    python -m experiments.multitask --full --data FOLDER the paper's sizes, on the whole data set

Each net gets the same: the pictures of a seed, Adam, the epochs of its shape, and a learning rate
chosen from two on a quarter of the training pictures of seed 0.
"""

import argparse

import jax
import numpy as np

from experiments import nets, pictures, report, training
from tripartite import layers

RATES = {"fc": (1e-3, 3e-3), "conv": (3e-3, 1e-2)}
EPOCHS = {"fc": 10, "conv": 20}
TRAIN, TEST = 800, 400
# Of the full size: He et al.'s numbers of pictures and epochs.
FULL_EPOCHS, FULL_TRAIN, FULL_TEST, FULL_BATCH = 40, 120_000, 20_000, 128


def one(kind, shape, sizes, train, test, *, rate, epochs, seed, batch=50):
    """A net trained from `seed`: test accuracies of both tasks, last loss and CPU seconds."""
    build, order = jax.random.split(jax.random.key(seed))
    net = nets.build(kind, shape, sizes, key=build)
    net, history, seconds = training.train(
        net, train, epochs=epochs, rate=rate, key=order, batch=batch
    )
    found = training.accuracy(net, test)
    return {"accuracy": found.tolist(), "loss": history[-1], "seconds": seconds, "seed": seed}


def tune(kind, shape, sizes, data, epochs, batch=50):
    """The mean accuracy of both tasks at each rate, on the last quarter of the pictures."""
    cut = 3 * len(data.images) // 4
    return {
        rate: float(
            np.mean(
                one(
                    kind,
                    shape,
                    sizes,
                    data[:cut],
                    data[cut:],
                    rate=rate,
                    epochs=epochs,
                    seed=0,
                    batch=batch,
                )["accuracy"]
            )
        )
        for rate in RATES[shape]
    }


def run(kind, shape, *, full=False, folder=pictures.SMALL, seeds=5):
    """One row of the table."""
    sizes = nets.FULL if full else nets.Sizes()
    epochs = FULL_EPOCHS if full else EPOCHS[shape]
    counts = (FULL_TRAIN, FULL_TEST) if full else (TRAIN, TEST)
    batch = FULL_BATCH if full else 50
    first = pictures.two_tasks(*counts, folder)[0]
    tuned = tune(kind, shape, sizes, first, epochs, batch)
    rate = max(tuned, key=tuned.get)
    print(kind, shape, tuned, flush=True)
    runs = []
    for seed in range(seeds):
        train, test = pictures.two_tasks(*counts, folder, seed=1000 * seed)
        runs.append(
            one(
                kind,
                shape,
                sizes,
                train,
                test,
                rate=rate,
                epochs=epochs,
                seed=seed,
                batch=batch,
            )
        )
        print(kind, shape, runs[-1], flush=True)
    net = nets.build(kind, shape, sizes, key=jax.random.key(0))
    sample = first[:batch]
    return {
        "kind": kind,
        "shape": shape,
        "full": full,
        "rates": {str(k): v for k, v in tuned.items()},
        "rate": rate,
        "epochs": epochs,
        "pictures": list(counts),
        "parameters": layers.parameter_count(net),
        "macs": layers.multiply_accumulates(lambda net, x: net(x), net, sample.images[0]),
        "memory": report.step_memory(net, sample.images, sample.labels),
        "runs": runs,
    }


def main():
    """Every net that is asked for, each saved as soon as it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=nets.KINDS)
    parser.add_argument("--shape", choices=("fc", "conv"))
    parser.add_argument("--full", action="store_true", help="the paper's sizes")
    parser.add_argument("--data", default=pictures.SMALL, help="a folder of IDX files")
    options = parser.parse_args()
    for shape in [options.shape] if options.shape else ["fc", "conv"]:
        for kind in [options.kind] if options.kind else nets.KINDS:
            found = run(kind, shape, full=options.full, folder=options.data)
            report.save(f"multitask_{'full_' * options.full}{kind}_{shape}", found)


if __name__ == "__main__":
    main()
