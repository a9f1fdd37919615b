"""The figure of the pages on the experiments: `python docs/draw_experiments.py`.

Run from the repository's root, with the extras `plots` and `test`; it draws the saved results.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from experiments import learning, nets, report, robustness, write  # noqa: E402

# Okabe and Ito's palette: distinct to colour-blind readers, too.
COLOURS = {
    "lif": "#0072B2",
    "hh": "#D55E00",
    "slif2hh": "#009E73",
    "4lif": "#CC79A7",
    "ann": "#444444",
}


def cost(ax: Any) -> None:
    """The mean accuracy of both tasks against the CPU seconds of a training."""
    for shape, marker in (("fc", "o"), ("conv", "s")):
        for kind in nets.KINDS:
            if not write.saved(f"multitask_{kind}_{shape}"):
                continue
            runs = report.result(f"multitask_{kind}_{shape}")["runs"]
            mean, half = report.interval([100 * np.mean(run["accuracy"]) for run in runs])
            seconds = np.median([run["seconds"] for run in runs])
            ax.errorbar(
                *(seconds, mean),
                yerr=half,
                fmt=marker,
                color=COLOURS[kind],
                capsize=3,
                label=write.NAMES[kind] if shape == "fc" else None,
            )
    ax.set(xscale="log", xlabel="CPU seconds of a training", ylabel="accuracy of both tasks (%)")
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_title("Two tasks at once: dense (o), convolutional (□)")
    ax.legend(frameon=False, fontsize=8)


def resplits(ax: Any) -> None:
    """Accuracy on each resplit, less that of logistic regression on the same."""
    base = np.asarray([run["accuracy"] for run in report.result("learning_regression")["runs"]])
    for x, kind in enumerate(learning.KINDS):
        right = np.asarray([run["accuracy"] for run in report.result(f"learning_{kind}")["runs"]])
        difference = 100 * (right - base)
        ax.plot(x + np.linspace(-0.15, 0.15, len(base)), difference, "o", color=COLOURS[kind])
        ax.plot([x - 0.25, x + 0.25], [difference.mean()] * 2, color=COLOURS[kind], linewidth=2)
    ax.axhline(0.0, color="0.6", linewidth=1.0)
    ax.axhline(1.0, color="0.6", linewidth=1.0, linestyle=":")
    ax.set_xticks(range(len(learning.KINDS)), [write.NAMES[kind] for kind in learning.KINDS])
    ax.set(ylabel="points above logistic regression", title="900 pictures, five resplits")


def noise(ax: Any) -> None:
    """Accuracy under noise, relative to none."""
    amplitudes = [0, *robustness.AMPLITUDES]
    for kind in robustness.KINDS:
        if not write.saved(f"robustness_{kind}"):
            continue
        runs = report.result(f"robustness_{kind}")["runs"]
        for protocol, line in (("fixed", "-"), ("fresh", "--")):
            names = ["clean", *(f"{protocol} {a}" for a in robustness.AMPLITUDES)]
            means = [100 * np.mean([run[name] for run in runs]) for name in names]
            ax.plot(amplitudes, means, line, color=COLOURS[kind], marker=".")
    ax.set(xlabel="amplitude (of 255)", ylabel="accuracy of both tasks (%)", xticks=amplitudes)
    ax.set_title("Noise: one pattern (-), fresh (--)")


def plane(ax: Any) -> None:
    """Paths in the information plane."""
    for kind in ("lif", "slif2hh", "4lif", "hh"):
        if not write.saved(f"information_{kind}"):
            continue
        for beta, line in (("0.0", "--"), ("0.001", "-")):
            path = report.result(f"information_{kind}")["paths"][beta]
            x, y = ([point[name] for point in path] for name in ("zx", "zy"))
            label = write.NAMES[kind] if line == "-" else None
            ax.plot(x, y, line, color=COLOURS[kind], marker=".", linewidth=1.0, label=label)
    ax.set(xlabel="I(Z;X) at most (bits)", ylabel="I(Z;Y) at least (bits)")
    ax.set_title("Bottleneck: beta 0.001 (-), 0 (--)")
    ax.legend(frameon=False, fontsize=8)


def main() -> None:
    figure = Figure(figsize=(9.5, 8), layout="constrained")
    for draw, ax in zip((resplits, cost, noise, plane), figure.subplots(2, 2).flat, strict=True):
        draw(ax)
    figure.savefig(HERE / "figures" / "experiments.png", dpi=110)


if __name__ == "__main__":
    main()
