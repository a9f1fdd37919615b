"""The figure and the table of docs/small_circuits.md: `python docs/draw_small_circuits.py`.

From scripts/feature_maps.json, which holds what train_feature_maps.py and compare_feature_maps.py
wrote.
"""

import json
from pathlib import Path

from matplotlib.figure import Figure

HERE = Path(__file__).parent
RESULTS = HERE.parent / "scripts" / "feature_maps.json"
BLUE, GREY = "#0072B2", "0.5"


def table(found):
    """Markdown: learned maps first, then random ones."""
    lines = [
        "| hidden neurons | map | mean cosine | worst cosine | same neighbour | training, CPU s |",
        "|---:|---|---:|---:|---:|---:|",
    ]
    for run in found["learned"]:
        steps = " + ".join(f"{n:,}" for n in run["steps"])
        origin = f"{run['features'] // 2} divided" if "grown_from" in run else run["begun_at"]
        name = f"learned from {origin}: {steps} steps, {run['sentences']:,} sentences"
        cost = run["training_cpu_s"]
        lines.append(row(run["features"], name, run["results"], cost))
    for count, results in found["random"].items():
        lines.append(row(int(count), "positive random", results, "-"))
    return "\n".join(lines)


def row(features, name, results, cost):
    """One line of the table."""
    all_ = results["all"]
    return (
        f"| {features:,} | {name} | {all_['cosine_mean']:.3f} | {all_['cosine_worst']:.3f} | "
        f"{100 * all_['agreement']:.0f} % | {cost if cost == '-' else f'{cost:,}'} |"
    )


def best(runs):
    """Of each number of features, the run with the highest mean cosine."""
    kept = {}
    for run in sorted(runs, key=lambda run: run["results"]["all"]["cosine_mean"]):
        kept[run["features"]] = run["results"]["all"]
    return sorted(kept.items())


def draw(found):
    """docs/figures/small_circuits.png."""
    figure = Figure(figsize=(8.6, 3.4), layout="constrained")
    rows = {
        "learned": best(found["learned"]),
        "random": [(int(m), results["all"]) for m, results in found["random"].items()],
    }
    panels = (("cosine_mean", "mean cosine (1)"), ("agreement", "same nearest neighbour (1)"))
    for ax, (name, label) in zip(figure.subplots(1, 2), panels, strict=True):
        for (kind, points), colour in zip(rows.items(), (BLUE, GREY), strict=True):
            across = [m for m, _ in points]
            ax.semilogx(across, [x[name] for _, x in points], "o-", color=colour, label=kind)
        ticks = [32, 64, 128, 256, 512, 2048]
        ax.set_xticks(ticks, [f"{m:,}" for m in ticks], minor=False)
        ax.set_xticks([], minor=True)
        ax.set(xlabel="hidden neurons of each head (1)", ylabel=label, ylim=(0, 1.02))
        ax.spines[["top", "right"]].set_visible(False)
        ax.grid(alpha=0.25, linewidth=0.5)
    figure.axes[0].legend(frameon=False, loc="lower right")
    figure.savefig(HERE / "figures" / "small_circuits.png", dpi=150)


if __name__ == "__main__":
    results = json.loads(RESULTS.read_text())
    draw(results)
    print(table(results))
