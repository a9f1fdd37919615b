"""Synapses: receptors, short-term plasticity, the tripartite synapse, long-term plasticity."""

from tripartite.synapses.base import (
    AbstractEventTerminal,
    AbstractLinearSynapse,
    AbstractReleasingSynapse,
    AbstractSynapse,
    NoReceptor,
)
from tripartite.synapses.current import ExponentialCurrent
from tripartite.synapses.exponential import DoubleExponential, Exponential
from tripartite.synapses.gap_junction import GapJunction
from tripartite.synapses.kinetic import (
    GradedRelease,
    GradedSynapse,
    PulsedSynapse,
    ampa,
    gaba_a,
    gaba_b,
    nmda,
)
from tripartite.synapses.magnesium import MagnesiumBlock
from tripartite.synapses.plasticity import (
    AbstractPlasticSynapse,
    PlasticSynapse,
    SmoothPlasticSynapse,
)
from tripartite.synapses.schemes import AbstractScheme, GProtein, TwoState
from tripartite.synapses.slow_inward import SlowInwardCurrent
from tripartite.synapses.smooth_spikes import SmoothSpikes
from tripartite.synapses.spike_train import SpikeTrain, spike_train
from tripartite.synapses.stdp import (
    AbstractSTDP,
    PairSTDP,
    TripletSTDP,
    hippocampus,
    visual_cortex,
)
from tripartite.synapses.tripartite import (
    AbstractTripartiteSynapse,
    SmoothTripartiteSynapse,
    TripartiteSynapse,
)
from tripartite.synapses.tsodyks_markram import (
    AbstractTsodyksMarkram,
    MeanFieldTsodyksMarkram,
    TsodyksMarkram,
)

__all__ = [
    "AbstractEventTerminal",
    "AbstractLinearSynapse",
    "AbstractPlasticSynapse",
    "AbstractReleasingSynapse",
    "AbstractSTDP",
    "AbstractScheme",
    "AbstractSynapse",
    "AbstractTripartiteSynapse",
    "AbstractTsodyksMarkram",
    "DoubleExponential",
    "Exponential",
    "ExponentialCurrent",
    "GProtein",
    "GapJunction",
    "GradedRelease",
    "GradedSynapse",
    "MagnesiumBlock",
    "MeanFieldTsodyksMarkram",
    "NoReceptor",
    "PairSTDP",
    "PlasticSynapse",
    "PulsedSynapse",
    "SlowInwardCurrent",
    "SmoothPlasticSynapse",
    "SmoothSpikes",
    "SmoothTripartiteSynapse",
    "SpikeTrain",
    "TripartiteSynapse",
    "TripletSTDP",
    "TsodyksMarkram",
    "TwoState",
    "ampa",
    "gaba_a",
    "gaba_b",
    "hippocampus",
    "nmda",
    "spike_train",
    "visual_cortex",
]
