"""The gradient check: automatic derivatives against differences that know their own error."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.core import part_name
from tripartite.core.arguments import checked
from tripartite.core.errors import require_above_zero, require_count, require_counts
from tripartite.testing.differences import extrapolated_difference
from tripartite.testing.gradient_report import GradientReport, GradientRow, judge

Loss = Callable[[Any], Array]
_DIFFERENTIATION_ERRORS = (TypeError, ValueError, NotImplementedError)


@checked
def gradient_check(
    loss: Loss,
    at: PyTree[Any],
    *,
    reference: Loss | None = None,
    where: Callable[[Any], Any] | None = None,
    directions: int | None = None,
    tolerance: float = 1e-3,
    step: float = 1e-3,
    seed: int = 0,
) -> GradientReport:
    """Compares the derivatives of a scalar function with finite differences.

    Reverse mode and, where the function allows it, forward mode are compared with central
    differences, extrapolated to step zero after Richardson, which gives the difference's own error
    too (Ridders, Adv. Eng. Softw. 4, 75, 1982). Each parameter is varied in proportion to its own
    size, so that every derivative, p dL/dp, has the loss's unit, and all errors are relative to the
    largest of them. An array is varied along one random direction.

    Adaptive steps are held fixed in a derivative, but not in a difference. At a loose tolerance the
    two disagree, and the difference is noisy. Give the same loss with a tighter tolerance as
    `reference`: the differences are then taken of that one.

    **Arguments:**

    - `loss`: a function of `at` to a scalar.
    - `at`: a model, or any pytree; its floating-point arrays are the parameters.
    - `reference`: the function to take differences of; by default `loss`.
    - `where`: picks the parameters to check, as in `equinox.tree_at`; by default all.
    - `directions`: so many random directions through all parameters at once, instead of one row
        for each: for large trees.
    - `tolerance`: how far a derivative may be from the difference, relative to the largest.
    - `step`: the first relative step of the differences; they go down to a 64th of it.
    - `seed`: of the random directions.

    **Returns:** a `GradientReport`; print it, or call its `assert_ok()`.

    **Raises:** `ValueError` in float32, without parameters, for a loss that is not a scalar, or if
    neither mode can differentiate it.
    """
    require_counts(directions=directions)
    require_count("seed", seed, 0)
    require_above_zero("tolerance", tolerance, "it is relative to the largest derivative")
    require_above_zero("step", step, "it is the first relative step")
    chosen = _chosen(at, where)
    parameters, rest = eqx.partition(at, chosen)
    _require_float64(parameters)
    function = _along_a_line(loss, rest)
    for name, one in (("loss", loss), ("reference", reference)):
        if one is not None:
            _require_scalar(name, one, at)
    measured = eqx.filter_jit(function if reference is None else _along_a_line(reference, rest))
    modes, notes = _derivatives(function, parameters)
    rows = []
    for name, tangent in _tangents(at, parameters, directions, np.random.default_rng(seed)):
        difference, uncertainty = extrapolated_difference(
            lambda s, d=tangent: float(measured(parameters, d, jnp.asarray(s))), step
        )
        reverse, forward = (None if mode is None else float(mode(tangent)) for mode in modes)
        rows.append(GradientRow(name, reverse, forward, difference, uncertainty))
    return GradientReport(judge(rows, tolerance), tolerance, tuple(notes))


def _chosen(at: PyTree[Any], where: Callable[[Any], Any] | None) -> PyTree[bool]:
    """`True` for each leaf to check."""
    floating = jax.tree.map(eqx.is_inexact_array, at)
    if where is None:
        return floating
    nothing = jax.tree.map(lambda _: False, at)
    picked = eqx.tree_at(where, nothing, replace_fn=lambda x: jax.tree.map(lambda _: True, x))
    return jax.tree.map(lambda a, b: a and b, floating, picked)


def _require_float64(parameters: PyTree[Any]) -> None:
    leaves = jax.tree.leaves(parameters)
    if not leaves:
        raise ValueError(
            "at must hold floating-point arrays to differentiate by, got none: pass a model or a "
            "tree of arrays, and let `where` pick some of them."
        )
    dtypes = {str(leaf.dtype) for leaf in leaves}
    if dtypes != {"float64"}:
        raise ValueError(
            f"gradient_check needs float64, got {', '.join(sorted(dtypes))}: a difference of "
            "rounded values would decide nothing. Make the model inside `with "
            "jax.enable_x64(True):` and check it there."
        )
    if jnp.result_type(float) != jnp.float64:
        raise ValueError(
            "gradient_check needs float64, which is switched off: check inside `with "
            "jax.enable_x64(True):`."
        )


def _require_scalar(name: str, loss: Loss, at: PyTree[Any]) -> None:
    # Whatever the function itself raises is the caller's to see, unwrapped.
    value = eqx.filter_eval_shape(loss, at)
    is_array = isinstance(value, jax.ShapeDtypeStruct)
    if is_array and value.shape == () and jnp.issubdtype(value.dtype, jnp.floating):
        return
    given = value if is_array else type(value).__name__
    raise ValueError(
        f"the {name} must give one real number, got {given}: reduce it, for example by jnp.mean."
    )


def _along_a_line(loss: Loss, rest: PyTree[Any]) -> Callable[..., Array]:
    def function(parameters: PyTree[Array], tangent: PyTree[Array], s: Array) -> Array:
        moved = jax.tree.map(lambda p, d: p + s * d, parameters, tangent)
        return loss(eqx.combine(moved, rest))

    return function


def _derivatives(
    function: Callable[..., Array], parameters: PyTree[Array]
) -> tuple[list[Callable[..., Array] | None], list[str]]:
    """Reverse and forward mode as functions of a tangent, each `None` where it does not work."""
    nowhere = jax.tree.map(jnp.zeros_like, parameters)

    def value(p: PyTree[Array]) -> Array:
        return function(p, nowhere, jnp.zeros(()))

    push = eqx.filter_jit(lambda d: jax.jvp(value, (parameters,), (d,))[1])
    modes: list[Callable[..., Array] | None] = []
    notes = []
    for name, prepare in (
        ("reverse", lambda: partial(_contracted, eqx.filter_jit(jax.grad(value))(parameters))),
        # JAX finds out only when it lowers that a function has no forward rule, so this has to run.
        ("forward", lambda: (push(nowhere), push)[1]),
    ):
        try:
            modes.append(prepare())
        except _DIFFERENTIATION_ERRORS as error:
            modes.append(None)
            notes.append(f"{name} mode does not work here: {_first_line(error)}")
    if modes == [None, None]:
        raise ValueError("the loss cannot be differentiated: " + "; ".join(notes))
    return modes, notes


def _contracted(gradient: PyTree[Array], tangent: PyTree[Array]) -> Array:
    products = jax.tree.map(lambda g, d: jnp.sum(g * d), gradient, tangent)
    return sum(jax.tree.leaves(products), start=jnp.zeros(()))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _tangents(
    at: PyTree[Any], parameters: PyTree[Array], directions: int | None, rng: np.random.Generator
) -> Iterator[tuple[str, PyTree[Array]]]:
    """Names and directions, each as large as the parameters it moves."""
    leaves, structure = jax.tree.flatten(parameters)
    if directions is not None:
        for i in range(directions):
            moved = [_random(x, rng) for x in leaves]
            yield f"direction {i + 1}", jax.tree.unflatten(structure, moved)
        return
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(parameters)]
    still = [jnp.zeros_like(x) for x in leaves]
    for i, (path, x) in enumerate(zip(paths, leaves, strict=True)):
        alone = [*still[:i], _size(x) if x.ndim == 0 else _random(x, rng), *still[i + 1 :]]
        yield part_name(at, path) or "value", jax.tree.unflatten(structure, alone)


def _size(x: Array) -> Array:
    """Each entry's size; 1 where a whole array is zero, and its mean size for single zeros."""
    mean = jnp.mean(jnp.abs(x))
    return jnp.where(x != 0, jnp.abs(x), jnp.where(mean > 0, mean, 1.0))


def _random(x: Array, rng: np.random.Generator) -> Array:
    return _size(x) * jnp.asarray(rng.standard_normal(x.shape))
