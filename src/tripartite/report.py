"""How certificates are shown: a live line, a closing table, a Markdown report with figures."""

import importlib.util
import shutil
import textwrap
from collections import defaultdict
from pathlib import Path

from tripartite.proofs import Certificate, Check, format_bound, format_measured, verdict
from tripartite.webpage import webpage

NO_FIGURES = (
    "No figures: matplotlib is not installed. Install the plots extra "
    "(pip install 'tripartite[plots]') to have them drawn.\n"
)


def live_line(theorem: str, check: Check) -> str:
    """One line for a check that has just finished."""
    width = max(60, shutil.get_terminal_size((120, 24)).columns)
    numbers = f"{format_measured(check):>9} {format_bound(check):<12} {check.seconds:5.1f} s"
    head = f"{verdict(check):<12} {numbers}  "
    return head + textwrap.shorten(check.name, max(20, width - len(head) - 1)) + "\n"


def closing_table(certificates: list[Certificate], seconds: float) -> str:
    """Claim, worst measured, bound, margin, device and verdict of every check, and the totals."""
    lines = []
    for certificate in certificates:
        lines += ["", certificate.name, *textwrap.wrap(certificate.theorem.statement, 100), ""]
        lines += _rows(certificate)
    checks = [check for certificate in certificates for check in certificate.checks]
    counts = {word: sum(verdict(c) == word for c in checks) for word in ("pass", "FAIL")}
    skipped = len(checks) - sum(counts.values())
    lines += ["", *_where_the_time_goes(certificates, seconds), ""]
    if certificates:
        lines += textwrap.wrap(
            ", ".join(f"{k} {v}" for k, v in certificates[0].environment.items()), 100
        )
    outcome = f"{counts['pass']} checks passed, {counts['FAIL']} failed"
    outcome += f", {skipped} are float64 only" if skipped else ""
    if not all(certificate.complete for certificate in certificates):
        outcome += "; interrupted before the last check"
    return "\n".join([*lines, "", f"{outcome}, in {seconds:.0f} s.", ""])


def _rows(certificate: Certificate) -> list[str]:
    claim = 64
    head = f"{'claim':<{claim}}  {'measured':>9}  {'bound':<11}  {'margin':>7}  device  verdict"
    rows = [head, "-" * len(head)]
    for check in certificate.checks:
        first, *rest = textwrap.wrap(check.name, claim) or [""]
        margin = "-" if check.margin is None else f"{check.margin:.2g}"
        rows.append(
            f"{first:<{claim}}  {format_measured(check):>9}  {format_bound(check):<11}  "
            f"{margin:>7}  {check.device:<6}  {verdict(check)}"
        )
        rows += [f"  {line}" for line in rest]
        if check.note:
            rows += [f"    {line}" for line in textwrap.wrap(check.note, claim + 30)]
    return rows


def _where_the_time_goes(certificates: list[Certificate], seconds: float) -> list[str]:
    spent: dict[str, float] = defaultdict(float)
    for certificate in certificates:
        for check in certificate.checks:
            spent[f"{certificate.name}, {check.rung}"] += check.seconds
    spent["starting and the rest"] = seconds - sum(spent.values())
    ordered = sorted(spent.items(), key=lambda item: -item[1])
    return ["seconds", *[f"{value:7.1f}  {name}" for name, value in ordered]]


def write_report(
    certificates: list[Certificate], directory: Path, pictures: dict[str, str] | None = None
) -> str:
    """Writes `report.html` and `report.md`, with matplotlib their figures; says so in a line.

    `pictures`: names of figures that are in the directory already, and their captions.

    The page in HTML holds its figures, needs no network, and opens in any browser.
    """
    directory.mkdir(parents=True, exist_ok=True)
    figures = dict(pictures or {})
    drawn = importlib.util.find_spec("matplotlib") is not None
    if drawn:
        from tripartite.plots import draw_all

        figures |= draw_all([certificate.name for certificate in certificates], directory)
    parts = ["# What this machine proved\n"]
    for certificate in certificates:
        page = certificate.to_markdown().replace("# ", "## ", 1)
        shown = [
            f"![{caption}]({name})\n\n*{caption}*\n"
            for name, caption in figures.items()
            if name.startswith(certificate.name)
        ]
        parts += [page, *shown]
    if not drawn:
        parts.append(NO_FIGURES)
    (directory / "report.md").write_text("\n".join(parts))
    placed = [(directory / name, caption) for name, caption in figures.items()]
    (directory / "report.html").write_text(webpage(certificates, placed), encoding="utf-8")
    written = f"report: {directory / 'report.html'} (and report.md), {len(figures)} figures\n"
    return written if drawn else written + NO_FIGURES
