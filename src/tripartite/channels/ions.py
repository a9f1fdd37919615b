"""Calcium: a pool, the reversal it sets (Nernst), and the current it carries (GHK)."""

from collections.abc import Mapping

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.channels.channel import AbstractGatedChannel
from tripartite.channels.curves import AbstractReadsCalcium, known
from tripartite.channels.gates import AbstractGate, times_open
from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.errors import require_numbers
from tripartite.core.numerics import exponential_weights, linoid

# CODATA 2018: R / F in mV/K, and F in uA/cm2 for a flux of 1 uM at 1 cm/s.
_MILLIVOLT_PER_KELVIN = 0.0861733326
_CURRENT_PER_FLUX = 96.48533212
_AT_36_DEGREES = _MILLIVOLT_PER_KELVIN * 309.15


def thermal_voltage(temperature: float) -> float:
    """`R T / F` in mV. **Arguments:** `temperature` in degC."""
    require_numbers(temperature=temperature)
    return _MILLIVOLT_PER_KELVIN * (temperature + 273.15)


def q10(temperature: float, reference: float, base: float = 3.0) -> float:
    """`base^((temperature - reference) / 10)`: how much faster rates are than at `reference`.

    **Arguments:** temperatures in degC; `base` the factor for ten degrees (a pure number).
    """
    require_numbers(temperature=temperature, reference=reference, base=base)
    return base ** ((temperature - reference) / 10.0)


def influx_into_shell(depth: float, valence: int = 2) -> float:
    """`1 / (z F depth)`: a pool's `influx`, uM cm2/(uA ms). **Arguments:** `depth` in um.

    1 uA/cm2 into a shell 1 um deep raises calcium by 51.8 uM/s.
    """
    require_numbers(depth=depth, valence=valence)
    # 1 um is 1e-4 cm, 1 s is 1e3 ms.
    return 10.0 / (valence * _CURRENT_PER_FLUX * depth)


def permeability_current(permeability: float, valence: int = 2) -> float:
    """`z F P` in uA/(cm2 uM), as `GHKChannel` takes it. **Arguments:** `permeability` in cm/s."""
    require_numbers(permeability=permeability, valence=valence)
    return valence * _CURRENT_PER_FLUX * permeability


class CalciumPool(AbstractParametrised):
    """The calcium under the membrane: `dc/dt = -influx I_Ca - (c - rest) / tau`.

    I_Ca is the current of the channels named in `sources`, inward negative. Destexhe, Babloyantz
    and Sejnowski, Biophys. J. 65, 1538 (1993), with the values of the authors' template of
    Pospischil et al. (2008): a shell of 1 um, 5 ms, 0.24 uM.

    **Arguments:**

    - `sources`: the names of the channels whose current is calcium.
    - `influx`: uM cm2/(uA ms); see `influx_into_shell`.
    - `tau`: ms. `rest`: uM, where the pool starts.
    """

    sources: tuple[str, ...] = eqx.field(static=True)
    influx: Parameter = parameter(
        10.0 / (2 * _CURRENT_PER_FLUX), "uM cm2/(uA ms)", positive=True, source="a shell of 1 um"
    )
    tau: Parameter = parameter(5.0, "ms", positive=True, source="ModelDB 123623")
    rest: Parameter = parameter(0.24, "uM", source="ModelDB 123623")

    def relax(self, current: Array) -> tuple[Array, Array]:
        """Drive (uM/ms) and decay (1/ms) under a calcium current (uA/cm2, inward negative)."""
        return self.rest / self.tau - self.influx * current, 1.0 / self.tau


class NernstChannel(AbstractGatedChannel, AbstractReadsCalcium):
    """A calcium channel whose reversal follows the pool: `E = (R T / z F) ln(outside / c)`.

    Hille, Ion Channels of Excitable Membranes (3rd ed., 2001), equation 1.11 for the reversal.

    **Arguments:**

    - `name`, `gates`, `conductance`, `source`: as in `Channel`.
    - `outside`: uM. `thermal_voltage`: R T / F in mV (default: 36 degC). `valence`: a whole number.
    - `floor`: uM; less calcium than that counts as that much, so that E stays finite.

    **Raises:** `ValueError` when called without calcium.
    """

    name: str = eqx.field(static=True)
    gates: Mapping[str, AbstractGate]
    conductance: Parameter = parameter(None, "mS/cm2")
    outside: Parameter = parameter(2000.0, "uM", positive=True)
    thermal_voltage: Parameter = parameter(_AT_36_DEGREES, "mV", positive=True)
    floor: Parameter = parameter(1e-5, "uM", positive=True, trainable=False)
    valence: int = eqx.field(static=True, default=2)
    source: str = eqx.field(static=True, default="")

    def open_conductance(
        self, gates: dict[str, Array], v: Array, calcium: Array | None = None
    ) -> Array:
        """`conductance * product of gate^power` in mS/cm2."""
        return times_open(self.conductance, self.gates, gates, v, calcium)

    def reversal_potential(self, calcium: Array | None = None) -> Array:
        """The Nernst potential, mV."""
        return self.thermal_voltage / self.valence * _log_ratio(self, calcium)


class GHKChannel(AbstractGatedChannel, AbstractReadsCalcium):
    """The Goldman-Hodgkin-Katz current as a chord: a conductance and a reversal.

    `I = zFP open x (c - outside exp(-x)) / (1 - exp(-x))`, x = z v F / (R T); Hille (2001),
    equation 14.5 (Hodgkin and Katz 1949). With the Nernst potential E and d = z (v - E) F / (R T),

        I = g (v - E),   g = zFP open c (z F / R T) [x / (1 - exp(-x))] [(1 - exp(-d)) / d]

    without a pole at v = 0 nor at v = E, so that the membrane relaxes and the tv-LIF theorem
    holds. Right for |v| up to 500 mV, beyond which the first bracket is cut off.

    **Arguments:**

    - `name`, `gates`, `source`: as in `Channel`.
    - `permeability`: z F P in uA/(cm2 uM); see `permeability_current`.
    - `outside`, `thermal_voltage`, `floor`, `valence`: as in `NernstChannel`.

    **Raises:** `ValueError` when called without calcium.
    """

    name: str = eqx.field(static=True)
    gates: Mapping[str, AbstractGate]
    permeability: Parameter = parameter(None, "uA/(cm2 uM)")
    outside: Parameter = parameter(2000.0, "uM", positive=True)
    thermal_voltage: Parameter = parameter(_AT_36_DEGREES, "mV", positive=True)
    floor: Parameter = parameter(1e-5, "uM", positive=True, trainable=False)
    valence: int = eqx.field(static=True, default=2)
    source: str = eqx.field(static=True, default="")

    def open_conductance(
        self, gates: dict[str, Array], v: Array, calcium: Array | None = None
    ) -> Array:
        """The chord conductance in mS/cm2."""
        per_volt = self.valence / self.thermal_voltage
        x = v * per_volt
        _, weight = exponential_weights(x - _log_ratio(self, calcium))
        inside = jnp.maximum(known(calcium), self.floor)
        chord = self.permeability * per_volt * inside * linoid(x) * weight
        return times_open(chord, self.gates, gates, v, calcium)

    def reversal_potential(self, calcium: Array | None = None) -> Array:
        """The Nernst potential, mV."""
        return self.thermal_voltage / self.valence * _log_ratio(self, calcium)


def _log_ratio(channel: NernstChannel | GHKChannel, calcium: Array | None) -> Array:
    """`ln(outside / inside)`."""
    return jnp.log(channel.outside / jnp.maximum(known(calcium), channel.floor))
