"""How well a recording can tell parameters, before anything is fitted."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from tripartite.core import part_name
from tripartite.core.arguments import checked
from tripartite.core.errors import is_concrete, require_above_zero, require_finite


class FisherInformation(NamedTuple):
    """What a recording says of `p` numbers.

    `matrix` `[p, p]`, the information, and `covariance` `[p, p]`, its inverse, in the order of
    `jax.flatten_util.ravel_pytree`; `standard_errors`, of the parameters' own structure and units.
    """

    matrix: Float[Array, "p p"]
    covariance: Float[Array, "p p"]
    standard_errors: PyTree[Array]


@checked
def fisher_information(
    trace: Callable[[Any], PyTree[Array]], parameters: PyTree[Array], noise: PyTree[Array]
) -> FisherInformation:
    """The Fisher information of a recording with independent Gaussian noise.

        I = J^T Sigma^-1 J,    J = d trace / d parameters,    Sigma = diag(noise^2)

    No unbiased estimate has a smaller covariance than I^-1 (Cramer and Rao; Kay, Fundamentals of
    Statistical Signal Processing: Estimation Theory, Prentice Hall 1993, chapter 3), and least
    squares on a long enough record reaches it. Sensitivities by forward mode, one tangent for each
    parameter; the inverse from a QR decomposition of J, without squaring its condition. Everything
    can be differentiated: to design a stimulus, lower the standard errors by gradient.

    Of logarithms of parameters the standard errors are relative ones. Solve with `dt=`, or with
    `adjoint=diffrax.ForwardMode()`.

    **Arguments:**

    - `trace`: a function of the parameters to the noiseless recording: an array, or a tree of them.
    - `parameters`: floating-point arrays, `p` numbers in all.
    - `noise`: the standard deviation of each sample, in the recording's unit: one number, or a tree
        of the recording's structure of numbers or arrays that broadcast to it.

    **Raises:** `ValueError` without parameters, for noise that is not positive, for fewer samples
    than parameters, or, where the values are known, if some change of the parameters leaves the
    recording as it is: it names the change.
    """
    for value in jax.tree.leaves(parameters):
        require_finite("parameters", value, "give what a model can have")
    flat, rebuild = ravel_pytree(parameters)
    if flat.size == 0 or not jnp.issubdtype(flat.dtype, jnp.floating):
        raise ValueError(
            "fisher_information found no floating-point parameters: pass arrays, such as the "
            "logarithms of what is to be fitted."
        )
    sizes = _sizes(eqx.filter_eval_shape(trace, parameters), noise)

    def scaled(x: Array) -> Array:
        found = jax.tree.map(jnp.divide, trace(rebuild(x)), sizes)
        return ravel_pytree(found)[0]

    sensitivities = jax.jacfwd(scaled)(flat)
    samples = sensitivities.shape[0]
    if samples < flat.size:
        raise ValueError(
            f"{samples} samples cannot tell {flat.size} parameters: record more, or fit fewer."
        )
    _require_told_apart(sensitivities, parameters)
    triangle = jnp.linalg.qr(sensitivities, mode="r")
    inverse = jax.scipy.linalg.solve_triangular(triangle, jnp.eye(flat.size, dtype=flat.dtype))
    covariance = inverse @ inverse.T
    errors = rebuild(jnp.sqrt(jnp.sum(inverse**2, axis=1)))
    return FisherInformation(sensitivities.T @ sensitivities, covariance, errors)


def _sizes(recorded: PyTree[Any], noise: PyTree[Any]) -> PyTree[Array]:
    """The noise of each sample, one array for each of the recording."""
    for value in jax.tree.leaves(noise):
        require_above_zero("noise", value, "it is the standard deviation of a sample")
    if not jax.tree.leaves(recorded):
        raise ValueError("the trace records nothing: return an array, or a tree of them.")
    if jax.tree.structure(noise) != jax.tree.structure(recorded):
        if jax.tree.structure(noise) != jax.tree.structure(0.0):
            raise ValueError(
                f"noise must be one number or have the recording's structure, "
                f"{jax.tree.structure(recorded)}, got {jax.tree.structure(noise)}."
            )
        noise = jax.tree.map(lambda _: noise, recorded)
    return jax.tree.map(
        lambda x, s: jnp.broadcast_to(jnp.asarray(s, x.dtype), x.shape), recorded, noise
    )


def _require_told_apart(sensitivities: Array, parameters: PyTree[Array]) -> None:
    """**Raises:** `ValueError` if the columns depend on one another, to rounding."""
    if not is_concrete(sensitivities):
        return
    table = np.asarray(sensitivities)
    if not np.all(np.isfinite(table)):
        raise ValueError(
            "a sensitivity is not finite: the trace, or its derivative, fails at these parameters."
        )
    lengths = np.linalg.norm(table, axis=0)
    scaled = table / np.where(lengths > 0, lengths, 1.0)
    _, singular, directions = np.linalg.svd(scaled, full_matrices=False)
    if singular[-1] > max(table.shape) * np.finfo(table.dtype).eps * singular[0]:
        return
    worst = directions[-1] / np.where(lengths > 0, lengths, 1.0)
    shares = worst / np.max(np.abs(worst))
    named = [f"{x:+.2g} of {name}" for name, x in zip(_names(parameters), shares, strict=True)]
    told = ", ".join(word for word, x in zip(named, shares, strict=True) if abs(x) > 1e-3)
    raise ValueError(
        f"the recording does not depend on this change of the parameters: {told}. Record something "
        "else, choose another stimulus, or fit fewer."
    )


def _names(parameters: PyTree[Array]) -> list[str]:
    """A name for each number, in the order of `ravel_pytree`."""
    names = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(parameters):
        name, size = part_name(parameters, path) or "the parameters", np.size(leaf)
        names += [name] if np.ndim(leaf) == 0 else [f"{name}[{i}]" for i in range(size)]
    return names
