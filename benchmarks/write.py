"""What a run leaves behind: JSON, Markdown, and the page that shows every table."""

import json
import math
from pathlib import Path

import targets
from fleet import core

from tripartite.bench import machine, markdown_table

HERE = Path(__file__).parent
RESULTS, DOCS = HERE / "results", HERE.parent / "docs"
FIGURES = DOCS / "figures"
TABLES = (
    "population",
    "one_cell",
    "gradient",
    "memory",
    "compile_time",
    "pospischil",
    "chapter",
    "brunel",
    "cobahh",
    "edges",
    "scaling",
    "one_synapse",
    "attention",
    "multirate",
    "devices",
    "fit",
)
PINNED = {"cores used": "1" if core() is not None else "unpinned"}
NOTICE = "<!-- Written by benchmarks/write.py from benchmarks/results/. -->\n\n"


def versions(rows):
    """Every version that took part, by simulator."""
    found = {}
    for row in rows:
        for name, version in row.found.get("versions", {}).items():
            if name != "python":
                found.setdefault(name, version)
    return dict(sorted(found.items()))


def save(name, found, rows, text, options):
    """Prints one table, writes its JSON and its Markdown, and the page of all; or prints alone."""
    print(text)
    if not kept(options):
        return
    RESULTS.mkdir(exist_ok=True)
    found = {"hardware": machine() | PINNED, "versions": versions(rows), **found}
    found["rows"] = [row.to_dict() for row in rows]
    (RESULTS / f"{name}.json").write_text(json.dumps(plain(found), indent=1) + "\n")
    text += f"\nMeasured on: {listed(found['hardware'])}; {listed(found['versions'])}.\n"
    (RESULTS / f"{name}.md").write_text(text)
    page()


def kept(options):
    """Whether a run is the whole one, which the page shows."""
    return not options.quick and options.only is None


def plain(x):
    """JSON has no infinity: a spike that is missing is `null` milliseconds off."""
    if isinstance(x, dict):
        return {k: plain(v) for k, v in x.items()}
    if isinstance(x, list | tuple):
        return [plain(v) for v in x]
    return None if isinstance(x, float) and not math.isfinite(x) else x


def page():
    """docs/benchmarks.md: the contract, then each table there is."""
    parts = [(HERE / "contract.md").read_text(), targets.text(RESULTS)]
    for name in TABLES:
        path = RESULTS / f"{name}.md"
        if path.exists():
            parts.append(path.read_text().replace("../../docs/figures/", "figures/"))
    closing = HERE / "closing.md"
    if closing.exists():
        parts.append(closing.read_text())
    (DOCS / "benchmarks.md").write_text(NOTICE + "\n".join(parts))


def listed(x):
    """`a 1, b 2`."""
    return ", ".join(f"{k} {v}" for k, v in x.items())


def figure(name, caption):
    """The line that shows a figure of docs/figures/."""
    return f"\n![{caption}](../../docs/figures/{name}.png)\n\n*{caption}*\n"


def why_not(row):
    """What stands in the table for a row without a number."""
    return "not installed" if "missing" in row.found else "failed"


def failures(rows):
    """What the rows that failed said, each once."""
    said = dict.fromkeys(row.found["failure"] for row in rows if "failure" in row.found)
    return "".join(f"\nFailed: `{text}`\n" for text in said)


def table(header, rows):
    """A table of Markdown, an empty line before it."""
    return "\n" + markdown_table(header, rows)
