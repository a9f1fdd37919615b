"""A model as JSON and arrays: every field, static ones too, with an error that names the field."""

import dataclasses
import math
import types
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from tripartite.core.errors import is_concrete
from tripartite.io import registry


class Encoder:
    """Turns one tree into JSON; collects its arrays by name, each once."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.objects: list[Any] = []
        # Kept alive with their numbers: an id is only unique while its object lives.
        self._seen: dict[int, tuple[Any, str | int]] = {}

    def encode(self, x: Any, where: str) -> Any:
        """`x` as JSON. **Raises:** `ValueError` naming `where`, for what a file cannot keep."""
        match x:
            case None | str():
                return x
            case bool() | int() if type(x) in (bool, int):
                return x
            case float() if type(x) is float:
                return x if math.isfinite(x) else {"float": str(x)}
            case complex() if type(x) is complex:
                return {"complex": [self.encode(x.real, where), self.encode(x.imag, where)]}
            case jax.Array() | np.ndarray() | np.generic():
                return self._array(x, where)
            case tuple() if registry.is_named_tuple(type(x)):
                return self._fields(x, registry.named_values(x), where)
            case list() | tuple() if type(x) in (list, tuple):
                items = [self.encode(item, f"{where}[{i}]") for i, item in enumerate(x)]
                return {type(x).__name__: items}
            case dict() if type(x) is dict:
                return {"dict": [self._pair(key, value, where) for key, value in x.items()]}
            case np.dtype():
                return {"dtype": x.name}
            case _:
                return self._other(x, where)

    def _pair(self, key: Any, value: Any, where: str) -> list[Any]:
        if not isinstance(key, str | int | tuple | bool | float | None):
            raise _refused(where, f"has the key {key!r}", "use text or numbers as keys")
        place = f"{where}[{key!r}]"
        return [self.encode(key, place), self.encode(value, place)]

    def _other(self, x: Any, where: str) -> Any:
        if isinstance(x, eqx.Module):
            return self._fields(x, vars(x), where)
        if registry.is_record(type(x)):
            # A plain dataclass may be told apart by identity: one object stays one.
            if id(x) not in self._seen:
                node = self._fields(x, vars(x), where)
                self._seen[id(x)] = (x, len(self.objects))
                self.objects.append(node)
            return {"object": self._seen[id(x)][1]}
        return _dtype_of(x) or self._function(x, where)

    def _function(self, x: Any, where: str) -> Any:
        name = registry.name_of(x) if callable(x) and not isinstance(x, type) else ""
        if registry.known().get(name) is x and name:
            return {"function": name}
        if not isinstance(x, types.FunctionType):
            raise _refused(where, f"is {x!r}", "keep numbers, text and modules in fields")
        if name == "<lambda>" or x.__closure__ is not None:
            raise _refused(
                where,
                "is a lambda or a function made within a function",
                "define it with def at the top of a module, and pass it to load(classes=...)",
            )
        return {"function": name}

    def _fields(self, x: Any, values: dict[str, Any], where: str) -> Any:
        if isinstance(x, tuple):
            names = list(values)
        else:
            names = [field.name for field in dataclasses.fields(x) if field.name in values]
        fields = {name: self.encode(values[name], f"{where}.{name}") for name in names}
        return {"class": registry.name_of(type(x)), "fields": fields}

    def _array(self, x: Any, where: str) -> Any:
        if not is_concrete(x):
            raise _refused(where, "is traced", "save outside of jit, vmap and grad")
        if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
            data = jax.random.key_data(x)
            return {"key": self._kept(x, data, where), "impl": str(jax.random.key_impl(x))}
        if not _is_number(x.dtype):
            raise _refused(where, f"is an array of {x.dtype}", "keep numbers in arrays")
        kind = "jax" if isinstance(x, jax.Array) else "numpy"
        kind = "scalar" if isinstance(x, np.generic) else kind
        return {"array": self._kept(x, x, where), "of": kind}

    def _kept(self, x: Any, data: Any, where: str) -> str:
        """The name under which an array is stored: of two places that share it, the first."""
        if id(x) not in self._seen:
            self.arrays[where] = np.asarray(data)
            self._seen[id(x)] = (x, where)
        return str(self._seen[id(x)][1])


def _is_number(dtype: Any) -> bool:
    return jnp.issubdtype(dtype, jnp.bool_) or jnp.issubdtype(dtype, jnp.number)


def _dtype_of(x: Any) -> dict[str, str] | None:
    """`jnp.float32` and `np.float32`, which fields hold as their dtype."""
    if not isinstance(x, type):
        return None
    if issubclass(x, np.generic):
        return {"dtype": np.dtype(x).name, "of": "numpy"}
    return {"dtype": x.__name__, "of": "jax"} if vars(jnp).get(x.__name__) is x else None


def _refused(where: str, what: str, remedy: str) -> ValueError:
    return ValueError(f"{where} {what}, which a file cannot keep: {remedy}.")
