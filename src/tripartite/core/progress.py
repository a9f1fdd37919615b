"""A line on a terminal that says what is being done and for how long, once it takes a while."""

import functools
import os
import sys
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, ParamSpec, TextIO, TypeVar

# Seconds before the line is first written, and between two of its writings.
AFTER, EVERY = 2.0, 0.5
# Of two that are at work at once, the outer one has the line.
_taken: ContextVar[bool] = ContextVar("taken", default=False)
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def is_shown(show: bool | None, stream: TextIO | None) -> bool:
    """Whether to write progress: on terminals alone, where it is not switched off.

    `False` switches it off; for `None`, so does the environment variable `TRIPARTITE_PROGRESS=0`.
    """
    if show is None:
        show = os.environ.get("TRIPARTITE_PROGRESS", "") != "0"
    return bool(show) and stream is not None and stream.isatty()


class Waiting:
    """While its `with` block runs longer than two seconds, a line of what it does and how long.

    The line is on `stream` (standard error) and is cleared at the end. A thread rewrites it, so
    that it changes nothing of what is computed.
    """

    def __init__(
        self,
        what: str,
        show: bool | None = None,
        *,
        stream: TextIO | None = None,
    ) -> None:
        self.stream = sys.stderr if stream is None else stream
        self.shown = is_shown(show, self.stream) and not _taken.get()
        self.what, self.begun, self.length = what, time.perf_counter(), 0
        self.lock, self.over = threading.Lock(), threading.Event()
        self.thread = threading.Thread(target=self._rewrite, daemon=True)

    def __enter__(self) -> "Waiting":
        if self.shown:
            self.token = _taken.set(True)
            self.thread.start()
        return self

    def __exit__(self, *raised: Any) -> None:
        if self.shown:
            self.over.set()
            self.thread.join()
            _taken.reset(self.token)
            self._clear()

    def say(self, what: str) -> None:
        """Another text for the same wait."""
        self.what = what

    def again(self, what: str) -> None:
        """The wait for something else, from now on; clears the line, so that others may print."""
        with self.lock:
            self.what, self.begun = what, time.perf_counter()
            self._clear()

    def _rewrite(self) -> None:
        while not self.over.wait(EVERY):
            with self.lock:
                seconds = time.perf_counter() - self.begun
                if seconds >= AFTER:
                    line = f"{self.what}, {seconds:.0f} s"
                    self._write(f"\r{line.ljust(self.length)}")
                    self.length = len(line)

    def _clear(self) -> None:
        if self.length:
            self._write(f"\r{' ' * self.length}\r")
            self.length = 0

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def shown_while(
    what: str,
) -> Callable[[Callable[_Arguments, _Result]], Callable[_Arguments, _Result]]:
    """A decorator: `what`, and how long, on a terminal while the function takes its time."""

    def decorate(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
        @functools.wraps(function)
        def waited(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            with Waiting(what):
                return function(*args, **kwargs)

        return waited

    return decorate
