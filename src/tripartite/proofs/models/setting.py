"""One solve, as the checks need it."""

from typing import Any

from tripartite import simulate


def record_of(model: Any, stimulus: Any, **settings: Any) -> Any:
    """The record of a solve that calls nothing back, so that a second run finds it compiled."""
    found: Any = simulate(model, stimulus, throw=False, **settings)
    return found.ys
