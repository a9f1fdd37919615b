"""The classical fourth-order Runge-Kutta method, from its tableau."""

from collections.abc import Callable
from typing import Any, ClassVar

import diffrax
import numpy as np

from tripartite.core.arguments import require_fields

_TABLEAU = diffrax.ButcherTableau(
    a_lower=(np.array([0.5]), np.array([0.0, 0.5]), np.array([0.0, 0.0, 1.0])),
    b_sol=np.array([1 / 6, 1 / 3, 1 / 3, 1 / 6]),
    # No embedded method: for fixed steps.
    b_error=np.zeros(4),
    c=np.array([0.5, 0.5, 1.0]),
)


class ClassicalRK4(diffrax.AbstractERK):
    """Kutta's method of 1901, for fixed steps (`dt=`). Order 4, four evaluations a step."""

    tableau: ClassVar[diffrax.ButcherTableau] = _TABLEAU
    interpolation_cls: ClassVar[Callable[..., diffrax.ThirdOrderHermitePolynomialInterpolation]] = (
        diffrax.ThirdOrderHermitePolynomialInterpolation.from_k
    )

    def __check_init__(self) -> None:
        require_fields(self)

    def order(self, terms: Any) -> int:
        """4."""
        return 4
