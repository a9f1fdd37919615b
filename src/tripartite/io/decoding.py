"""From JSON and arrays back to a model. Of what the file says, nothing is run or imported."""

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tripartite.core import archive
from tripartite.core.archive import Content
from tripartite.core.files import Location
from tripartite.io import registry

_DEEPEST = 100
_GENERATORS = ("threefry2x32", "rbg", "unsafe_rbg")


class Decoder:
    """Rebuilds one tree; what the file's names mean is in `declared`, then in the registry."""

    def __init__(self, path: Location, content: Content, declared: Mapping[str, Any]) -> None:
        self._path = path
        self._content = content
        self._declared = declared
        self._arrays: dict[tuple[str, str], Any] = {}
        self._objects: list[Any] = []

    def decode(self) -> Any:
        """The tree. **Raises:** `ValueError`, naming the file, if it cannot be rebuilt."""
        header = self._content.header
        if set(header) != {"tree", "objects"} or not isinstance(header["objects"], list):
            raise archive.damaged(self._path, "it has no tree")
        for node in header["objects"]:
            self._objects.append(self._value(node, 0))
        return self._value(header["tree"], 0)

    def _value(self, node: Any, depth: int) -> Any:
        if depth > _DEEPEST:
            raise archive.damaged(self._path, f"it is nested deeper than {_DEEPEST} levels")
        match node:
            case None | bool() | int() | float() | str():
                return node
            case {"float": "nan" | "inf" | "-inf" as text, **rest} if not rest:
                return float(text)
            case {"complex": [real, imag], **rest} if not rest:
                return complex(*(self._number(x, depth) for x in (real, imag)))
            case {"list": list(items), **rest} if not rest:
                return [self._value(item, depth + 1) for item in items]
            case {"tuple": list(items), **rest} if not rest:
                return tuple(self._value(item, depth + 1) for item in items)
            case {"dict": list(pairs), **rest} if not rest:
                return dict(self._pair(pair, depth + 1) for pair in pairs)
            case {"array": str(name), "of": "jax" | "numpy" | "scalar" as kind, **rest} if not rest:
                return self._array(name, kind)
            case {"key": str(name), "impl": str(impl), **rest} if not rest and impl in _GENERATORS:
                return self._key(name, impl)
            case {"object": int(index), **rest} if not rest and 0 <= index < len(self._objects):
                return self._objects[index]
            case {"class": str(name), "fields": dict(fields), **rest} if not rest:
                values = {key: self._value(value, depth + 1) for key, value in fields.items()}
                return self._made(name, values)
            case {"dtype": str(name), **rest}:
                return self._dtype(name, rest)
            case {"function": str(name), **rest} if not rest:
                return self._function(name)
            case _:
                raise archive.damaged(self._path, f"{str(node)[:80]} stands for nothing")

    def _number(self, node: Any, depth: int) -> float:
        value = self._value(node, depth + 1)
        if not isinstance(value, float):
            raise archive.damaged(self._path, f"{value!r} is a part of no complex number")
        return value

    def _pair(self, pair: Any, depth: int) -> tuple[Any, Any]:
        if not isinstance(pair, list) or len(pair) != 2:
            raise archive.damaged(self._path, f"{str(pair)[:80]} is no entry of a dictionary")
        key = self._value(pair[0], depth)
        if not _is_key(key):
            raise archive.damaged(self._path, f"{str(key)[:80]} is no key")
        return key, self._value(pair[1], depth)

    def _stored(self, name: str) -> np.ndarray:
        if name not in self._content.arrays:
            raise archive.damaged(self._path, f"the array {name!r} is missing")
        return self._content.arrays[name]

    def _array(self, name: str, kind: str) -> Any:
        if (name, kind) not in self._arrays:
            stored = self._stored(name)
            if kind == "scalar" and stored.shape:
                raise archive.damaged(self._path, f"{name!r} is no scalar")
            made = stored[()] if kind == "scalar" else stored
            self._arrays[name, kind] = self._on_device(stored) if kind == "jax" else made
        return self._arrays[name, kind]

    def _on_device(self, stored: np.ndarray) -> jax.Array:
        if jax.dtypes.canonicalize_dtype(stored.dtype) != stored.dtype:
            raise ValueError(
                f"{self._path} holds {stored.dtype} numbers, and JAX is set to 32 bits: call "
                'jax.config.update("jax_enable_x64", True) before loading it. tripartite.astype '
                "then makes float32 of it."
            )
        return jnp.asarray(stored)

    def _key(self, name: str, impl: str) -> Any:
        data = self._stored(name)
        width = 2 if impl == "threefry2x32" else 4
        if data.dtype != np.uint32 or not data.shape or data.shape[-1] != width:
            raise archive.damaged(self._path, f"{name!r} is no key of {impl}")
        return jax.random.wrap_key_data(jnp.asarray(data), impl=impl)

    def _dtype(self, name: str, rest: dict[str, Any]) -> Any:
        if name not in archive.DTYPES:
            raise archive.damaged(self._path, f"{name!r} is no dtype of numbers")
        if rest == {"of": "numpy"}:
            return jnp.dtype(name).type
        if rest == {"of": "jax"}:
            return vars(jnp)["bool_" if name == "bool" else name]
        if rest:
            raise archive.damaged(self._path, f"{name!r} is a dtype of {rest}")
        return jnp.dtype(name)

    def _named(self, name: str) -> Any:
        found = self._declared.get(name, registry.known().get(name))
        if found is not None:
            return found
        if "." in name:
            raise ValueError(
                f"{self._path} was written by {self._content.written_by}, and {name} is not in "
                f"tripartite {_version()}: it was moved, renamed or removed since. Load the file "
                "with that version, or pass what took its place, "
                f"load(path, classes={{{name!r}: ...}})."
            )
        raise ValueError(
            f"{self._path} needs {name!r}, which is not of this library: pass your own, "
            f"load(path, classes=({name},))."
        )

    def _function(self, name: str) -> Any:
        found = self._named(name)
        if isinstance(found, type):
            raise archive.damaged(self._path, f"{name} is a class, and stands for a function")
        return found

    def _made(self, name: str, values: dict[str, Any]) -> Any:
        """An object of its fields alone: no constructor runs, so that every bit stays."""
        cls = self._named(name)
        if not registry.is_record(cls) or inspect.isabstract(cls):
            raise archive.damaged(self._path, f"{name} is no class with fields")
        known = _fields(cls)
        for field in values:
            if field not in known:
                raise ValueError(
                    f"{self._path} was written by {self._content.written_by}, where {name} had a "
                    f"field {field!r}; now its fields are {', '.join(map(repr, known))}."
                )
        complete = dict(values)
        for field, default in known.items():
            if field in values:
                continue
            if default is None:
                raise ValueError(
                    f"{self._path} was written by {self._content.written_by}, where {name} had no "
                    f"field {field!r}; it has one now, without a default."
                )
            complete[field] = default()
        if registry.is_named_tuple(cls):
            return cls(**complete)
        made = object.__new__(cls)
        for field in known:
            object.__setattr__(made, field, complete[field])
        return made


def _fields(cls: Any) -> dict[str, Any]:
    """The fields of a class, in order, and what makes the default of each (`None`: nothing)."""
    if registry.is_named_tuple(cls):
        defaults = cls._field_defaults
        return {
            name: (lambda name=name: defaults[name]) if name in defaults else None
            for name in cls._fields
        }
    made: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        made[field.name] = None
        if field.default is not dataclasses.MISSING:
            made[field.name] = lambda field=field: field.default
        elif field.default_factory is not dataclasses.MISSING:
            made[field.name] = field.default_factory
    return made


def _is_key(key: Any) -> bool:
    if isinstance(key, tuple):
        return all(map(_is_key, key))
    return key is None or isinstance(key, str | int | float)


def _version() -> str:
    return archive.version("tripartite")
