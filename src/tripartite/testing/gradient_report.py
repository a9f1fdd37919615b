"""What a gradient check found, as a table."""

import dataclasses
import math
from typing import NamedTuple


class GradientRow(NamedTuple):
    """One derivative, p dL/dp: by both modes (`None`: not available) and by differences.

    - `uncertainty`: how far the difference itself may be off.
    - `error`: the larger distance of a mode from the difference, relative to the largest
        difference of the report.
    - `verdict`: `"ok"`; `"wrong"`; `"undecided"` if the difference is too uncertain to tell; or
        `"not finite"`.
    """

    parameter: str
    reverse: float | None
    forward: float | None
    difference: float
    uncertainty: float
    error: float = math.nan
    verdict: str = ""


def judge(rows: list[GradientRow], tolerance: float) -> tuple[GradientRow, ...]:
    """The rows with their errors and verdicts."""
    scale = max((abs(row.difference) for row in rows if math.isfinite(row.difference)), default=0)
    judged = []
    for row in rows:
        modes = [x for x in (row.reverse, row.forward) if x is not None]
        gap = max(abs(x - row.difference) for x in modes)
        error = gap / scale if scale > 0 else (0.0 if gap == 0 else math.inf)
        doubt = row.uncertainty / scale if scale > 0 else row.uncertainty
        judged.append(row._replace(error=error, verdict=_verdict(modes, error, doubt, tolerance)))
    return tuple(judged)


def _verdict(modes: list[float], error: float, doubt: float, tolerance: float) -> str:
    if not all(map(math.isfinite, modes)):
        return "not finite"
    if error > tolerance + doubt:
        return "wrong"
    return "ok" if error <= tolerance and doubt <= tolerance else "undecided"


_ADVICE = {
    "wrong": "a derivative written by hand may be wrong, or a solve too loose for its gradient: "
    "tighten its rtol and atol, and pass the tighter one as reference=",
    "not finite": "guard the pole (see core.numerics), or tighten the tolerance of the solve",
    "undecided": "the difference is noisy: pass reference=, the same loss from a tighter solve",
}


@dataclasses.dataclass(frozen=True)
class GradientReport:
    """The result of `tripartite.testing.gradient_check`; prints as a table.

    - `rows`: one for each parameter or direction.
    - `tolerance`: what errors were compared with.
    - `notes`: which mode could not be tested, and why.
    """

    rows: tuple[GradientRow, ...]
    tolerance: float
    notes: tuple[str, ...]

    def assert_ok(self) -> None:
        """**Raises:** `AssertionError` with the table, unless every verdict is ok."""
        if any(row.verdict != "ok" for row in self.rows):
            raise AssertionError(str(self))

    def __str__(self) -> str:
        counts = dict.fromkeys(_ADVICE, 0)
        for row in self.rows:
            if row.verdict in counts:
                counts[row.verdict] += 1
        found = ", ".join(f"{n} {verdict}" for verdict, n in counts.items() if n) or "all ok"
        lines = [f"{len(self.rows)} derivative(s), tolerance {self.tolerance:g}: {found}"]
        lines += _table(self.rows)
        lines += [f"{verdict}: {_ADVICE[verdict]}." for verdict, n in counts.items() if n]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def _table(rows: tuple[GradientRow, ...]) -> list[str]:
    head = ("parameter", "reverse", "forward", "difference", "+/-", "error", "verdict")
    body = [
        (
            row.parameter,
            *("-" if x is None else f"{x:.8g}" for x in (row.reverse, row.forward)),
            f"{row.difference:.8g}",
            f"{row.uncertainty:.1e}",
            f"{row.error:.1e}",
            row.verdict,
        )
        for row in rows
    ]
    widths = [max(len(line[i]) for line in (head, *body)) for i in range(len(head))]
    return [
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in (head, *body)
    ]
