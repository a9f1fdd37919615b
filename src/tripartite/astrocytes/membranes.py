"""Membranes that move potassium and sodium: rectifier, pump and leaks, and a buffer outside."""

import jax.numpy as jnp
from jaxtyping import Array

from tripartite.core import AbstractParametrised, Parameter, parameter
from tripartite.core.arguments import checked
from tripartite.core.numerics import hill, logistic
from tripartite.core.units import millimolar

_SOURCE = "Somjen et al. 2008"


class InwardRectifier(AbstractParametrised):
    """The glial potassium channel Kir, which lets potassium in and hardly out.

        I = g / sqrt(K_o / 1 mM)  (V - E_K) / (1 + exp((V - E_K - v_h) / v_s))

    Under the root, less than a millionth of `reference` counts as that much.

    Somjen, Kager and Wadman, J. Comput. Neurosci. 25, 349 (2008), ModelDB 113446. Other authors
    let the conductance grow with the root of K_o: that is another channel.

    **Arguments:** `conductance` (g), mS/cm2, at K_o of `reference`, uM; `midpoint` (v_h) and
    `scale` (v_s), mV.

    **Raises:** `ValueError` if `reference` or `scale` is not positive.
    """

    conductance: Parameter = parameter(25.0, "mS/cm2", source=_SOURCE)
    reference: Parameter = parameter(1.0 * millimolar, "uM", positive=True, trainable=False)
    midpoint: Parameter = parameter(0.0, "mV", source=_SOURCE)
    scale: Parameter = parameter(1.0, "mV", positive=True, source=_SOURCE)

    def __call__(self, v: Array, e_potassium: Array, outside: Array) -> Array:
        """The current (uA/cm2, outward positive) from V, E_K (mV) and K_o (uM); 0 without K_o."""
        present = outside > 0.0
        root = jnp.sqrt(self.reference / jnp.maximum(outside, 1e-6 * self.reference))
        beyond = v - e_potassium
        open_share = logistic((self.midpoint - beyond) / self.scale)
        return jnp.where(present, self.conductance * root * open_share * beyond, 0.0)


class SodiumPotassiumPump(AbstractParametrised):
    """The Na/K pump: 3 sodium out for 2 potassium in.

        I_K = -2 P (1 + K_K / K_o)^-2 (1 + K_Na / Na_i)^-3,    I_Na = -(3/2) I_K

    Somjen et al. (2008), glial values; neurons have a `half_potassium` of 2 mM.

    **Arguments:** `strength` (P), uA/cm2; `half_potassium` (K_K) and `half_sodium` (K_Na), uM.

    **Raises:** `ValueError` if an affinity is not positive.
    """

    strength: Parameter = parameter(13.0, "uA/cm2", source="this library's choice")
    half_potassium: Parameter = parameter(5.0 * millimolar, "uM", positive=True, source=_SOURCE)
    half_sodium: Parameter = parameter(10.0 * millimolar, "uM", positive=True, source=_SOURCE)

    def __call__(self, k_outside: Array, na_inside: Array) -> tuple[Array, Array]:
        """The currents of potassium and of sodium (uA/cm2, outward positive), from uM."""
        turnover = (
            self.strength
            * hill(k_outside, self.half_potassium, 1) ** 2
            * hill(na_inside, self.half_sodium, 1) ** 3
        )
        return -2.0 * turnover, 3.0 * turnover


class PotassiumBuffer(AbstractParametrised):
    """A buffer that binds potassium outside the cells: `K_o + B <-> KB`.

        dKB/dt = f / (1 + exp((K_h - K_o) / k)) K_o B - r KB

    Kager, Wadman and Somjen, J. Neurophysiol. 84, 495 (2000).

    **Arguments:** `total` (B + KB), uM; `forward` (f), 1/(uM ms); `back` (r), 1/ms; `midpoint`
    (K_h) and `scale` (k), uM.

    **Raises:** `ValueError` if `scale` or `back` is not positive.
    """

    total: Parameter = parameter(500.0 * millimolar, "uM", source=_SOURCE)
    forward: Parameter = parameter(0.0008 / millimolar, "1/(uM ms)", source=_SOURCE)
    back: Parameter = parameter(0.0008, "1/ms", positive=True, source=_SOURCE)
    midpoint: Parameter = parameter(15.0 * millimolar, "uM", source=_SOURCE)
    scale: Parameter = parameter(1.15 * millimolar, "uM", positive=True, source=_SOURCE)

    def _rate(self, outside: Array) -> Array:
        return self.forward * outside * logistic((outside - self.midpoint) / self.scale)

    def binding(self, outside: Array, bound: Array) -> Array:
        """Potassium that is bound, net (uM/ms), from K_o and KB (uM)."""
        return self._rate(outside) * (self.total - bound) - self.back * bound

    def equilibrium(self, outside: Array) -> Array:
        """KB at rest (uM), from K_o (uM)."""
        rate = self._rate(outside)
        return self.total * rate / (rate + self.back)


class PumpedMembrane(AbstractParametrised):
    """A membrane at a held voltage: leaks of potassium and sodium, a pump, perhaps a rectifier.

    `I_x = g_x (V - E_x)`, E_x from Nernst (Hille 2001, equation 1.11).

    **Arguments:**

    - `pump`, a `SodiumPotassiumPump`; `rectifier`, an `InwardRectifier` or `None`.
    - `voltage`, mV; `thermal_voltage` (R T / F), mV, by default at 36 degC.
    - `potassium`, `sodium`: leaks, mS/cm2.
    - `volume`: of the cell, over the cleft's; `exchange`: uM/ms in the cleft for 1 uA/cm2, which
        is 10 / (F depth) for a cleft `depth` um wide (by default 0.02 um). `floor`: uM; less than
        that counts as that much in E_x, so that it stays finite.

    **Raises:** `ValueError` if a volume or an exchange is not positive.
    """

    pump: SodiumPotassiumPump
    rectifier: InwardRectifier | None
    voltage: Parameter = parameter(None, "mV")
    potassium: Parameter = parameter(0.0, "mS/cm2")
    sodium: Parameter = parameter(0.0, "mS/cm2")
    volume: Parameter = parameter(5.0, "1", positive=True, source="this library's choice")
    exchange: Parameter = parameter(
        10.0 / (96.48533212 * 0.02), "uM cm2/(uA ms)", positive=True, source="CODATA 2018"
    )
    thermal_voltage: Parameter = parameter(26.6401, "mV", positive=True, source="CODATA 2018")
    floor: Parameter = parameter(1e-3, "uM", positive=True, trainable=False)

    def nernst(self, outside: Array, inside: Array) -> Array:
        """`(R T / F) ln(outside / inside)` in mV."""
        ratio = jnp.maximum(outside, self.floor) / jnp.maximum(inside, self.floor)
        return self.thermal_voltage * jnp.log(ratio)

    def outflow(
        self, k_inside: Array, na_inside: Array, k_outside: Array, na_outside: Array
    ) -> tuple[Array, Array]:
        """Potassium and sodium that leave the cell (uM/ms of the cleft), from uM."""
        k_pumped, na_pumped = self.pump(k_outside, na_inside)
        e_potassium = self.nernst(k_outside, k_inside)
        k_current = k_pumped + self.potassium * (self.voltage - e_potassium)
        if self.rectifier is not None:
            k_current = k_current + self.rectifier(self.voltage, e_potassium, k_outside)
        leak = self.sodium * (self.voltage - self.nernst(na_outside, na_inside))
        return self.exchange * k_current, self.exchange * (na_pumped + leak)


@checked
def balanced(membrane: PumpedMembrane, rest: tuple[float, float, float, float]) -> PumpedMembrane:
    """The membrane with the leaks that hold it at rest, given everything else.

    **Arguments:** `rest`: potassium and sodium inside, potassium and sodium outside, uM.

    **Raises:** `ValueError` if that takes a negative conductance.
    """
    k_in, na_in, k_out, na_out = (jnp.asarray(x, membrane.voltage.dtype) for x in rest)
    without = _with_leaks(membrane, jnp.zeros_like(k_in), jnp.zeros_like(k_in))
    k_flow, na_flow = without.outflow(k_in, na_in, k_out, na_out)
    potassium = -k_flow / membrane.exchange / (membrane.voltage - membrane.nernst(k_out, k_in))
    sodium = -na_flow / membrane.exchange / (membrane.voltage - membrane.nernst(na_out, na_in))
    if bool(potassium < 0) or bool(sodium < 0):
        raise ValueError(
            f"rest at {rest} uM takes leaks of {potassium} and {sodium} mS/cm2: make the pump "
            "stronger, or move the voltage."
        )
    return _with_leaks(membrane, potassium, sodium)


def _with_leaks(membrane: PumpedMembrane, potassium: Array, sodium: Array) -> PumpedMembrane:
    return PumpedMembrane(
        membrane.pump,
        membrane.rectifier,
        membrane.voltage,
        potassium,
        sodium,
        membrane.volume,
        membrane.exchange,
        membrane.thermal_voltage,
        membrane.floor,
    )


def resting_neuron() -> PumpedMembrane:
    """A neuron at -70 mV, its leaks in balance with a pump of the affinities of Somjen et al."""
    pump = SodiumPotassiumPump(half_potassium=2.0 * millimolar)
    rest = (130.0 * millimolar, 10.0 * millimolar, 3.5 * millimolar, 140.0 * millimolar)
    return balanced(PumpedMembrane(pump, None, -70.0), rest)


def resting_glia() -> PumpedMembrane:
    """A glial cell at -88 mV, where potassium is nearly at rest, with Kir, a pump and leaks.

    With 95.5 mM of potassium inside, E_K is 0.08 mV below the membrane: what leaks out through Kir
    is what the pump brings in, but for a twentieth.
    """
    rest = (95.5 * millimolar, 10.0 * millimolar, 3.5 * millimolar, 140.0 * millimolar)
    return balanced(PumpedMembrane(SodiumPotassiumPump(), InwardRectifier(), -88.0), rest)
