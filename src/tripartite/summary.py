"""A table of what a model is made of."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.core
import numpy as np

from tripartite.core import AbstractDynamics, ParameterInfo, parameters_of, prefix_leaves
from tripartite.core.arguments import checked


def walk_parameters(
    tree: Any, path: str = "", source: str = ""
) -> Iterator[tuple[str, ParameterInfo, Any]]:
    """Yields `(path, info, value)` for every declared parameter of a model and its parts.

    A parameter that names no source of its own has that of the part it belongs to (its `source`).
    """
    if isinstance(tree, eqx.Module):
        # A part may have a field of that name which is no citation (an astrocyte's IP3 source).
        named = getattr(tree, "source", "")
        source = named if isinstance(named, str) and named else source
        declared = set()
        for name, info, value in parameters_of(tree):
            declared.add(name)
            yield f"{path}{name}", dataclasses.replace(info, source=info.source or source), value
        for field in dataclasses.fields(tree):
            if field.name not in declared:
                value = getattr(tree, field.name)
                label = getattr(value, "name", None)
                yield from walk_parameters(value, f"{path}{label or field.name}.", source)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield from walk_parameters(value, f"{path}{key}.", source)
    elif isinstance(tree, tuple | list):
        for index, value in enumerate(tree):
            label = getattr(value, "name", index)
            yield from walk_parameters(value, f"{path}{label}.", source)


@checked
def summary(model: AbstractDynamics) -> str:
    """A table of parameters (value, unit, source, trainable) and of states (start, unit, block).

    **Arguments:** `model`: any dynamics of this library or of your own.

    **Returns:** text; print it.

    **Raises:** `ValueError` if `model` is not a dynamics.
    """
    rows = [("parameter", "value", "unit", "trainable", "source")]
    for path, info, value in walk_parameters(model):
        rows.append(
            (path, _value(value), info.unit, "yes" if info.trainable else "no", info.source)
        )
    y = model.init()
    leaves = jax.tree_util.tree_leaves_with_path(y)
    units = model.units()
    spread = ("?",) * len(leaves) if units is None else prefix_leaves(units, y)
    blocks = prefix_leaves(model.blocks(), y)
    states = [("state", "start", "unit", "block", "dtype")]
    for (path, leaf), unit, block in zip(leaves, spread, blocks, strict=True):
        name = jax.tree_util.keystr(path, simple=True, separator=".") or "y"
        order = "held" if block is None else str(block)
        states.append((name, _value(leaf), unit, order, str(leaf.dtype)))
    return "\n".join([type(model).__name__, "", *_table(rows), "", *_table(states)])


def _value(value: Any) -> str:
    if isinstance(value, jax.Array | np.ndarray) and not isinstance(value, jax.core.Tracer):
        if value.ndim == 0:
            return f"{float(value):.6g}"
        low, high = float(np.min(value)), float(np.max(value))
        return f"{low:.6g} to {high:.6g}, shape {list(value.shape)}"
    return type(value).__name__


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]
