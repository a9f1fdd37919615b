"""Certificates as one file of HTML: no script, no network, its pictures inside."""

import base64
import html
import math
from collections.abc import Sequence
from pathlib import Path

from tripartite.proofs import Certificate, Check, format_bound, format_measured, verdict

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --pass: #00795c; --fail: #c33d00; --faint: #777; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: .2rem; } h2 { margin-top: 3rem; }
.faint { color: var(--faint); font-size: .9rem; }
.pass { color: var(--pass); } .fail { color: var(--fail); font-weight: 700; }
pre { overflow-x: auto; padding: .7rem; border: 1px solid var(--line); border-radius: 6px; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; }
tr { border-bottom: 1px solid var(--line); }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.track { width: 7rem; height: .6rem; background: var(--line); border-radius: 3px; }
.bar { height: .6rem; border-radius: 3px; background: var(--pass); }
.bar.control { background: #b06f00; } .bar.fail { background: var(--fail); }
figure { margin: 1.5rem 0; } figure img { max-width: 100%; background: white; border-radius: 6px; }
""".strip()


def webpage(certificates: Sequence[Certificate], pictures: Sequence[tuple[Path, str]] = ()) -> str:
    """A page with every certificate, as text of HTML.

    **Arguments:** `certificates`; `pictures`: PNG files with their captions, which stand below the
    certificate whose name the file's begins with.
    """
    checks = [check for certificate in certificates for check in certificate.checks]
    failed = sum(check.passed is False for check in checks)
    passed = sum(check.passed is True for check in checks)
    whole = all(certificate.complete for certificate in certificates)
    told = f"{passed} checks passed, {failed} failed" + ("" if whole else "; interrupted")
    parts = [
        _section(c, [p for p in pictures if p[0].name.startswith(c.name)]) for c in certificates
    ]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<title>What this machine proved</title>",
            f"<style>{_STYLE}</style></head><body>",
            "<h1>What this machine proved</h1>",
            f'<p class="{"fail" if failed or not whole else "pass"}">{told}</p>',
            *parts,
            "</body></html>",
            "",
        ]
    )


def _section(certificate: Certificate, pictures: Sequence[tuple[Path, str]]) -> str:
    theorem = certificate.theorem
    around = ", ".join(f"{k} {v}" for k, v in certificate.environment.items())
    rows = "\n".join(map(_row, certificate.checks))
    return "\n".join(
        [
            f'<h2 id="{_text(certificate.name)}">{_text(certificate.name.replace("_", " "))}</h2>',
            f"<p>{_text(theorem.statement)}</p>",
            f"<pre>{_text(theorem.latex)}</pre>",
            f'<p class="faint">Source: {_text(theorem.source)}</p>',
            "<p>Assumptions:</p><ul>",
            *[f"<li>{_text(assumption)}</li>" for assumption in theorem.assumptions],
            f'</ul><p class="faint">Precision {_text(certificate.precision)}; {_text(around)}.</p>',
            '<div class="wide"><table><thead><tr><th>claim</th><th>rung</th><th>measured</th>'
            "<th>bound</th><th>margin</th><th>verdict</th><th>why this bound</th></tr></thead>",
            f"<tbody>{rows}</tbody></table></div>",
            *[_picture(path, caption) for path, caption in pictures],
        ]
    )


def _row(check: Check) -> str:
    word = verdict(check)
    kind = {"pass": "pass", "FAIL": "fail"}.get(word, "faint")
    why = f"{check.why}. {check.note}" if check.note else check.why
    return (
        f"<tr><td>{_text(check.name)}</td><td>{_text(check.rung)}</td>"
        f'<td class="number">{_text(format_measured(check))}</td>'
        f'<td class="number">{_text(format_bound(check))}</td><td>{_margin(check)}</td>'
        f'<td class="{kind}">{_text(word)}</td><td class="faint">{_text(why)}</td></tr>'
    )


def _margin(check: Check) -> str:
    """A bar as long as the margin has decimal places, of sixteen that double precision tells."""
    if check.margin is None or math.isnan(check.margin):
        return "-"
    decades = 16.0 if math.isinf(check.margin) else math.log10(max(check.margin, 1e-16))
    share = min(max(decades / 16.0, 0.02), 1.0)
    kind = "fail" if not check.passed else "control" if check.rung == "negative control" else ""
    return (
        f'<div class="track" title="{check.margin:.3g} times inside the bound">'
        f'<div class="bar {kind}" style="width:{100 * share:.0f}%"></div></div>'
    )


def _picture(path: Path, caption: str) -> str:
    data = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<figure><img alt="{_text(caption)}" src="data:image/png;base64,{data}">'
        f"<figcaption>{_text(caption)}</figcaption></figure>"
    )


def _text(text: str) -> str:
    return html.escape(text)
