"""The figure of the page on reinforcement learning: `python docs/draw_reinforcement.py`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

HERE = Path(__file__).parent
RUNS = HERE.parent / "experiments" / "results" / "reinforcement" / "runs"
# Okabe and Ito's palette: distinct to colour-blind readers, too.
ACTORS = {
    "hh": ("HH (real equations)", "#D55E00"),
    "slif2hh": ("s-LIF2HH", "#0072B2"),
    "lif": ("LIF", "#009E73"),
    "4lif": ("4x LIF", "#CC79A7"),
    "dense": ("dense, no spikes", "#999999"),
}
TASKS = {"single": ("The single pendulum", 1000.0, 10.0), "double": ("The double", 9360.0, 15.0)}


def curves(task: str, actor: str) -> tuple[Any, Any, Any]:
    """Steps, and for each seed the return of the evaluations and the reward while training."""
    found = [json.loads(path.read_text()) for path in sorted(RUNS.glob(f"{task}-{actor}-*.json"))]
    found = [x["curve"] for x in found if not x["run"]["slip"]]
    length = min((len(curve) for curve in found), default=0)
    steps = [line["steps"] for line in found[0][:length]] if found else []
    returns = [[np.mean(line["returns"]) for line in curve[:length]] for curve in found]
    rewards = [[line["training_reward"] for line in curve[:length]] for curve in found]
    return np.asarray(steps), np.asarray(returns), np.asarray(rewards)


def band(ax: Any, steps: Any, seeds: Any, label: str, colour: str) -> None:
    """The mean over seeds, and one standard deviation on either side where there are several."""
    mean = seeds.mean(axis=0)
    ax.plot(steps, mean, color=colour, label=f"{label}, {len(seeds)}", linewidth=1.5)
    if len(seeds) > 1:
        spread = seeds.std(axis=0, ddof=1)
        ax.fill_between(steps, mean - spread, mean + spread, color=colour, alpha=0.15, linewidth=0)


def figure() -> Figure:
    """Of each task that was run a row: returns of the evaluations, and rewards while training."""
    tasks = [task for task in TASKS if any(RUNS.glob(f"{task}-*.json"))]
    page = Figure(figsize=(9.5, 3.6 * len(tasks)), layout="constrained")
    for row, task in zip(page.subplots(len(tasks), 2, squeeze=False), tasks, strict=True):
        title, most_return, most_reward = TASKS[task]
        for actor, (label, colour) in ACTORS.items():
            steps, returns, rewards = curves(task, actor)
            if len(steps):
                band(row[0], steps, returns, label, colour)
                band(row[1], steps, rewards, label, colour)
        for ax, most in zip(row, (most_return, most_reward), strict=True):
            ax.axhline(most, color="0.5", linestyle=":", linewidth=1.0)
            ax.set(xlabel="steps of the environment", title=title)
        row[0].set(ylabel="return of an evaluation", ylim=(0.0, 1.08 * most_return))
        row[1].set(ylabel="reward a step while training")
        row[0].legend(frameon=False, fontsize=8, title="actor, seeds", title_fontsize=8)
    return page


if __name__ == "__main__":
    figure().savefig(HERE / "figures" / "reinforcement_learning.png", dpi=130)
