"""Following an equilibrium along a parameter, through folds, and finding where it changes."""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.analysis.equilibria import moving, slope_of, steady_state
from tripartite.core import AbstractDynamics
from tripartite.core.arguments import checked
from tripartite.core.errors import require_above_zero, require_count

Along = Callable[[Array], tuple[AbstractDynamics, Any]]


class SpecialPoint(NamedTuple):
    """A Hopf point or a fold: the parameter there, the state, and the frequency (Hz; 0: fold)."""

    parameter: float
    state: PyTree[Array]
    frequency: float


class Branch(NamedTuple):
    """A branch of equilibria, in the order in which it was followed.

    `parameter` (n,); `states`, the state with a leading axis n; `eigenvalues` (n, states), 1/ms;
    `stable` (n,); `hopf` and `folds`, tuples of `SpecialPoint`.
    """

    parameter: np.ndarray
    states: PyTree[Array]
    eigenvalues: np.ndarray
    stable: np.ndarray
    hopf: tuple[SpecialPoint, ...]
    folds: tuple[SpecialPoint, ...]


@checked
def follow_equilibria(
    along: Along,
    start: float,
    stop: float,
    *,
    y0: PyTree[Array] | None = None,
    step: float = 0.02,
    max_points: int = 2000,
) -> Branch:
    """Follows the equilibrium from parameter `start` until it leaves `[start, stop]`.

    Pseudo-arclength continuation (Keller 1977): the branch is walked along its own tangent, so it
    turns at folds. A Hopf point is where a complex pair of eigenvalues crosses the imaginary axis,
    a fold where the parameter turns; each is located by bisection on the branch.

    **Arguments:**

    - `along`: the parameter's value to `(model, input)`, for example `lambda i: (cell, i)`.
    - `start`, `stop`: values of the parameter; `stop` may be the smaller.
    - `y0`: near the equilibrium at `start`; by default the model's own start.
    - `step`: the longest step, as a fraction of the whole way in each of its directions.

    **Raises:** `ValueError` if `start` equals `stop`; `RuntimeError` if the branch is lost.
    """
    if start == stop:
        raise ValueError(f"start and stop must differ, got {start} for both.")
    require_count("max_points", max_points, 2)
    require_above_zero("step", step, "it is a length along the branch")
    walk = _Walk(along, start, stop, y0)
    points, tangents = [walk.first()], []
    tangents.append(walk.tangent(points[0], np.eye(len(points[0]))[-1] * np.sign(stop - start)))
    length = step
    while len(points) < max_points:
        found = walk.correct(points[-1] + length * tangents[-1], tangents[-1])
        if found is None:
            length /= 2
            if length < 1e-8 * step:
                raise RuntimeError(
                    f"the branch was lost at parameter {walk.parameter(points[-1]):.6g}: try a "
                    "smaller step, or start from the other end."
                )
            continue
        points.append(found)
        tangents.append(walk.tangent(found, tangents[-1]))
        length = min(step, 1.5 * length)
        if not min(start, stop) <= walk.parameter(found) <= max(start, stop):
            break
    return walk.branch(points, tangents)


class _Walk:
    """The branch in scaled coordinates: the states, and last the parameter."""

    def __init__(self, along: Along, start: float, stop: float, y0: PyTree[Array] | None) -> None:
        value = jnp.asarray(start, jnp.result_type(float))
        model, u = along(value)
        y = steady_state(model, u, y0=y0)
        flat, back = moving(model, y)
        self.back = back
        self.small = float(jnp.finfo(flat.dtype).eps) ** (2 / 3)
        # One unit of each coordinate is a sizeable change: a fifth of the state, or the whole way.
        scales = np.append(np.maximum(0.2 * np.abs(np.asarray(flat)), 0.05), abs(stop - start))
        self.scales = scales
        self._start = np.append(np.asarray(flat), start) / scales

        def slope(z: Array) -> Array:
            x = z * jnp.asarray(scales, z.dtype)
            model, u = along(x[-1])
            return slope_of(model, back(x[:-1]), u)[1](x[:-1])

        self.slope = eqx.filter_jit(slope)
        self.derivative = eqx.filter_jit(jax.jacfwd(slope))

    def first(self) -> np.ndarray:
        """The equilibrium to start from."""
        return self._start

    def parameter(self, z: np.ndarray) -> float:
        """The parameter's value at a point."""
        return float(z[-1] * self.scales[-1])

    def tangent(self, z: np.ndarray, along: np.ndarray) -> np.ndarray:
        """The unit tangent of the branch, pointing the same way as `along`."""
        rows = np.vstack([np.asarray(self.derivative(jnp.asarray(z))), along])
        found = np.linalg.solve(rows, np.eye(len(z))[-1])
        return found / np.linalg.norm(found)

    def correct(self, guess: np.ndarray, tangent: np.ndarray) -> np.ndarray | None:
        """The point of the branch in the plane through `guess` across `tangent`, by Newton."""
        z = guess
        for _ in range(12):
            residual = np.append(np.asarray(self.slope(jnp.asarray(z))), tangent @ (z - guess))
            rows = np.vstack([np.asarray(self.derivative(jnp.asarray(z))), tangent])
            change = np.linalg.solve(rows, residual)
            z = z - change
            if not np.all(np.isfinite(z)) or np.linalg.norm(z - guess) > 0.5:
                return None
            if np.linalg.norm(change) < self.small:
                return z
        return None

    def spectrum(self, z: np.ndarray) -> Any:
        """The eigenvalues there (1/ms), largest real part first."""
        rows = np.asarray(self.derivative(jnp.asarray(z)))[:, :-1] / self.scales[:-1]
        found: Any = np.linalg.eigvals(rows)
        return found[np.argsort(-found.real)]

    def located(
        self, a: np.ndarray, b: np.ndarray, test: Callable[[np.ndarray], float]
    ) -> np.ndarray:
        """Where `test` changes sign between two points of the branch, by bisection."""
        chord = (b - a) / np.linalg.norm(b - a)
        low, high, sign = 0.0, float(np.linalg.norm(b - a)), np.sign(test(a))
        z = a
        for _ in range(50):
            middle = 0.5 * (low + high)
            found = self.correct(a + middle * chord, chord)
            z = z if found is None else found
            if np.sign(test(z)) == sign:
                low = middle
            else:
                high = middle
        return z

    def branch(self, points: list[np.ndarray], tangents: list[np.ndarray]) -> Branch:
        """The points walked, with their stability and special points."""
        spectra = [self.spectrum(z) for z in points]
        unstable = [int(np.sum(s.real > 0)) for s in spectra]
        hopf, folds = [], []
        for i in range(len(points) - 1):
            a, b = points[i], points[i + 1]
            if abs(unstable[i + 1] - unstable[i]) == 2:
                z = self.located(a, b, lambda z: _leading_pair(self.spectrum(z)).real)
                hopf.append(self._special(z, _leading_pair(self.spectrum(z)).imag))
            if np.sign(tangents[i][-1]) != np.sign(tangents[i + 1][-1]):
                along = tangents[i]
                z = self.located(a, b, lambda z, d=along: float(self.tangent(z, d)[-1]))
                folds.append(self._special(z, 0.0))
        states = [self.back(jnp.asarray(z[:-1] * self.scales[:-1])) for z in points]
        return Branch(
            np.array([self.parameter(z) for z in points]),
            jax.tree.map(lambda *x: jnp.stack(x), *states),
            np.array(spectra),
            np.array(unstable) == 0,
            tuple(hopf),
            tuple(folds),
        )

    def _special(self, z: np.ndarray, angular: float) -> SpecialPoint:
        state = self.back(jnp.asarray(z[:-1] * self.scales[:-1]))
        return SpecialPoint(self.parameter(z), state, 1000.0 * abs(float(angular)) / (2 * np.pi))


def _leading_pair(spectrum: Any) -> complex:
    """Of the complex pairs, the eigenvalue nearest the imaginary axis."""
    pairs = spectrum[np.abs(spectrum.imag) > 1e-9]
    if pairs.size == 0:
        return complex(spectrum[0])
    return complex(pairs[np.argmin(np.abs(pairs.real))])
