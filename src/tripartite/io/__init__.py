"""Saved work: models in one file, bit for bit; solutions as datasets, NetCDF and NWB files."""

from tripartite.io.datasets import from_xarray, load_solution, save_solution, to_xarray
from tripartite.io.models import load, save
from tripartite.io.nwb import save_nwb

__all__ = [
    "from_xarray",
    "load",
    "load_solution",
    "save",
    "save_nwb",
    "save_solution",
    "to_xarray",
]
