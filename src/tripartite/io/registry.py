"""The names that a saved model may use: a fixed table, and the classes that the user declares."""

import dataclasses
import functools
import inspect
import sys
import types
from collections.abc import Iterable, Mapping
from typing import Any

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import optax

from tripartite import (
    analysis,
    astrocytes,
    attention,
    cells,
    channels,
    core,
    layers,
    memory,
    networks,
    solvers,
    stimuli,
    synapses,
)

Declared = Iterable[Any] | Mapping[str, Any]

# A file's names are looked up here and nowhere else: nothing is imported because a file says so.
_OURS = (
    analysis,
    astrocytes,
    attention,
    cells,
    channels,
    core,
    layers,
    memory,
    networks,
    solvers,
    stimuli,
    synapses,
)
_FOREIGN = {"equinox.nn": eqx.nn, "diffrax": diffrax, "optax": optax}
# Functions of numbers to numbers: what a field of a model may hold as its nonlinearity.
_NUMPY = (
    *("abs", "sign", "square", "sqrt", "exp", "expm1", "log", "log1p", "sin", "cos", "tan"),
    *("sinh", "cosh", "tanh", "arctan", "arcsinh", "maximum", "minimum", "logaddexp"),
)


def is_record(x: Any) -> bool:
    """Whether a class has fields that a file can keep: a module, a NamedTuple or a dataclass."""
    return isinstance(x, type) and (dataclasses.is_dataclass(x) or is_named_tuple(x))


def is_named_tuple(x: Any) -> bool:
    """Whether it is a class made by `NamedTuple`."""
    return isinstance(x, type) and issubclass(x, tuple) and "_fields" in vars(x)


def named_values(x: Any) -> dict[str, Any]:
    """The fields of an instance of a class made by `NamedTuple`."""
    return dict(zip(type(x)._fields, x, strict=True))


@functools.cache
def known() -> Mapping[str, Any]:
    """Every class and function that a file may name without being declared, by its name.

    A public name, such as `tripartite.cells.HodgkinHuxley`, or where there is none the module
    where a class stands.
    """
    table: dict[str, Any] = {}
    public: dict[int, str] = {}
    for package in _OURS:
        for name in package.__all__ if "__all__" in vars(package) else vars(package):
            public.setdefault(id(vars(package)[name]), f"{package.__name__}.{name}")
        for module in _modules(package):
            for name, found in vars(module).items():
                named = public.get(id(found))
                own = getattr(found, "__module__", None) == module.__name__
                if own and is_record(found):
                    table[named or f"{module.__name__}.{name}"] = found
                elif named and isinstance(found, types.FunctionType):
                    table[named] = found
    for prefix, module in _FOREIGN.items():
        table |= {f"{prefix}.{name}": x for name, x in vars(module).items() if is_record(x)}
    for name, found in vars(jax.nn).items():
        if callable(found) and not isinstance(found, type):
            table[f"jax.nn.{name}"] = found
    table |= {f"jax.numpy.{name}": vars(jnp)[name] for name in _NUMPY}
    # What a perceptron of Equinox ends with by default has no public name.
    ending = inspect.signature(eqx.nn.MLP.__init__).parameters["final_activation"].default
    table["equinox.nn.MLP.final_activation"] = ending
    return types.MappingProxyType(table)


@functools.cache
def _names() -> Mapping[int, str]:
    return types.MappingProxyType(
        {id(found): name for name, found in reversed(list(known().items()))}
    )


def _modules(package: types.ModuleType) -> list[types.ModuleType]:
    """A package and its modules, all of which it has imported."""
    inside = f"{package.__name__}."
    return [
        package,
        *(sys.modules[name] for name in sorted(sys.modules) if name.startswith(inside)),
    ]


def name_of(x: Any) -> str:
    """The name under which a class or a function is saved: a user's own goes without its module."""
    return _names().get(id(x)) or getattr(x, "__name__", "")


def declared(classes: Declared) -> dict[str, Any]:
    """The user's classes and functions, by the names that files use for them.

    **Raises:** `ValueError` for what is neither, or for two of one name.
    """
    table: dict[str, Any] = {}
    pairs: list[tuple[Any, Any]]
    if isinstance(classes, Mapping):
        pairs = list(classes.items())
    else:
        pairs = [(getattr(x, "__name__", ""), x) for x in classes]
    for name, found in pairs:
        if not is_record(found) and not isinstance(found, types.FunctionType):
            raise ValueError(
                f"classes must hold modules, NamedTuples, dataclasses or functions, got {found!r}: "
                "give the classes of the saved model that are not of this library."
            )
        if table.setdefault(name, found) is not found:
            raise ValueError(
                f"two of classes are called {name!r}: give a dictionary from the name in the file "
                "to the class."
            )
    return table
