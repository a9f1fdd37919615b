"""Networks: populations, edges, projections with delays and astrocytes, gap junctions."""

from tripartite.networks.couplings import Coupling, gap_junctions
from tripartite.networks.crossing import AbstractCrossing, Crossing, Refractory
from tripartite.networks.edges import (
    Edges,
    all_to_all,
    bernoulli,
    fixed_fan_in,
    fixed_fan_out,
    one_to_one,
)
from tripartite.networks.ensheathing import Ensheathed, ensheathe
from tripartite.networks.geometry import distance_dependent, lattice, ring, small_world
from tripartite.networks.network import Network, NetworkState
from tripartite.networks.pathway import ProjectionState
from tripartite.networks.population import Population, population
from tripartite.networks.projection import Projection

__all__ = [
    "AbstractCrossing",
    "Coupling",
    "Crossing",
    "Edges",
    "Ensheathed",
    "Network",
    "NetworkState",
    "Population",
    "Projection",
    "ProjectionState",
    "Refractory",
    "all_to_all",
    "bernoulli",
    "distance_dependent",
    "ensheathe",
    "fixed_fan_in",
    "fixed_fan_out",
    "gap_junctions",
    "lattice",
    "one_to_one",
    "population",
    "ring",
    "small_world",
]
