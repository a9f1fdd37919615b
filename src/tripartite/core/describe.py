"""What a tree holds, in words that mean the same in another process: to tell two calls apart."""

import dataclasses
import functools
import hashlib
import types
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# So many numbers are shown; of more, a digest.
_SHOWN = 4


def described(tree: Any, where: str) -> dict[str, str]:
    """One line for each part of a tree, by its name, such as `model.capacitance`.

    Arrays are told by every bit; modules by their class and all of their fields, static ones too;
    functions by their name, their code and what they close over.
    """
    lines: dict[str, str] = {}
    _describe(tree, where, lines, frozenset())
    return lines


def differences(old: dict[str, str], new: dict[str, str]) -> list[str]:
    """`"model.capacitance was 1.0 and is 2.0"` for each line that differs."""
    return [
        f"{name} was {old.get(name, 'not there')} and is {new.get(name, 'not there')}"
        for name in [*old, *(name for name in new if name not in old)]
        if old.get(name) != new.get(name)
    ]


def _describe(x: Any, where: str, lines: dict[str, str], above: frozenset[int]) -> None:
    if id(x) in above:
        lines[where] = "itself"
        return
    if isinstance(x, jax.Array | np.ndarray | np.generic):
        lines[where] = _array(x)
        return
    own, parts = _parts(x)
    lines[where] = own
    for name, part in parts.items():
        _describe(part, f"{where}{name}", lines, above | {id(x)})


def _parts(x: Any) -> tuple[str, dict[str, Any]]:
    """What a node is, and its parts by the words that lead to them."""
    kind = f"{type(x).__module__}.{type(x).__qualname__}"
    if dataclasses.is_dataclass(x) and not isinstance(x, type):
        return kind, {f".{f.name}": getattr(x, f.name, None) for f in dataclasses.fields(x)}
    names = vars(type(x)).get("_fields")
    if isinstance(x, tuple) and names is not None:
        return kind, {f".{name}": part for name, part in zip(names, x, strict=True)}
    if isinstance(x, list | tuple):
        return f"{type(x).__name__} of {len(x)}", {f"[{i}]": part for i, part in enumerate(x)}
    if isinstance(x, dict):
        keys = ", ".join(map(repr, x))
        return f"dict of {keys}", {f"[{key!r}]": part for key, part in x.items()}
    if isinstance(x, functools.partial):
        return kind, {".func": x.func, ".args": x.args, ".keywords": x.keywords}
    if isinstance(x, types.MethodType):
        return kind, {".function": x.__func__, ".self": x.__self__}
    if isinstance(x, types.FunctionType):
        cells = [cell.cell_contents for cell in x.__closure__ or ()]
        own = f"{x.__qualname__} of code {_code(x.__code__)}"
        return own, {"'s variables": cells, "'s defaults": x.__defaults__}
    name = getattr(x, "__qualname__", None)
    if callable(x) and isinstance(name, str):
        return f"{getattr(x, '__module__', '')}.{name}", {}
    # An address would differ in every process.
    return (kind if " at 0x" in repr(x) else repr(x)), {}


def _array(x: Any) -> str:
    kind = str(x.dtype)
    if isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        x = jax.random.key_data(x)
    values = np.asarray(x)
    if values.size <= _SHOWN:
        return f"{values.tolist()} ({kind})"
    digest = hashlib.sha256(values.tobytes()).hexdigest()[:16]
    shape = ", ".join(map(str, values.shape))
    return f"{kind}[{shape}] of SHA-256 {digest}"


def _code(code: types.CodeType) -> str:
    """A digest of what a function does: its instructions, names and constants."""
    inner = [_code(c) if isinstance(c, types.CodeType) else repr(c) for c in code.co_consts]
    text = repr((code.co_code, code.co_names, code.co_varnames, inner))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
