"""Parameters: strongly typed array fields with a unit and a source."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.core
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from tripartite.core.arguments import checked, require_fields
from tripartite.core.errors import as_numbers, require_count
from tripartite.core.units import Unit

if TYPE_CHECKING:

    class Parameter:
        """For the type checker: a number may be given, an array is what is kept."""

        def __get__(self, instance: object, owner: Any = None) -> jax.Array: ...

        def __set__(self, instance: object, value: Any) -> None: ...

else:
    Parameter = jax.Array

_MARK = "tripartite_parameter"
_SIGNAL = "tripartite_signal"
_CONSTANT = "tripartite_constant"


@dataclasses.dataclass(frozen=True)
class ParameterInfo:
    """What a parameter's field knows about itself."""

    unit: str
    source: str
    doc: str
    positive: bool
    trainable: bool
    nonzero: bool = False


def _strong(name: str, value: Any) -> Any:
    """Numbers become arrays of a definite dtype; arrays, and what stands for them, stay."""
    if isinstance(value, jax.Array):
        return jnp.asarray(value, value.dtype)
    if value is None or isinstance(value, jax.ShapeDtypeStruct):
        return value
    array = as_numbers(name, value)
    keep = isinstance(value, np.ndarray) and array.ndim > 0 and array.dtype.kind == "f"
    dtype = jax.dtypes.canonicalize_dtype(array.dtype) if keep else jnp.result_type(float)
    return jnp.asarray(array, dtype)


def _field(
    default: float | Sequence[float] | None, metadata: dict[str, Any], convert: Any = _strong
) -> Any:
    """A field whose converter knows its name, by which it refuses what is no number."""

    def named(value: Any) -> Any:
        if value is None and not _may_be_none(made):
            raise ValueError(f"{made.name} must be a number or an array of numbers, got None.")
        return convert(made.name, value)

    if default is not None:
        as_numbers("default", default)
    start: dict[str, Any] = {} if default is None else {"default_factory": lambda: default}
    made: dataclasses.Field[Any] = eqx.field(converter=named, metadata=metadata, **start)
    return made


def _may_be_none(field: dataclasses.Field[Any]) -> bool:
    return field.type is Any or "None" in str(field.type)


@checked
def parameter(
    default: float | Sequence[float] | None,
    unit: str,
    *,
    source: str = "",
    doc: str = "",
    positive: bool = False,
    trainable: bool = True,
    nonzero: bool = False,
) -> Any:
    """Declares a parameter of a model: an array field with a unit.

    A Python number given for it becomes an array of the default floating dtype, so that a new
    value never recompiles and every parameter can be differentiated.

    **Arguments:**

    - `default`: its default value in `unit`; `None` makes it required.
    - `unit`: such as `"mV"`, `"mS/cm2"`, `"1/ms"`, or `"1"` for a pure number. It must belong to
        the library's coherent system (ms, mV, uM; uA/cm2 or pA); see `tripartite.core.units`.
    - `source`: where the default comes from.
    - `positive`: the value must be greater than zero; checked when the model is made.
    - `trainable`: `False` for what a fit should leave alone.
    - `nonzero`: the value may have either sign but not be zero (it divides); checked likewise.

    **Raises:** `ValueError` for a unit outside the coherent system.
    """
    Unit(unit).assert_coherent()
    info = ParameterInfo(unit, source, doc, positive, trainable, nonzero)
    return _field(default, {_MARK: info})


def parameters_of(module: eqx.Module) -> Iterator[tuple[str, ParameterInfo, Any]]:
    """Yields `(name, info, value)` for each parameter this one module has (not `None`)."""
    for field in dataclasses.fields(module):
        info = field.metadata.get(_MARK)
        if info is not None and getattr(module, field.name) is not None:
            yield field.name, info, getattr(module, field.name)


def is_declared(field: dataclasses.Field[Any]) -> bool:
    """Whether a field was made by `parameter`, by `signal` or by `constant`."""
    return any(mark in field.metadata for mark in (_MARK, _SIGNAL, _CONSTANT))


def whole(default: int) -> Any:
    """Declares a static field that is a whole number above 0, such as an exponent."""
    require_count("default", default, 1)

    def convert(value: Any) -> int:
        return require_count(made.name, value, 1)

    made: dataclasses.Field[Any] = eqx.field(static=True, converter=convert, default=default)
    return made


@checked
def constant(*, static: bool = False) -> Any:
    """Declares a field that is no parameter: indices, or (static) what a solve is compiled for."""
    return eqx.field(static=static, metadata={_CONSTANT: True})


class AbstractParametrised(eqx.Module):
    """A module whose parameters are checked when it is made.

    **Raises:** `ValueError` if a parameter is no number, not finite, or zero or not positive where
    it may not be, or if another field is not of the kind that it is declared to be.
    """

    def __check_init__(self) -> None:
        # A model of one's own may say float and hold an array.
        require_fields(self, numbers=False)
        for name, info, value in parameters_of(self):
            _check_value(type(self).__name__, name, info, value)


def _check_value(owner: str, name: str, info: ParameterInfo, value: Any) -> None:
    if isinstance(value, jax.core.Tracer) or not isinstance(value, jax.Array | np.ndarray):
        return
    values = np.asarray(value)
    if not np.issubdtype(values.dtype, np.inexact):
        return
    if not np.all(np.isfinite(values)):
        raise ValueError(
            f"{owner}.{name} must be finite, got {values} {info.unit}: remove the NaN or infinity."
        )
    if info.positive and not np.all(values > 0):
        raise ValueError(
            f"{owner}.{name} must be positive, got {values} {info.unit}: give a value above 0."
        )
    if info.nonzero and np.any(values == 0):
        raise ValueError(
            f"{owner}.{name} must not be zero, got {values} {info.unit}: it divides; give a value "
            "of either sign."
        )


def part_name(tree: Any, path: tuple[Any, ...]) -> str:
    """Where a leaf is, by the parts' own names: `channels.sodium.gates.m.power` and the like.

    **Arguments:** `path` as `jax.tree_util.tree_leaves_with_path(tree)` gives it.
    """
    words = []
    for key in path:
        if isinstance(key, jax.tree_util.GetAttrKey):
            tree, word = getattr(tree, key.name), key.name
        elif isinstance(key, jax.tree_util.SequenceKey):
            tree, word = tree[key.idx], str(key.idx)
        elif isinstance(key, jax.tree_util.DictKey):
            tree, word = tree[key.key], str(key.key)
        else:
            return jax.tree_util.keystr(path)
        words.append(getattr(tree, "name", word))
    return ".".join(words)


@checked
def astype(tree: Any, dtype: DTypeLike) -> Any:
    """Casts every floating-point array of a model or a stimulus to `dtype`."""
    return jax.tree.map(
        lambda x: x.astype(dtype) if eqx.is_inexact_array(x) else x,
        tree,
    )


def signal(default: float | None = None) -> Any:
    """Declares an array field of a stimulus, in the unit of the model's input (or ms for times).

    Like `parameter`, without a unit of its own: the same step can drive a cell in uA/cm2 or in pA.
    """

    def convert(name: str, value: Any) -> Any:
        return jax.tree.map(
            lambda x: _strong(name, x), value, is_leaf=lambda x: isinstance(x, list)
        )

    return _field(default, {_SIGNAL: True}, convert)
