"""Fits of models to recordings: constraints, losses, descent with checkpoints, least squares."""

from tripartite.fit.checkpoints import Checkpoint, read_checkpoint
from tripartite.fit.constraints import (
    AbstractConstraint,
    Free,
    Interval,
    Positive,
    Sign,
    Simplex,
)
from tripartite.fit.failure import FitError
from tripartite.fit.features import (
    Features,
    crossing_times,
    feature_distance,
    features,
    spike_count,
)
from tripartite.fit.fitted import Fitted, Progress
from tripartite.fit.least_squares import least_squares
from tripartite.fit.packing import Packing, pack
from tripartite.fit.posterior import LogDensity, log_density
from tripartite.fit.protocols import CurrentClamp, VoltageClamp
from tripartite.fit.soft_dtw import soft_dtw
from tripartite.fit.spike_trains import van_rossum, victor_purpura
from tripartite.fit.traces import mean_square, negative_log_likelihood, residuals
from tripartite.fit.training import fit

__all__ = [
    "AbstractConstraint",
    "Checkpoint",
    "CurrentClamp",
    "Features",
    "FitError",
    "Fitted",
    "Free",
    "Interval",
    "LogDensity",
    "Packing",
    "Positive",
    "Progress",
    "Sign",
    "Simplex",
    "VoltageClamp",
    "crossing_times",
    "feature_distance",
    "features",
    "fit",
    "least_squares",
    "log_density",
    "mean_square",
    "negative_log_likelihood",
    "pack",
    "read_checkpoint",
    "residuals",
    "soft_dtw",
    "spike_count",
    "van_rossum",
    "victor_purpura",
]
