"""The tables of docs/experiments/reinforcement_learning.md, from the curves of the runs.

`python -m experiments.write_reinforcement` writes them between the two marks of the page.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "reinforcement"
PAGE = HERE.parent / "docs" / "experiments" / "reinforcement_learning.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
NAMES = {
    "hh": "HH (real equations)",
    "slif2hh": "s-LIF2HH",
    "lif": "LIF",
    "4lif": "4x LIF",
    "dense": "dense, no spikes",
}
# An episode of 1000 steps without a fall; the double pendulum is paid a little less than 10 a step.
SOLVED = {"single": 1000.0, "double": 9000.0}


def runs(folder: Path) -> list[dict[str, Any]]:
    """Every run in a folder, by task, actor and seed."""
    found = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    order = list(NAMES)
    return sorted(found, key=lambda x: (order.index(x["run"]["actor"]), x["run"]["seed"]))


def of(
    found: list[dict[str, Any]], task: str, actor: str, slip: bool = False
) -> list[dict[str, Any]]:
    """The runs of one task and one actor, by the paper's reward or the released one."""
    wanted = {"task": task, "actor": actor, "slip": slip}
    return [x for x in found if wanted.items() <= x["run"].items()]


def solved_after(run: dict[str, Any]) -> int | None:
    """The steps of the first evaluation in which no pendulum fell, if there is one."""
    enough = SOLVED[run["run"]["task"]]
    hits = (x["steps"] for x in run["curve"] if min(x["returns"]) >= enough)
    return next(hits, None)


def score(run: dict[str, Any]) -> float:
    """The mean return over all evaluations: the area under the curve."""
    return float(np.mean([line["returns"] for line in run["curve"]]))


def tuning_table(folder: Path) -> list[str]:
    """What each scale of the observations scored, the chosen one in bold."""
    found = runs(folder / "tuning")
    scales = sorted({x["run"]["scale"] for x in found})
    heads = " | ".join(f"times {scale:g}" for scale in scales)
    lines = [f"| actor | {heads} | CPU s |", "|---|" + "---|" * (len(scales) + 1)]
    for actor, name in NAMES.items():
        mine = {x["run"]["scale"]: x for x in of(found, "single", actor)}
        if not mine:
            continue
        best = max(mine, key=lambda scale: score(mine[scale]))
        cells = [
            f"{'**' * (s == best)}{score(mine[s]):.0f}{'**' * (s == best)}" if s in mine else "-"
            for s in scales
        ]
        spent = sum(x["cpu_seconds"] for x in mine.values())
        lines.append(f"| {name} | {' | '.join(cells)} | {spent:.0f} |")
    return lines


def task_table(folder: Path, task: str, slip: bool = False) -> list[str]:
    """One line for each actor; where there are several seeds, a number for each."""
    found = runs(folder / "runs")
    lines = [
        "| actor | trained numbers | steps | of them until no pendulum falls | last return | "
        "mean return over the run | last reward a step | CPU s a run |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for actor, name in NAMES.items():
        mine = of(found, task, actor, slip)
        if not mine:
            continue
        first = [solved_after(x) for x in mine]
        last = [float(np.mean(x["curve"][-1]["returns"])) for x in mine]
        reward = [x["curve"][-1]["reward"] for x in mine]
        cells = [
            f"{mine[0]['parameters']:,}",
            ", ".join(f"{x['curve'][-1]['steps']:,}" for x in mine),
            ", ".join("never" if x is None else f"{x:,}" for x in first),
            ", ".join(f"{x:,.0f}" for x in last),
            _mean_and_spread([score(x) for x in mine]),
            ", ".join(f"{x:.1f}" for x in reward),
            f"{np.mean([x['cpu_seconds'] for x in mine]):.0f}",
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _mean_and_spread(numbers: list[float]) -> str:
    if len(numbers) == 1:
        return f"{numbers[0]:,.0f}"
    return f"{np.mean(numbers):,.0f} ± {np.std(numbers, ddof=1):,.0f}"


def text(folder: Path = RESULTS) -> str:
    """All that stands between the marks."""
    if not runs(folder / "runs"):
        return "No run is kept yet."
    spent = sum(x["cpu_seconds"] for part in ("tuning", "runs") for x in runs(folder / part))
    double, slipped = task_table(folder, "double"), task_table(folder, "single", slip=True)
    return "\n".join(
        [
            "### Tuning: mean return, single pendulum, one seed, 4000 steps",
            "",
            *tuning_table(folder),
            "",
            "### The single pendulum",
            "",
            *task_table(folder, "single"),
            "",
            *(["### The double pendulum", "", *double, ""] if len(double) > 2 else []),
            *(
                ["### The single pendulum by the released reward", "", *slipped, ""]
                * (len(slipped) > 2)
            ),
            f"All runs of this page together took {spent / 60.0:.0f} CPU-minutes.",
        ]
    )


def main() -> None:
    """Writes the page anew."""
    page = PAGE.read_text()
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{text()}\n\n{END}{after}")


if __name__ == "__main__":
    main()
