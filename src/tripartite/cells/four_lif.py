"""Hodgkin-Huxley's four time-varying integrators."""

from typing import Any

from tripartite.cells.hodgkin_huxley import HodgkinHuxley
from tripartite.cells.tvlif import TVLIF, DerivativeTVLIF


def four_lif(form: str = "share", **hodgkin_huxley: Any) -> TVLIF | DerivativeTVLIF:
    """The Hodgkin-Huxley cell as four time-varying leaky integrate-and-fire units.

    Sodium, potassium, leak, and one more: in the share form the unit of the stimulus, in the
    paper's form the summing unit. Given the gates, the four units' voltage equals the cell's.

    **Arguments:** `form`: `"share"` or `"derivative"` (the paper's); the rest as `HodgkinHuxley`.

    **Raises:** `ValueError` for another form.
    """
    if form not in ("share", "derivative"):
        raise ValueError(f'form must be "share" or "derivative", got {form!r}.')
    cell = HodgkinHuxley(**hodgkin_huxley)
    return TVLIF(cell) if form == "share" else DerivativeTVLIF(cell)
