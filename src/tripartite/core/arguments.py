"""What an argument has to be, by its annotation: one check for every function and every field."""

import dataclasses
import functools
import inspect
import math
import os
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin

import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import AbstractArray, PRNGKeyArray, PyTree

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_UNIONS = (types.UnionType, Union)
_SHOWN = 200
_WORDS: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    type(None): "None",
    Mapping: "a dictionary",
    dict: "a dictionary",
    Callable: "a function",
    Sequence: "a list or a tuple",
    Iterable: "a list or a tuple",
    os.PathLike: "a path",
}

# Where such a thing comes from; by name, as these classes are defined on top of this.
_COMES_FROM = {
    "AbstractDynamics": "an AbstractDynamics, such as cells.HodgkinHuxley()",
    "AbstractEncoder": "an AbstractEncoder, such as attention.load_bert returns",
    "AbstractFeatureMap": "an AbstractFeatureMap, such as attention.EluPlusOne()",
    "AbstractFlow": "one of solvers.Exponential(), Pade() and CrankNicolson()",
    "AbstractStimulus": "an AbstractStimulus, such as stimuli.Step(10.0)",
    "Edges": "networks.Edges, such as networks.all_to_all(2, 2)",
    "GapJunctions": "GapJunctions, such as networks.gap_junctions(edges)",
    "Mesh": "a Mesh, such as scale.mesh()",
    "Solution": "a Solution, such as simulate returns",
}


def checked(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """A decorator: each argument has to be what the function's annotation says.

    Kinds are looked at, and whether a number is one; what is traced passes for a number or for an
    array. What no annotation can say, such as a sign, is left to the function.

    **Raises:** `ValueError` that names the argument, what it must be and what was given.
    """
    known = inspect.signature(function)
    kinds = {
        name: parameter.annotation
        for name, parameter in known.parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
        and parameter.annotation is not parameter.empty
    }

    @functools.wraps(function)
    def called(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        try:
            given = known.bind(*args, **kwargs).arguments
        except TypeError:
            # Python's own words say which argument is missing, or one too many.
            return function(*args, **kwargs)
        for name, value in given.items():
            if name in kinds and not _is_default(value, known.parameters[name].default):
                require(name, value, kinds[name])
        return function(*args, **kwargs)

    return called


def require(name: str, value: Any, kind: Any) -> None:
    """**Raises:** `ValueError` if a value is not what an annotation says."""
    if not fits(value, kind):
        given = repr(value)
        given = given if len(given) <= _SHOWN else f"{given[:_SHOWN]}..."
        raise ValueError(f"{name} must be {in_words(kind)}, got {given}.")


def require_fields(module: Any, *, numbers: bool = True) -> None:
    """What a dataclass, such as a module, is made of has to be what its fields are declared to be.

    **Arguments:** `numbers=False` passes over fields of numbers and arrays.

    **Raises:** `ValueError` if it is not.
    """
    for field in dataclasses.fields(module):
        value = getattr(module, field.name)
        told = numbers or not _is_of_numbers(field.type)
        if told and not _is_default(value, field.default):
            require(f"{type(module).__name__}.{field.name}", value, field.type)


def _is_of_numbers(kind: Any) -> bool:
    """Whether an annotation allows a number, or an array or a tree of them."""
    kinds = get_args(kind) if get_origin(kind) in _UNIONS else (kind,)
    numbers = jax.Array | AbstractArray | PyTree
    return any(x is float or (isinstance(x, type) and issubclass(x, numbers)) for x in kinds)


def _is_default(value: Any, default: Any) -> bool:
    """Whether it is the default, which may be an infinity."""
    return value is default or (type(value) is type(default) is float and value == default)


def fits(value: Any, kind: Any) -> bool:
    """Whether a value is what an annotation says, as far as that can be told here."""
    if isinstance(kind, str):
        return _is_called(value, kind)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in _UNIONS:
        return _fits_union(value, inner)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if kind is bool:
        return isinstance(value, bool | np.bool_)
    if kind is int:
        return isinstance(value, int | np.integer) and not isinstance(value, bool)
    if kind is float:
        return _is_number(value)
    plain = origin or kind
    if not isinstance(plain, type) or plain is Any or getattr(plain, "_is_protocol", False):
        return True
    if issubclass(plain, jax.Array | AbstractArray | np.ndarray):
        return _is_array(value)
    if issubclass(plain, PyTree):
        return _fits_tree(value, kind)
    if plain in (Sequence, Iterable):
        if isinstance(value, jax.Array | np.ndarray):
            return value.ndim > 0 and inner in ((int,), (float,)) and _is_array(value)
        if isinstance(value, str):
            return False
    return isinstance(value, plain) and _elements_fit(value, plain, inner)


def _is_called(value: Any, kind: str) -> bool:
    """Of an annotation that is a text, as it is of a package that may not be there: by name."""
    names = {one.strip().rpartition(".")[2] for one in kind.split("|")}
    own = {base.__name__ for base in type(value).__mro__}
    return not all(map(str.isidentifier, names)) or (
        (value is None and "None" in names) or not names.isdisjoint(own)
    )


def _fits_union(value: Any, kinds: tuple[Any, ...]) -> bool:
    if _DTYPES.issubset(kinds):
        return (value is None and type(None) in kinds) or _is_dtype(value)
    if _KEYS.issubset(kinds):
        return (value is None and type(None) in kinds) or _is_key(value)
    return any(fits(value, one) for one in kinds)


def _elements_fit(value: Any, plain: type, inner: tuple[Any, ...]) -> bool:
    if plain is tuple and inner and inner[-1] is not ...:
        return len(value) == len(inner) and all(map(fits, value, inner))
    if isinstance(value, list | tuple) and inner and plain in (tuple, list, Sequence, Iterable):
        return all(fits(one, inner[0]) for one in value)
    return True


def _fits_tree(value: Any, kind: Any) -> bool:
    leaf: Any = getattr(kind, "leaftype", Any)
    if not isinstance(leaf, type) or leaf is Any:
        return True
    if value is None and leaf is not type(None):
        return False
    leaves = jax.tree.leaves(value, is_leaf=lambda x: isinstance(x, leaf))
    return all(fits(x, leaf) for x in leaves)


def _is_number(value: Any) -> bool:
    if isinstance(value, bool | np.bool_):
        return False
    if isinstance(value, jax.core.Tracer | jax.ShapeDtypeStruct):
        return value.shape == () and _is_real(value.dtype)
    if isinstance(value, jax.Array | np.ndarray | np.generic):
        return value.shape == () and _is_real(value.dtype) and math.isfinite(float(value))
    return isinstance(value, int | float) and math.isfinite(value)


def _is_array(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_array, value))
    if isinstance(value, jax.Array | jax.ShapeDtypeStruct | np.ndarray | np.generic):
        return _is_numeric(value.dtype) or jnp.issubdtype(value.dtype, jax.dtypes.prng_key)
    return isinstance(value, bool | int | float | complex)


def _is_real(dtype: Any) -> bool:
    return _is_numeric(dtype) and not jnp.issubdtype(dtype, np.complexfloating)


def _is_numeric(dtype: Any) -> bool:
    return jnp.issubdtype(dtype, np.number) or dtype == np.bool_


def _is_dtype(value: Any) -> bool:
    try:
        jnp.dtype(value)
    except TypeError:
        return False
    return value is not None


def _is_key(value: Any) -> bool:
    return isinstance(value, jax.Array | np.ndarray | jax.ShapeDtypeStruct) and (
        jnp.issubdtype(value.dtype, jax.dtypes.prng_key) or value.dtype == np.uint32
    )


def in_words(kind: Any) -> str:
    """What an annotation asks for."""
    if isinstance(kind, str):
        return kind.replace(" | ", " or ")
    origin, inner = get_origin(kind), get_args(kind)
    if origin in _UNIONS:
        rest = [one for one in inner if one not in _DTYPES | _KEYS]
        words = [in_words(one) for one in rest]
        words += ["a dtype"] if _DTYPES.issubset(inner) else []
        words += ["a JAX key, such as jax.random.key(0)"] if _KEYS.issubset(inner) else []
        return " or ".join(dict.fromkeys(words))
    if origin is Literal:
        return " or ".join(map(repr, inner))
    plain = origin or kind
    if plain is tuple and inner and inner[-1] is not ...:
        return f"a tuple of {len(inner)}: {', '.join(map(in_words, inner))}"
    if plain in _WORDS:
        of = inner[0] if inner and plain in (tuple, Sequence, Iterable) else Any
        return _WORDS[plain] + ("" if of is Any else f", each of them {in_words(of)}")
    if isinstance(plain, type) and issubclass(plain, jax.Array | AbstractArray | np.ndarray):
        return "an array of numbers"
    if isinstance(plain, type) and issubclass(plain, PyTree):
        leaf = getattr(kind, "leaftype", Any)
        return f"a tree whose leaves are each {in_words(leaf)}"
    name = getattr(plain, "__name__", str(plain))
    return _COMES_FROM.get(name, f"{'an' if name[0] in 'AEIOU' else 'a'} {name}")


_DTYPES = frozenset(get_args(DTypeLike))
_KEYS = frozenset(get_args(PRNGKeyArray))
