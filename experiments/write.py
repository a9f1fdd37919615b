"""The tables of the experiments' pages, from saved results: `python -m experiments.write`.

Each page under docs/experiments has, between `<!-- table: NAME -->` and `<!-- end -->`, the table
that the results of that name make.
"""

import re
from pathlib import Path

import numpy as np

from experiments import learning, nets, report, robustness

PAGES = Path(__file__).parent.parent / "docs" / "experiments"
NAMES = {
    "lif": "LIF",
    "hh": "HH (real)",
    "slif2hh": "s-LIF2HH",
    "4lif": "4x LIF",
    "ann": "ANN (ReLU)",
    "regression": "logistic regression",
}
BLOCK = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(head, rows):
    """Markdown; the first column is text, the others numbers."""
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, rule, *rows)) + "\n"


def saved(pattern):
    """Whether there is such a result: a table is of what has been run."""
    return (report.RESULTS / f"{pattern}.json").is_file()


def multitask():
    """Accuracies with their intervals, sizes and costs."""
    head = [
        *("units", "net", "clothes, %", "digits, %", "both, minus LIF's", "rate"),
        *("parameters", "MACs", "CPU s a training", "MB a step"),
    ]
    rows = []
    for shape in ("fc", "conv"):
        for kind in nets.KINDS:
            if not saved(f"multitask_{kind}_{shape}"):
                continue
            found = report.result(f"multitask_{kind}_{shape}")
            right, leaky = (
                np.asarray([run["accuracy"] for run in x["runs"]])
                for x in (found, report.result(f"multitask_lif_{shape}"))
            )
            more = "" if kind == "lif" else report.percent(np.mean(right - leaky, axis=1))
            seconds = np.median([run["seconds"] for run in found["runs"]])
            rows.append(
                [
                    *(NAMES[kind], shape, report.percent(right[:, 0]), report.percent(right[:, 1])),
                    *(more, f"{found['rate']:g}"),
                    *(f"{found['parameters']:,}", f"{found['macs']:,}"),
                    *(f"{seconds:.1f}", f"{found['memory'] / 1e6:.1f}"),
                ]
            )
    return table(head, rows)


def learn():
    """Accuracies on the five resplits, and the paired difference to the regression."""
    base = [run["accuracy"] for run in report.result("learning_regression")["runs"]]
    rows = []
    for kind in (*learning.KINDS, "regression"):
        if not saved(f"learning_{kind}"):
            continue
        runs = report.result(f"learning_{kind}")["runs"]
        right = [run["accuracy"] for run in runs]
        difference = "" if kind == "regression" else report.percent(np.subtract(right, base))
        each = ", ".join(f"{100 * x:.1f}" for x in right)
        trained = [run["train"] for run in runs if "train" in run]
        fitted = f"{100 * np.mean(trained):.1f}" if trained else ""
        rows.append([NAMES[kind], report.percent(right), each, difference, fitted])
    head = ["units", "mean, %", "each resplit, %", "minus regression, points", "on training, %"]
    return table(head, rows)


def robust():
    """The mean accuracy of both tasks under either noise."""
    columns = ["clean", *(f"{p} {a}" for p in ("fixed", "fresh") for a in robustness.AMPLITUDES)]
    rows = []
    for kind in robustness.KINDS:
        if saved(f"robustness_{kind}"):
            runs = report.result(f"robustness_{kind}")["runs"]
            rows.append([NAMES[kind], *(report.percent([r[c] for r in runs]) for c in columns)])
    return table(["units", *columns], rows)


def resources():
    """One layer of each kind: what it costs on a batch of 50."""
    found = report.result("resources")
    rows, base = [], found["costs"]["hh"]
    for kind, cost in found["costs"].items():
        searched = found["searched"].get(kind, {})
        right = searched.get(str(cost["width"]))
        mean = found["goal"] if right is None else np.mean(right)
        memory = cost["gradient bytes"] + cost["weight bytes"]
        of_hh = base["gradient bytes"] + base["weight bytes"]
        rows.append(
            [
                *(NAMES[kind], str(cost["width"]), f"{100 * mean:.1f}"),
                *(f"{1e3 * cost['forward']:.3f}", f"{1e3 * cost['gradient']:.3f}"),
                *(f"{memory / 1e6:.2f}", f"{cost['weight bytes'] / 1e6:.2f}"),
                *(f"{base['gradient'] / cost['gradient']:.1f}", f"{of_hh / memory:.2f}"),
            ]
        )
    head = [
        *("units", "width", "accuracy, %", "forward, CPU ms", "gradient, CPU ms"),
        *("memory, MB", "of it weights, MB", "times as fast as HH", "HH's memory / its"),
    ]
    return table(head, rows)


def information():
    """The last point of each path, in bits, and accuracies."""
    rows = []
    for kind in ("lif", "slif2hh", "4lif", "hh"):
        if not saved(f"information_{kind}"):
            continue
        for beta, path in report.result(f"information_{kind}")["paths"].items():
            last = path[-1]
            right = " / ".join(f"{100 * x:.1f}" for x in last["accuracy"])
            rows.append([NAMES[kind], beta, f"{last['zx']:.1f}", f"{last['zy']:.2f}", right])
    head = ["units", "beta", "I(Z;X) <=, bits", "I(Z;Y) >=, bits", "clothes / digits, %"]
    return table(head, rows)


TABLES = {
    "multitask": multitask,
    "learning": learn,
    "robustness": robust,
    "resources": resources,
    "information": information,
}


def filled(text):
    """A page with its tables made anew."""
    return BLOCK.sub(lambda m: f"{m[1]}\n{TABLES[m[2]]()}\n{m[3]}", text)


def main():
    """Every page."""
    for page in sorted(PAGES.glob("*.md")):
        page.write_text(filled(page.read_text()))


if __name__ == "__main__":
    main()
