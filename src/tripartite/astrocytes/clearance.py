"""What astrocytes clear from the space around a synapse: glutamate and potassium."""

from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array

from tripartite.astrocytes.base import require_not_negative
from tripartite.astrocytes.membranes import (
    PotassiumBuffer,
    PumpedMembrane,
    resting_glia,
    resting_neuron,
)
from tripartite.core import (
    AbstractDynamics,
    AbstractRelaxation,
    Parameter,
    Relaxation,
    parameter,
)
from tripartite.core.units import millimolar, per_second


class GlutamateUptake(AbstractRelaxation):
    """Glutamate outside the cells: released, and taken up.

        dY/dt = J - Omega Y - O_u Y / (K_u + Y)

    First order by default, as in Stimberg et al. (2019); a transporter that saturates
    (Michaelis and Menten) by `transport`, as in Computational Glioscience (2019), chapter 10. The
    state is Y in uM, the input the release J in uM/ms. First order alone, a fixed step is exact.

    **Arguments:** `rate` (Omega), 1/ms; `transport` (O_u), uM/ms, half at `half` (K_u), uM;
    `glutamate_init`, uM.

    **Raises:** `ValueError` for a negative concentration.
    """

    rate: Parameter = parameter(40.0 * per_second, "1/ms", source="Stimberg et al. 2019")
    transport: Parameter = parameter(0.0, "uM/ms", source="De Pitta 2019, chapter 10")
    half: Parameter = parameter(100.0, "uM", positive=True, source="De Pitta 2019, chapter 10")
    glutamate_init: Parameter = parameter(0.0, "uM", trainable=False)

    def __check_init__(self) -> None:
        require_not_negative("glutamate_init", self.glutamate_init)

    def init(self) -> Array:
        """`glutamate_init`."""
        return self.glutamate_init

    def units(self) -> str:
        """uM."""
        return "uM"

    def input_units(self) -> str:
        """Release."""
        return "uM/ms"

    def ports(self, y: Array) -> dict[str, Array]:
        """`glutamate` in uM."""
        return {"glutamate": y}

    def relax(self, t: Array, y: Array, u: Any) -> Relaxation:
        """Drive: release. Decay: both uptakes."""
        release = jnp.zeros_like(y) if u is None else jnp.broadcast_to(u, y.shape)
        transported = self.transport / (self.half + jnp.maximum(y, 0.0))
        return Relaxation(release, self.rate + transported)


class PotassiumState(NamedTuple):
    """Potassium and sodium of neuron, cleft and glia, and potassium `bound` in the cleft, in uM."""

    k_neuron: Array
    k_cleft: Array
    k_glia: Array
    bound: Array
    na_neuron: Array
    na_cleft: Array
    na_glia: Array


class PotassiumClearance(AbstractDynamics):
    """A closed neuron, cleft and glial cell: potassium leaves the one and is cleared by the other.

    Each membrane holds its voltage and passes potassium and sodium through leaks, a pump and, in
    glia, an inward rectifier; the cleft has a buffer. Somjen, Kager and Wadman, J. Comput.
    Neurosci. 25, 349 (2008). The glial voltage is held because the cell is joined to a large
    syncytium. The input is the potassium that action potentials push into the cleft, in uM/ms of
    the cleft; as much sodium enters the neuron.

    What leaves a compartment enters another, so that the totals of both ions are conserved by
    every Runge-Kutta method to rounding.

    **Arguments:** `neuron`, `glia`: a `PumpedMembrane` each; `buffer`, a `PotassiumBuffer`;
    `k_neuron` and the others: where each starts, uM, by default the rest.

    **Raises:** `ValueError` for a negative concentration.
    """

    neuron: PumpedMembrane = eqx.field(default_factory=resting_neuron)
    glia: PumpedMembrane = eqx.field(default_factory=resting_glia)
    buffer: PotassiumBuffer = eqx.field(default_factory=PotassiumBuffer)
    k_neuron: Parameter = parameter(130.0 * millimolar, "uM", trainable=False)
    k_cleft: Parameter = parameter(3.5 * millimolar, "uM", trainable=False)
    k_glia: Parameter = parameter(95.5 * millimolar, "uM", trainable=False)
    na_neuron: Parameter = parameter(10.0 * millimolar, "uM", trainable=False)
    na_cleft: Parameter = parameter(140.0 * millimolar, "uM", trainable=False)
    na_glia: Parameter = parameter(10.0 * millimolar, "uM", trainable=False)

    def __check_init__(self) -> None:
        for name in ("k_neuron", "k_cleft", "k_glia", "na_neuron", "na_cleft", "na_glia"):
            require_not_negative(name, getattr(self, name))

    def init(self) -> PotassiumState:
        """The concentrations given, with the buffer in equilibrium."""
        return PotassiumState(
            self.k_neuron,
            self.k_cleft,
            self.k_glia,
            self.buffer.equilibrium(self.k_cleft),
            self.na_neuron,
            self.na_cleft,
            self.na_glia,
        )

    def units(self) -> str:
        """uM, all of them."""
        return "uM"

    def input_units(self) -> str:
        """Potassium into the cleft."""
        return "uM/ms"

    def ports(self, y: PotassiumState) -> dict[str, Array]:
        """`potassium` in the cleft, in the glial cell (`k_glia`) and `bound`, uM."""
        return {"potassium": y.k_cleft, "k_glia": y.k_glia, "bound": y.bound}

    def total_potassium(self, y: PotassiumState) -> Array:
        """All potassium, uM per volume of the cleft."""
        inside = self.neuron.volume * y.k_neuron + self.glia.volume * y.k_glia
        return inside + y.k_cleft + y.bound

    def total_sodium(self, y: PotassiumState) -> Array:
        """All sodium, uM per volume of the cleft."""
        inside = self.neuron.volume * y.na_neuron + self.glia.volume * y.na_glia
        return inside + y.na_cleft

    def vector_field(self, t: Array, y: PotassiumState, u: Any) -> PotassiumState:
        """Each flux leaves one compartment and enters another."""
        fired = jnp.zeros_like(y.k_cleft) if u is None else u
        k_n, na_n = self.neuron.outflow(y.k_neuron, y.na_neuron, y.k_cleft, y.na_cleft)
        k_g, na_g = self.glia.outflow(y.k_glia, y.na_glia, y.k_cleft, y.na_cleft)
        k_n, na_n = k_n + fired, na_n - fired
        bound = self.buffer.binding(y.k_cleft, y.bound)
        return PotassiumState(
            -k_n / self.neuron.volume,
            k_n + k_g - bound,
            -k_g / self.glia.volume,
            bound,
            -na_n / self.neuron.volume,
            na_n + na_g,
            -na_g / self.glia.volume,
        )
