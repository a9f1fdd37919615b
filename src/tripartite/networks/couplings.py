"""What joins units of one population without a synapse: gap junctions of either kind."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from tripartite.astrocytes import AbstractCoupling, GapJunctions, exchange
from tripartite.core import AbstractParametrised, Membrane
from tripartite.core.arguments import checked, require, require_fields
from tripartite.networks.edges import Edges
from tripartite.synapses import GapJunction


def _indices(junctions: GapJunctions) -> GapJunctions:
    require("Coupling.junctions", junctions, GapJunctions)
    return GapJunctions(*(jnp.asarray(x, jnp.int32) for x in junctions))


class Coupling(AbstractParametrised):
    """Gap junctions within one population: electrical between cells, of IP3 between astrocytes.

    The two sides of a junction see one conductance, or one flux: what leaves one enters the other.

    **Arguments:** `population`: its name; `junction`: a `synapses.GapJunction` for cells (its
    weight one number, or one for each junction), or an `astrocytes.AbstractCoupling`; `junctions`:
    an `astrocytes.GapJunctions`, such as `gap_junctions(edges)`.

    **Raises:** `ValueError` for junctions of unequal length, or of a unit with itself, and for
    weights of another length.
    """

    population: str = eqx.field(static=True)
    junction: GapJunction | AbstractCoupling
    junctions: GapJunctions = eqx.field(converter=_indices)

    def __check_init__(self) -> None:
        require_fields(self)
        self.junctions.require_pairs("unit")
        count = len(self.junctions.here)
        weight = self.junction.weight if self.electrical() else 0.0  # pyright: ignore[reportAttributeAccessIssue]
        if np.shape(weight) not in ((), (count,)):
            raise ValueError(
                f"a coupling of {self.population!r} has weights of shape {np.shape(weight)} for "
                f"{count} junctions: give one number, or one for each junction."
            )

    def require_within(self, count: int) -> None:
        """**Raises:** `ValueError` for a junction of a unit that is not there."""
        self.junctions.require_within(count, f"junctions of {self.population!r} name units")

    def electrical(self) -> bool:
        """Whether it joins membranes."""
        return isinstance(self.junction, GapJunction)

    def membrane(self, v: Array) -> Membrane:
        """What each cell receives, from the voltages of all (mV)."""
        assert isinstance(self.junction, GapJunction)
        here, there = self.junctions
        g = jnp.broadcast_to(self.junction.weight, here.shape)
        none = jnp.zeros_like(v)
        current = none.at[here].add(g * v[there]).at[there].add(g * v[here])
        return Membrane(current, none.at[here].add(g).at[there].add(g))

    def flux(self, ip3: Array) -> Array:
        """The IP3 that enters each astrocyte (uM/ms), from the IP3 of all (uM)."""
        assert isinstance(self.junction, AbstractCoupling)
        return exchange(self.junction, self.junctions, ip3)


@checked
def gap_junctions(edges: Edges) -> GapJunctions:
    """One junction for each pair that an edge joins, in whichever direction."""
    low, high = np.minimum(edges.pre, edges.post), np.maximum(edges.pre, edges.post)
    pairs = np.unique(np.stack([low, high]), axis=1)
    here, there = pairs[:, pairs[0] < pairs[1]]
    return GapJunctions(jnp.asarray(here), jnp.asarray(there))
