"""What an astrocyte is to the rest of the library: dynamics with calcium, and what drives it."""

import abc
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from tripartite.core import AbstractRelaxation
from tripartite.core.arguments import checked
from tripartite.core.errors import as_numbers, is_concrete, require_finite


class AstrocyteDrive(NamedTuple):
    """What reaches an astrocyte.

    **Arguments:**

    - `glutamate`: outside the cell, uM.
    - `coupling`: IP3 that flows into the cell, uM/ms: gap junctions, or any source of your own.
    - `bias`: uM, added to the level of an external IP3 source, where the cell has one.
    - `spikes`: the weighted number of spikes that arrive at the end of this step (fixed steps).
    """

    glutamate: Any = 0.0
    coupling: Any = 0.0
    bias: Any = 0.0
    spikes: Any = 0.0


# What one plain number stands for.
Hears = Literal["glutamate", "coupling", "ip3"]

_UNITS = AstrocyteDrive("uM", "uM/ms", "uM", "1")


class AbstractAstrocyte(AbstractRelaxation):
    """A relaxation driven by an `AstrocyteDrive`, with read-only ports."""

    @abc.abstractmethod
    def calcium(self, y: PyTree[Array]) -> Array:
        """Free calcium in the cytosol (uM)."""

    @abc.abstractmethod
    def ip3(self, y: PyTree[Array]) -> Array:
        """IP3 in the cytosol (uM).

        **Raises:** `ValueError` for a cell whose IP3 is its input.
        """

    def gliotransmitter(self, y: PyTree[Array]) -> Array:
        """Gliotransmitter outside the cell (uM); zero unless the cell is wrapped in a release."""
        return jnp.zeros_like(self.calcium(y))

    def hears(self) -> Hears:
        """What one plain number as the input is; `"ip3"`: nothing else can be the input."""
        return "glutamate"

    def input_units(self) -> Any:
        """Those of an `AstrocyteDrive`."""
        return _UNITS


@checked
def as_drive(
    u: Any, like: Array, plain: Literal["glutamate", "coupling"] = "glutamate"
) -> AstrocyteDrive:
    """Reads an astrocyte's input: nothing, one number, or an `AstrocyteDrive`.

    **Arguments:** `u` the input; `like` an array whose dtype the missing parts take; `plain` what
    one number stands for.

    **Raises:** `ValueError` for a negative concentration, where the value is known.
    """
    drive = u if isinstance(u, AstrocyteDrive) else AstrocyteDrive()
    if u is not None and not isinstance(u, AstrocyteDrive):
        drive = drive._replace(**{plain: u})
    require_not_negative("glutamate", drive.glutamate)
    zero = jnp.zeros_like(like)
    return AstrocyteDrive(*(zero if isinstance(x, float) and x == 0 else x for x in drive))


def require_not_negative(name: str, concentration: Any) -> None:
    """**Raises:** `ValueError` if a value known now is a negative concentration."""
    for value in jax.tree.leaves(concentration):
        if not is_concrete(value):
            continue
        known = as_numbers(name, value)
        require_finite(name, known, "give a concentration")
        if np.any(known < 0):
            worst = float(np.min(known))
            raise ValueError(
                f"{name} must not be negative, got {worst} uM: a concentration is zero or more."
            )


def require_ip3(u: Any, like: Array) -> Array:
    """Reads the input of a cell whose IP3 is given: a number (uM), or nothing for none.

    **Raises:** `ValueError` for an `AstrocyteDrive`, or a negative number.
    """
    if isinstance(u, AstrocyteDrive):
        raise ValueError(
            "the input of this astrocyte is IP3 itself, got an AstrocyteDrive: pass a number or a "
            "stimulus in uM, or use a cell that makes IP3 (ChI, GChI, Ullah, NESTAstrocyte)."
        )
    require_not_negative("IP3", u)
    return jnp.zeros_like(like) if u is None else u


def no_ip3(astrocyte: AbstractAstrocyte) -> Array:
    """**Raises:** `ValueError`: the cell has no IP3 of its own."""
    raise ValueError(
        f"{type(astrocyte).__name__} takes IP3 as its input and has none of its own to read: to "
        "couple cells use ChI, GChI, Ullah or NESTAstrocyte."
    )
