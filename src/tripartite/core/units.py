"""One coherent system of units: ms, mV, uM, and uA/cm2 (per area) or pA (whole cell).

In either system every equation holds without conversion factors: uA/cm2 = mS/cm2 * mV
= uF/cm2 * mV/ms, and pA = nS * mV = pF * mV/ms. Quantities in other units are converted where
they are entered, for example `9.0 * units.per_second`.
"""

import math
import re

import jax.numpy as jnp
from jaxtyping import Array

# What one of these is in the coherent system's unit of the same dimension.
second = 1e3
minute = 6e4
per_second = 1e-3
per_minute = 1 / 6e4
volt = 1e3
nanomolar = 1e-3
millimolar = 1e3
nanoampere = 1e3
microsiemens = 1e3
nanofarad = 1e3

# Exponents of (time, voltage, current, length, concentration), and the size in SI units
# (concentration in mol/litre).
_BASE: dict[str, tuple[tuple[int, int, int, int, int], float]] = {
    "s": ((1, 0, 0, 0, 0), 1.0),
    "V": ((0, 1, 0, 0, 0), 1.0),
    "A": ((0, 0, 1, 0, 0), 1.0),
    "S": ((0, -1, 1, 0, 0), 1.0),
    "F": ((1, -1, 1, 0, 0), 1.0),
    "Ohm": ((0, 1, -1, 0, 0), 1.0),
    "C": ((1, 0, 1, 0, 0), 1.0),
    "m": ((0, 0, 0, 1, 0), 1.0),
    "M": ((0, 0, 0, 0, 1), 1.0),
    "Hz": ((-1, 0, 0, 0, 0), 1.0),
}
_PREFIX = {
    "": 1.0,
    "f": 1e-15,
    "p": 1e-12,
    "n": 1e-9,
    "u": 1e-6,
    "m": 1e-3,
    "c": 1e-2,
    "k": 1e3,
    "M": 1e6,
}
_SPECIAL = {"1": 1.0, "degC": 1.0, "min": 60.0}
_TOKEN = re.compile(r"([A-Za-z]+|1)(-?\d+)?|[*/() ]")


class Unit:
    """A parsed unit: its dimension and its size in SI units.

    **Arguments:** `text` such as `"mV"`, `"uA/cm2"`, `"1/ms"`, `"1/(uM ms)"`, `"1"`, `"degC"`.

    **Raises:** `ValueError` if the text is not a unit.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.dimension: tuple[int, ...] = (0, 0, 0, 0, 0)
        self.size = 1.0
        position, sign, depth = 0, 1, 0
        while position < len(text):
            token = _TOKEN.match(text, position)
            if token is None:
                raise ValueError(f"cannot read the unit {text!r} at {text[position:]!r}.")
            position = token.end()
            if token.group() == "/":
                sign = -1
            elif token.group() in "()":
                depth += 1 if token.group() == "(" else -1
                sign = 1 if token.group() == ")" else sign
            elif token.group(1) is not None:
                self._multiply(token.group(1), sign * int(token.group(2) or 1))
                sign = sign if depth else 1
        if depth or not text:
            raise ValueError(f"cannot read the unit {text!r}: empty, or unbalanced brackets.")

    def _multiply(self, name: str, power: int) -> None:
        if name in _SPECIAL:
            dimension, size = (int(name == "min"), 0, 0, 0, 0), _SPECIAL[name]
        else:
            dimension, size = _prefixed(name, self.text)
        self.dimension = tuple(
            a + power * b for a, b in zip(self.dimension, dimension, strict=True)
        )
        self.size *= size**power

    def factor(self) -> float:
        """How many units of the coherent system one of this unit is."""
        time, voltage, current, length, concentration = self.dimension
        expected = 1e-3**time * 1e-3**voltage * 1e-6**concentration
        if current and length == -2 * current:
            expected *= 1e-2**current
        else:
            expected *= 1e-12**current * 1e-6**length
        return self.size / expected

    def assert_coherent(self) -> None:
        """**Raises:** `ValueError` if a value in this unit would need a conversion factor."""
        factor = self.factor()
        if not math.isclose(factor, 1.0, rel_tol=1e-9):
            raise ValueError(
                f"the unit {self.text!r} is {factor:g} times the library's own: convert the value "
                "where it is entered (see tripartite.core.units) and declare the coherent unit "
                "(ms, mV, uM, and uA/cm2, mS/cm2, uF/cm2 or pA, nS, pF)."
            )


def _prefixed(name: str, text: str) -> tuple[tuple[int, int, int, int, int], float]:
    if name in _BASE:
        return _BASE[name]
    if name[0] in _PREFIX and name[1:] in _BASE:
        dimension, size = _BASE[name[1:]]
        return dimension, size * _PREFIX[name[0]]
    raise ValueError(
        f"unknown unit {name!r} in {text!r}; known: {', '.join(sorted(_BASE))} with a prefix, "
        "'1', 'degC' and 'min'."
    )


def per_area(whole_cell: Array | float, area: Array | float) -> Array:
    """Converts pA, nS or pF of a whole cell to uA/cm2, mS/cm2 or uF/cm2.

    **Arguments:** `whole_cell` in pA, nS or pF; `area` of the membrane in um2.

    1 pA/um2 = 1e-6 uA / 1e-8 cm2 = 100 uA/cm2, and likewise for nS and pF.
    """
    return 100.0 * jnp.asarray(whole_cell) / jnp.asarray(area)


def whole_cell(density: Array | float, area: Array | float) -> Array:
    """Converts uA/cm2, mS/cm2 or uF/cm2 to pA, nS or pF of a cell of `area` um2."""
    return jnp.asarray(density) * jnp.asarray(area) / 100.0
