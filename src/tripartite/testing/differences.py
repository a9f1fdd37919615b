"""Central differences extrapolated to step zero, with an estimate of their own error."""

from collections.abc import Callable

import numpy as np

# Steps h, h/2, ... h/64: truncation limits the first, rounding or a solver's noise the last.
LEVELS = 7


def extrapolated_difference(f: Callable[[float], float], step: float) -> tuple[float, float]:
    """The derivative of `f` at 0, and how far it may be off.

    Neville's tableau over central differences at steps h, h/2, h/4...: column j is free of the
    terms h^2 to h^(2j). In each row, the entry that agrees best with its two neighbours is taken,
    and their disagreement is its error (Ridders, Adv. Eng. Softw. 4, 75, 1982), to which the
    rounding of the values is added. Of the rows, that of least error wins. A row that a finer one
    contradicts has at least their distance as its error: `f` may bend or jump within the first
    steps, where a spike enters or leaves.
    """
    rows: list[tuple[float, float]] = []
    last: list[float] = []
    for level in range(LEVELS):
        h = step / 2**level
        above, below = f(h), f(-h)
        rounding = np.finfo(float).eps * max(abs(above), abs(below)) / h
        row = [(above - below) / (2.0 * h)]
        for j, coarse in enumerate(last):
            row.append(row[j] + (row[j] - coarse) / (4.0 ** (j + 1) - 1.0))
        doubts = [
            max(abs(row[j + 1] - row[j]), abs(row[j + 1] - coarse)) + rounding
            for j, coarse in enumerate(last)
        ]
        if doubts:
            best = int(np.argmin(doubts))
            rows.append((row[best + 1], doubts[best]))
        last = row
    errors = [
        max([error, *(abs(value - finer) - its for finer, its in rows[i + 1 :])])
        for i, (value, error) in enumerate(rows)
    ]
    winner = int(np.argmin(errors))
    return rows[winner][0], errors[winner]
