"""Exponential solvers, the fixed-step loop, and the terms that connect a model to diffrax."""

from tripartite.solvers.exponential import (
    AbstractExponential,
    AllAtOnceExponential,
    SequentialExponential,
    SymmetricExponential,
)
from tripartite.solvers.fixed_steps import FixedSteps
from tripartite.solvers.jumping import Jumping
from tripartite.solvers.noisy import Noisy
from tripartite.solvers.runge_kutta import ClassicalRK4
from tripartite.solvers.terms import ExactStep, RelaxationTerm, term_for

__all__ = [
    "AbstractExponential",
    "AllAtOnceExponential",
    "ClassicalRK4",
    "ExactStep",
    "FixedSteps",
    "Jumping",
    "Noisy",
    "RelaxationTerm",
    "SequentialExponential",
    "SymmetricExponential",
    "term_for",
]
