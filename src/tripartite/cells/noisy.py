"""Any conductance cell with noise: of its channels, or of its current."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from jaxtyping import Array

from tripartite import channels as ch
from tripartite.cells.conductance import ConductanceCell
from tripartite.cells.current_noise import CurrentNoise
from tripartite.core.arguments import require


def with_channel_noise(
    cell: ConductanceCell,
    counts: Mapping[str, float | Array],
    *,
    kind: Callable[[Any, Any], ch.AbstractNoisyChannel] = ch.MarkovChannel,
) -> ConductanceCell:
    """The cell with a finite number of some of its channels, which it then needs a key to solve.

    The maximal conductance stays: with twice the count, each channel is half as large.

    **Arguments:**

    - `counts`: the name of a channel to the number of them in the patch that the cell is.
    - `kind`: `channels.MarkovChannel`, or the inexact `channels.GateNoiseChannel`.

    **Raises:** `ValueError` for a name that is not a channel of the cell, no name at all, a count
    that is not positive, or a channel that `kind` cannot take apart.
    """
    require("cell", cell, ConductanceCell)
    require("counts", counts, Mapping)
    if not callable(kind):
        raise ValueError(f"kind must be a class of noisy channel, got {kind!r}.")
    names = [channel.name for channel in cell.channels]
    if not counts or set(counts) - set(names):
        raise ValueError(
            f"counts must name channels of the cell, which are {names}, got {sorted(counts)}: for "
            f"example {{{names[0]!r}: 6000.0}}."
        )
    noisy = tuple(
        kind(channel, counts[channel.name]) if channel.name in counts else channel
        for channel in cell.channels
    )
    return dataclasses.replace(cell, channels=noisy)


def with_current_noise(cell: ConductanceCell, intensity: float | Array) -> ConductanceCell:
    """The cell with a white noise current, which it then needs a key to solve.

    **Arguments:** `intensity` in uA2 ms/cm4 (or pA2 ms), as in `CurrentNoise`.

    **Raises:** `ValueError` if the intensity is not positive.
    """
    require("cell", cell, ConductanceCell)
    return dataclasses.replace(cell, noise=CurrentNoise(intensity))
