"""A model's chosen parameters as one vector of free numbers, and back."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from tripartite.core import ParameterInfo, parameters_of, part_name
from tripartite.core.arguments import checked
from tripartite.core.errors import is_concrete
from tripartite.fit.constraints import AbstractConstraint, Free, Positive

Where = Callable[[Any], Any] | None
Constraints = Any


class Picked(NamedTuple):
    """One array of a model: its number among the leaves, name, unit and constraint."""

    leaf: int
    name: str
    unit: str
    constraint: AbstractConstraint


@dataclasses.dataclass(frozen=True, eq=False)
class Packing:
    """Between a model and a vector of free numbers; made by `pack`.

    **Arguments:** `model`, the reference, at which all free numbers are 0; `picked`, what is free.
    """

    model: Any
    picked: tuple[Picked, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of what is packed, in the order of the vector."""
        return tuple(one.name for one in self.picked)

    def references(self) -> tuple[Array, ...]:
        """The reference's values, in the same order."""
        leaves = jax.tree.leaves(self.model)
        return tuple(leaves[one.leaf] for one in self.picked)

    def split(self, z: Array) -> list[Array]:
        """The vector in pieces, one for each parameter, in its free shape."""
        shapes = [
            one.constraint.free_shape(jnp.shape(x))
            for one, x in zip(self.picked, self.references(), strict=True)
        ]
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
        pieces = jnp.split(z, ends[:-1])
        return [piece.reshape(shape) for piece, shape in zip(pieces, shapes, strict=True)]

    def values(self, z: Float[Array, " n"]) -> dict[str, Array]:
        """The values, by name."""
        rows = zip(self.picked, self.split(z), self.references(), strict=True)
        return {one.name: one.constraint.constrained(piece, x) for one, piece, x in rows}

    def each_values(self, z: Float[Array, "s n"]) -> dict[str, Array]:
        """The values of several vectors, by name, each with their axis first."""
        found = jax.vmap(self.values)(z)
        # A mapped dictionary comes back sorted.
        return {name: found[name] for name in self.names}

    def unpack(self, z: Float[Array, " n"]) -> Any:
        """The model with the values at `z`: at `z = 0` the reference, to the last bit."""
        values = self.values(z)
        leaves, structure = jax.tree.flatten(self.model)
        for one in self.picked:
            leaves[one.leaf] = values[one.name]
        return jax.tree.unflatten(structure, leaves)

    def pack(self, model: Any) -> Float[Array, " n"]:
        """The free numbers of another model of the same structure, to rounding.

        **Raises:** `ValueError` if its structure is another, it breaks a constraint, or a sign is
        not the reference's.
        """
        if jax.tree.structure(model) != jax.tree.structure(self.model):
            raise ValueError(
                "the model to pack has another structure than the reference: pack it by itself."
            )
        leaves = jax.tree.leaves(model)
        values = [leaves[one.leaf] for one in self.picked]
        pieces = []
        for one, value, reference in zip(self.picked, values, self.references(), strict=True):
            _check_obeys(one, value)
            pieces.append(jnp.ravel(one.constraint.free(value, reference)))
            if is_concrete(pieces[-1]) and not np.all(np.isfinite(np.asarray(pieces[-1]))):
                raise ValueError(
                    f"{one.name} = {value} cannot be reached from the reference {reference} under "
                    f"{type(one.constraint).__name__}: it has another sign."
                )
        return jnp.concatenate(pieces)

    def zero(self) -> Float[Array, " n"]:
        """The free numbers of the reference."""
        rows = zip(self.picked, self.references(), strict=True)
        size = sum(int(np.prod(one.constraint.free_shape(jnp.shape(x)))) for one, x in rows)
        return jnp.zeros(size, self.references()[0].dtype)

    def draw(self, key: PRNGKeyArray) -> Float[Array, " n"]:
        """Random free numbers, each parameter drawn as its constraint says."""
        keys = jax.random.split(key, len(self.picked))
        rows = zip(self.picked, keys, self.references(), strict=True)
        drawn = [(one, one.constraint.draw(k, x), x) for one, k, x in rows]
        return jnp.concatenate([jnp.ravel(one.constraint.free(v, x)) for one, v, x in drawn])

    def begins(
        self, starts: int | Sequence[Any] | None, key: PRNGKeyArray | None
    ) -> Float[Array, "s n"] | None:
        """The free numbers of random starts, or of models to start from; `None` for none of these.

        **Raises:** `ValueError` for no start, a key that is missing or of no use, and as `pack`.
        """
        if starts is None:
            return None
        if not isinstance(starts, int):
            if len(starts) == 0:
                raise ValueError("starts must hold at least one model, got none.")
            return jnp.stack([self.pack(model) for model in starts])
        if starts < 1:
            raise ValueError(f"starts must be at least 1, got {starts}.")
        if key is None:
            raise ValueError("random starts need a key: pass key=jax.random.key(0).")
        return jnp.stack([self.draw(one) for one in jax.random.split(key, starts)])

    def log_volume(self, z: Float[Array, " n"]) -> Array:
        """log |d values / d z|, a scalar."""
        rows = zip(self.picked, self.values(z).values(), self.references(), strict=True)
        return jnp.sum(jnp.stack([one.constraint.log_volume(v, x) for one, v, x in rows]))

    def labels(self) -> list[str]:
        """A name for each number of the vector."""
        found = []
        for one, piece in zip(self.picked, self.split(self.zero()), strict=True):
            each = [f"{one.name}[{i}]" for i in range(piece.size)]
            found += each if piece.ndim else [one.name]
        return found


@checked
def pack(model: Any, where: Where = None, constraints: Constraints = None) -> Packing:
    """Picks parameters of a model, as free numbers around the values they have.

    **Arguments:**

    - `model`: any tree with floating-point arrays.
    - `where`: picks arrays, as in `equinox.tree_at`: `lambda cell: (cell.capacitance,
        cell.channels[0].conductance)`. By default every parameter that is trainable.
    - `constraints`: one `AbstractConstraint` for all; a dictionary from a parameter's name to its
        own, where a name may leave out what goes before a dot (`"capacitance"`,
        `"leak.reversal"`); or a tree of them in the structure of what `where` returns. A parameter
        that is declared positive is `Positive()` unless another is named; the rest are `Free()`.

    **Raises:** `ValueError` if `where` picks nothing, or what is no floating-point array, or one
    array twice; for a constraint of a name that is not picked, or of several; and for a value that
    breaks its constraint.
    """
    paths = jax.tree_util.tree_leaves_with_path(model)
    chosen = _chosen(model, paths, where)
    names = [part_name(model, paths[i][0]) or "the model" for i in chosen]
    infos = [_info(model, paths[i][0]) for i in chosen]
    given = _given(model, constraints, where, names)
    picked = []
    for i, name, info, constraint in zip(chosen, names, infos, given, strict=True):
        if constraint is None:
            constraint = Positive() if info is not None and info.positive else Free()
        one = Picked(i, name, "1" if info is None else info.unit, constraint)
        _check_obeys(one, paths[i][1])
        picked.append(one)
    dtypes = sorted({str(paths[one.leaf][1].dtype) for one in picked})
    if len(dtypes) > 1:
        raise ValueError(
            f"the parameters must have one dtype, got {' and '.join(dtypes)}: cast the model with "
            "tripartite.astype."
        )
    return Packing(model, tuple(picked))


def _chosen(model: Any, paths: list[Any], where: Where) -> list[int]:
    """The numbers of the leaves that `where` picks."""
    if where is None:
        infos = [_info(model, path) for path, _ in paths]
        chosen = [
            i
            for i, (info, (_, leaf)) in enumerate(zip(infos, paths, strict=True))
            if eqx.is_inexact_array(leaf) and (info is None or info.trainable)
        ]
    else:
        chosen = [one.leaf for one in jax.tree.leaves(_places(model, where))]
    if not chosen:
        raise ValueError(
            "where picks nothing: name floating-point parameters of the model, for example "
            "lambda cell: cell.capacitance."
        )
    for i in chosen:
        if not eqx.is_inexact_array(paths[i][1]):
            kind = getattr(paths[i][1], "dtype", type(paths[i][1]).__name__)
            raise ValueError(
                f"{part_name(model, paths[i][0])} is no floating-point array ({kind}) and cannot "
                "be fitted: pick others in where."
            )
    twice = {i for i in chosen if chosen.count(i) > 1}
    if twice:
        name = part_name(model, paths[min(twice)][0])
        raise ValueError(f"where picks {name} twice: name each parameter once.")
    return chosen


@dataclasses.dataclass(frozen=True)
class _Place:
    """Stands for a leaf of the model, with which nothing can be computed."""

    leaf: int


def _places(model: Any, where: Callable[[Any], Any]) -> Any:
    """What `where` picks, a `_Place` for each array."""
    leaves, structure = jax.tree.flatten(model)
    wrong = (
        "where must pick whole arrays of the model, not compute from them: for example "
        "lambda cell: (cell.capacitance, cell.channels[0].conductance)."
    )
    try:
        found = where(jax.tree.unflatten(structure, map(_Place, range(len(leaves)))))
    except TypeError as error:
        raise ValueError(f"{wrong} ({error})") from error
    if not all(isinstance(one, _Place) for one in jax.tree.leaves(found)):
        raise ValueError(wrong)
    return found


def _info(model: Any, path: tuple[Any, ...]) -> ParameterInfo | None:
    """What the field that holds a leaf was declared as."""
    found, here = None, model
    for key in path:
        if not isinstance(key, jax.tree_util.GetAttrKey):
            here = _step(here, key)
            continue
        if isinstance(here, eqx.Module):
            infos = {name: info for name, info, _ in parameters_of(here)}
            found = infos.get(key.name, found)
        here = getattr(here, key.name)
    return found


def _step(here: Any, key: Any) -> Any:
    if isinstance(key, jax.tree_util.SequenceKey):
        return here[key.idx]
    return here[key.key] if isinstance(key, jax.tree_util.DictKey) else here


def _given(
    model: Any, constraints: Constraints, where: Where, names: list[str]
) -> list[AbstractConstraint | None]:
    """The constraint that was asked for, of each parameter."""
    if constraints is None or isinstance(constraints, AbstractConstraint):
        return [constraints] * len(names)
    if isinstance(constraints, dict):
        return _by_name(constraints, names)
    if where is None:
        raise ValueError(
            "constraints without where must be one constraint or a dictionary by name, got "
            f"{type(constraints).__name__}."
        )
    shape = jax.tree.structure(_places(model, where))
    found, structure = jax.tree.flatten(
        constraints, is_leaf=lambda x: isinstance(x, AbstractConstraint)
    )
    if structure != shape or not all(isinstance(x, AbstractConstraint) for x in found):
        raise ValueError(
            f"constraints must have the structure of what where picks, {shape}, with a constraint "
            f"at each place, got {constraints!r}."
        )
    return found


def _by_name(constraints: dict[str, Any], names: list[str]) -> list[AbstractConstraint | None]:
    found: list[AbstractConstraint | None] = [None] * len(names)
    for short, constraint in constraints.items():
        if not isinstance(constraint, AbstractConstraint):
            raise ValueError(
                f"the constraint of {short!r} must be one of fit.Positive, Interval, Simplex, Sign "
                f"or Free, got {constraint!r}."
            )
        meant = [i for i, name in enumerate(names) if f".{name}".endswith(f".{short}")]
        if len(meant) != 1:
            known = ", ".join(names)
            kind = "names none of" if not meant else f"names {len(meant)} of"
            raise ValueError(f"the constraint {short!r} {kind} the parameters picked: {known}.")
        found[meant[0]] = constraint
    return found


def _check_obeys(one: Picked, value: Any) -> None:
    if not is_concrete(value):
        return
    wrong = one.constraint.broken(np.asarray(value))
    if wrong is not None:
        raise ValueError(
            f"{one.name} {wrong}, as {type(one.constraint).__name__} says, got {value} {one.unit}: "
            "start from a value that obeys, or constrain it otherwise."
        )
