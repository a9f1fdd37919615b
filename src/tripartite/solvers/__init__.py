"""Exponential solvers, the fixed-step loop, and the terms that connect a model to diffrax."""

from tripartite.solvers.at_events import (
    AtEvents,
    Course,
    EventController,
    padded_field,
    scanned,
    spikes_of,
)
from tripartite.solvers.exponential import (
    AbstractExponential,
    AllAtOnceExponential,
    Products,
    SequentialExponential,
    SymmetricExponential,
    products_reached,
    without_idle_midpoint,
)
from tripartite.solvers.fixed_steps import GRADIENTS, FixedSteps
from tripartite.solvers.flows import AbstractFlow, CrankNicolson, Exponential, Pade, flows_of
from tripartite.solvers.jumping import Jumping
from tripartite.solvers.linearised import is_mapped
from tripartite.solvers.noisy import Noisy
from tripartite.solvers.runge_kutta import ClassicalRK4
from tripartite.solvers.terms import ExactStep, RelaxationTerm, term_for

__all__ = [
    "GRADIENTS",
    "AbstractExponential",
    "AbstractFlow",
    "AllAtOnceExponential",
    "AtEvents",
    "ClassicalRK4",
    "Course",
    "CrankNicolson",
    "EventController",
    "ExactStep",
    "Exponential",
    "FixedSteps",
    "Jumping",
    "Noisy",
    "Pade",
    "Products",
    "RelaxationTerm",
    "SequentialExponential",
    "SymmetricExponential",
    "flows_of",
    "is_mapped",
    "padded_field",
    "products_reached",
    "scanned",
    "spikes_of",
    "term_for",
    "without_idle_midpoint",
]
