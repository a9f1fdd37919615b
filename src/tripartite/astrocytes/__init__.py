"""Astrocytes: calcium and IP3, what drives them, what they release, and what they clear."""

from tripartite.astrocytes.base import AbstractAstrocyte, AstrocyteDrive, as_drive
from tripartite.astrocytes.calcium_store import CalciumStore, book_store, stimberg_store
from tripartite.astrocytes.chi import ChI, ChIState, DePittaAM, DePittaFM, Lallouette
from tripartite.astrocytes.clearance import (
    GlutamateUptake,
    PotassiumClearance,
    PotassiumState,
)
from tripartite.astrocytes.coupling import (
    AbstractCoupling,
    LallouetteCoupling,
    LinearCoupling,
    ThresholdCoupling,
)
from tripartite.astrocytes.drives import Drive, IP3Pulse, SpikeArrivals, Transients, drive
from tripartite.astrocytes.gchi import (
    GChI,
    GChIState,
    StimbergFigure2,
    StimbergFigure3,
    StimbergRing,
)
from tripartite.astrocytes.handy import Handy, HandyState
from tripartite.astrocytes.li_rinzel import (
    BookLiRinzel,
    LiRinzel,
    LiRinzelState,
    NadkarniJungAM,
    NadkarniJungFM,
    StimbergLiRinzel,
)
from tripartite.astrocytes.membranes import (
    InwardRectifier,
    PotassiumBuffer,
    PumpedMembrane,
    SodiumPotassiumPump,
    balanced,
    resting_glia,
    resting_neuron,
)
from tripartite.astrocytes.metabolism import IP3Metabolism, IP3Source
from tripartite.astrocytes.nest import NESTAstrocyte, NESTState
from tripartite.astrocytes.network import AstrocyteNetwork, GapJunctions, exchange, ring
from tripartite.astrocytes.receptor import IP3Receptor
from tripartite.astrocytes.release import (
    GliotransmitterRelease,
    ReleaseState,
    SmoothRelease,
    SmoothReleaseState,
    Vesicles,
)
from tripartite.astrocytes.stochastic import StochasticGate
from tripartite.astrocytes.ullah import Ullah, UllahState

__all__ = [
    "AbstractAstrocyte",
    "AbstractCoupling",
    "AstrocyteDrive",
    "AstrocyteNetwork",
    "BookLiRinzel",
    "CalciumStore",
    "ChI",
    "ChIState",
    "DePittaAM",
    "DePittaFM",
    "Drive",
    "GChI",
    "GChIState",
    "GapJunctions",
    "GliotransmitterRelease",
    "GlutamateUptake",
    "Handy",
    "HandyState",
    "IP3Metabolism",
    "IP3Pulse",
    "IP3Receptor",
    "IP3Source",
    "InwardRectifier",
    "Lallouette",
    "LallouetteCoupling",
    "LiRinzel",
    "LiRinzelState",
    "LinearCoupling",
    "NESTAstrocyte",
    "NESTState",
    "NadkarniJungAM",
    "NadkarniJungFM",
    "PotassiumBuffer",
    "PotassiumClearance",
    "PotassiumState",
    "PumpedMembrane",
    "ReleaseState",
    "SmoothRelease",
    "SmoothReleaseState",
    "SodiumPotassiumPump",
    "SpikeArrivals",
    "StimbergFigure2",
    "StimbergFigure3",
    "StimbergLiRinzel",
    "StimbergRing",
    "StochasticGate",
    "ThresholdCoupling",
    "Transients",
    "Ullah",
    "UllahState",
    "Vesicles",
    "as_drive",
    "balanced",
    "book_store",
    "drive",
    "exchange",
    "resting_glia",
    "resting_neuron",
    "ring",
    "stimberg_store",
]
