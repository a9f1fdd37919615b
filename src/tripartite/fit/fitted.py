"""What a fit returns and what it tells on the way."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array


class Fitted(NamedTuple):
    """What a fit found.

    - `model`: that of the least loss; `loss`: that loss; `values`: its parameters, by name.
    - `losses`: `[steps]`, or `[steps, starts]`: each step's, before it.
    - `steps`: how many were taken; `why` it stopped: `"steps"`, `"patience"`, `"target"` or
        `"callback"`.
    - `every`, `every_loss`: the same of each start, with a leading axis of starts (of one for a fit
        from the model's own values); a start that failed has the loss infinity.
    """

    model: Any
    loss: float
    values: dict[str, Array]
    losses: np.ndarray
    steps: int
    why: str
    every: dict[str, Array]
    every_loss: np.ndarray


class Progress(NamedTuple):
    """What a callback is given after a step.

    `step`, counted from 1; `loss`, what it saw before it moved; `best`, the least so far; `values`,
    the parameters by name after it. Of several starts `loss`, `best` and `values` have their axis.
    """

    step: int
    loss: np.ndarray
    best: np.ndarray
    values: dict[str, Array]
