"""Figures (the `plots` extra). Each function returns what it drew on and shows nothing."""

from tripartite.plots.channel import channel
from tripartite.plots.graph import network_graph
from tripartite.plots.planes import f_i_curve, phase_plane
from tripartite.plots.theorems import (
    calcium_to_attention,
    draw_all,
    error_by_features,
    hh_over_units,
    unit_contributions,
)
from tripartite.plots.traces import (
    calcium_raster,
    gates,
    raster,
    stimulus,
    trace,
    voltage_and_stimulus,
)
from tripartite.plots.verdicts import attention_maps, certificate, work_precision

__all__ = [
    "attention_maps",
    "calcium_raster",
    "calcium_to_attention",
    "certificate",
    "channel",
    "draw_all",
    "error_by_features",
    "f_i_curve",
    "gates",
    "hh_over_units",
    "network_graph",
    "phase_plane",
    "raster",
    "stimulus",
    "trace",
    "unit_contributions",
    "voltage_and_stimulus",
    "work_precision",
]
