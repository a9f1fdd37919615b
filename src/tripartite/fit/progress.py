"""A line on a terminal that says how far a fit has come."""

import sys
import time
from typing import TextIO

from tripartite.core.progress import is_shown


class ProgressLine:
    """Rewrites one line: steps, loss, the best so far, steps a second and the time left.

    Silent unless it is wanted: `show=None` shows it on a terminal and nowhere else. On anything
    but a terminal a line is written at the end alone.
    """

    def __init__(self, steps: int, show: bool | None, stream: TextIO | None = None) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.live = self.stream.isatty()
        self.shown = is_shown(None, self.stream) if show is None else show
        self.steps, self.first = steps, None
        self.begun = self.written = time.perf_counter()
        self.longest = 0

    def update(self, step: int, loss: float, best: float) -> None:
        """After a step; written ten times a second at most."""
        now = time.perf_counter()
        if self.first is None:
            # The first step compiles: speed is of those after it.
            self.first, self.begun = step, now
        if self.shown and self.live and now - self.written > 0.1:
            self.written = now
            self._write("\r" + self.text(step, loss, best, now))

    def close(self, step: int, loss: float, best: float, why: str) -> None:
        """The last line."""
        if self.shown:
            start = "\r" if self.live else ""
            line = f"{self.text(step, loss, best, time.perf_counter())}, {why}"
            self._write(f"{start}{line}\n")

    def text(self, step: int, loss: float, best: float, now: float) -> str:
        """The line at a time."""
        done = step - (step if self.first is None else self.first)
        speed = done / (now - self.begun) if done and now > self.begun else 0.0
        line = f"fit: step {step}/{self.steps}, loss {loss:.4g}, best {best:.4g}"
        if speed > 0:
            line += f", {speed:.3g} steps/s, {(self.steps - step) / speed:.0f} s left"
        padded = line.ljust(self.longest)
        self.longest = len(line)
        return padded if self.live else line

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()
