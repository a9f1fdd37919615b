"""Does a net of squid axons learn? 900 pictures, five stratified resplits, beside a regression.

python -m experiments.learning              all of it
python -m experiments.learning --kind hh    one kind of net
"""

import argparse
import time
import warnings

import jax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from experiments import nets, pictures, report, training

SIZES = nets.Sizes(side=28, tasks=1)
KINDS = ("hh", "lif", "ann")
EPOCHS, RATE = 20, 3e-3


def regression(train, test):
    """Logistic regression on raw pixels, scikit-learn's defaults but for the iterations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(max_iter=1000)
        model.fit(train.images.reshape(len(train.images), -1), train.labels)
    return float(model.score(test.images.reshape(len(test.images), -1), test.labels))


def net(kind, train, test, seed, epochs=EPOCHS):
    """A net 784-128-50-10 of one kind of units."""
    build, order = jax.random.split(jax.random.key(seed))
    made = nets.build(kind, "fc", SIZES, key=build)
    made, history, seconds = training.train(made, train, epochs=epochs, rate=RATE, key=order)
    return {
        "accuracy": float(training.accuracy(made, test)[0]),
        "train": float(training.accuracy(made, train)[0]),
        "loss": history[-1],
        "seconds": seconds,
    }


def main():
    """Each kind's five resplits, saved as soon as they are done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", choices=(*KINDS, "regression"))
    options = parser.parse_args()
    splits = pictures.resplits()
    for kind in [options.kind] if options.kind else [*KINDS, "regression"]:
        begin = time.process_time()
        if kind == "regression":
            runs = [{"accuracy": regression(*split)} for split in splits]
        else:
            runs = [net(kind, *split, seed) for seed, split in enumerate(splits)]
        print(kind, runs, flush=True)
        found = {"kind": kind, "epochs": EPOCHS, "rate": RATE, "runs": runs}
        report.save(f"learning_{kind}", found | {"seconds": time.process_time() - begin})


if __name__ == "__main__":
    main()
