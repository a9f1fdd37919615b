"""Every public class and function of the library with arguments that it takes, by name."""

import dataclasses
import inspect

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import tripartite as tp

PARTS = (
    "analysis", "astrocytes", "attention", "cells", "channels", "fit", "io", "layers", "memory",
    "networks", "plots", "scale", "solvers", "stimuli", "synapses", "testing",
)  # fmt: skip


def public():
    """`module.name` of each public callable that is not abstract, a state or an alias of types."""
    for part in PARTS:
        module = getattr(tp, part)
        names = getattr(module, "__all__", None) or [
            name for name, x in vars(module).items()
            if getattr(x, "__module__", "") == module.__name__ and not name.startswith("_")
        ]  # fmt: skip
        for name in names:
            x = getattr(module, name)
            if not (inspect.isclass(x) or inspect.isfunction(x)) or inspect.isabstract(x):
                continue
            if isinstance(x, type) and issubclass(x, tuple):
                continue
            yield f"{part}.{name}", x


def by_default(x):
    """The arguments of a class that has a default for each, as an instance holds them."""
    if not (isinstance(x, type) and issubclass(x, eqx.Module)):
        return None
    try:
        made = x()
    except TypeError:
        return None
    fields = {field.name for field in dataclasses.fields(made)}
    names = [name for name in inspect.signature(x).parameters if name in fields]
    return {name: getattr(made, name) for name in names}


ast, ch, syn, nets = tp.astrocytes, tp.channels, tp.synapses, tp.networks
KEY = jax.random.key(0)
SQUID, GLIA, LEAK = tp.cells.HodgkinHuxley(), ast.ChI(), ch.Leak()
EDGES = nets.all_to_all(3, 3)
CELLS = nets.population(tp.cells.LIF, 3)
SQUARE = jnp.eye(3)
TRACE = jnp.linspace(-60.0, 40.0, 12)
TIMES = jnp.arange(12.0)
TWO_TIMES = jnp.asarray([1.0, 5.0])
ELU = tp.attention.EluPlusOne()
SIZES = {"features": 4, "dimension": 3, "key": KEY}
STEP = tp.stimuli.Step(10.0)
TERMINAL = syn.TsodyksMarkram(syn.Exponential())
SMOOTH = syn.MeanFieldTsodyksMarkram(syn.Exponential(), trigger=syn.SmoothSpikes(0.5))
LINEAR = eqx.nn.Linear(3, 4, key=KEY)
PROJECTION = nets.Projection("cells", "cells", syn.Exponential(), EDGES)

# What has no default of a callable; what has is added.
REQUIRED = {
    "analysis.crossings": {"model": SQUID, "t1": 1.0},
    "analysis.eigenvalues": {"model": SQUID, "y": SQUID.init()},
    "analysis.f_i_curve": {"model": SQUID, "currents": [5.0], "t1": 2.0, "dt": 0.1},
    "analysis.jacobian": {"model": SQUID, "y": SQUID.init()},
    "analysis.phase_plane": {"model": tp.cells.FitzHughNagumo(), "x": (-1.0, 1.0), "y": (0.0, 1.0)},
    "analysis.spike_mask": {"v": TRACE, "threshold": 0.0},
    "analysis.spike_times": {"ts": TIMES, "v": TRACE},
    "analysis.steady_state": {"model": SQUID},
    "astrocytes.AstrocyteNetwork": {
        "astrocyte": GLIA, "coupling": ast.LinearCoupling(), "junctions": ast.ring(3), "count": 3,
    },
    "astrocytes.GliotransmitterRelease": {"astrocyte": GLIA},
    "astrocytes.SmoothRelease": {"astrocyte": GLIA},
    "astrocytes.StochasticGate": {"astrocyte": ast.LiRinzel()},
    "astrocytes.IP3Pulse": {"amplitude": 0.8, "rise": 20.0, "rate": 0.1, "decay": 500.0},
    "astrocytes.Transients": {"jump": 1.0, "times": TWO_TIMES},
    "astrocytes.SpikeArrivals": {"times": TWO_TIMES, "dt": 0.1},
    "astrocytes.ring": {"count": 4},
    "attention.AstrocyteAttention": {"num_heads": 2, "query_size": 4, "key": KEY},
    "attention.AttentionCircuit": {"neurons": 3, "processes": 4},
    "attention.CircuitHeads": {"features": ELU},
    "attention.GaussHermite": {"nodes": 2, "dimension": 3},
    "attention.Taylor": {"degree": 2},
    **{
        f"attention.{name}": SIZES
        for name in (
            "Hyperbolic", "LearnedExponential", "LearnedGaussian", "PositiveRandom",
            "Trigonometric",
        )
    },
    **{
        f"attention.{name}": {"features": ELU, "q": SQUARE, "k": SQUARE, "v": SQUARE}
        for name in ("linear_attention", "fixed_point")
    },
    "attention.linear_time": {
        "features": ELU, "q": SQUARE[:, None], "k": SQUARE[:, None], "v": SQUARE[:, None],
    },
    "attention.softmax_attention": {"q": SQUARE, "k": SQUARE, "v": SQUARE},
    "cells.TVLIF": {"cell": SQUID},
    "cells.DerivativeTVLIF": {"cell": SQUID},
    "cells.ConductanceCell": {"channels": (LEAK,)},
    "cells.CurrentNoise": {"intensity": 1.0},
    "cells.ResettingTVLIF": {"inner": tp.cells.TVLIF(SQUID), "v_reset": -70.0},
    "cells.SpikeSource": {"times": TWO_TIMES},
    "cells.VoltageClamp": {"channel": ch.Sodium()},
    "cells.adex": {"pattern": "tonic"},
    "cells.adex_current": {"pattern": "tonic"},
    "cells.izhikevich": {"kind": "RS"},
    "cells.gauge_reset": {"tvlif": tp.cells.TVLIF(SQUID)},
    "cells.true_reset": {"tvlif": tp.cells.TVLIF(SQUID)},
    "cells.with_channel_noise": {"cell": SQUID, "counts": {"sodium": 100.0}},
    "cells.with_current_noise": {"cell": SQUID, "intensity": 1.0},
    "channels.CalciumPool": {"sources": ("t",)},
    "channels.CalciumPotassium": {"conductance": 1.0},
    "channels.HCurrent": {"conductance": 1.0},
    "channels.PersistentSodium": {"conductance": 1.0},
    "channels.Channel": {"name": "x", "gates": {}, "conductance": 1.0, "reversal": 0.0},
    "channels.NernstChannel": {"name": "x", "gates": ch.t_type_gates(), "conductance": 1.0},
    "channels.GHKChannel": {"name": "x", "gates": ch.t_type_gates(), "permeability": 1.0},
    "channels.Gate": {"opening": ch.Linoid(), "closing": ch.Exponential()},
    "channels.RelaxingGate": {"steady": ch.Boltzmann(), "time": ch.SigmoidTime()},
    "channels.InstantaneousGate": {"steady": ch.Boltzmann()},
    "channels.RateRatio": {"opening": ch.Linoid(), "closing": ch.Exponential()},
    "channels.RateTime": {"first": ch.Exponential(), "second": ch.Exponential()},
    "channels.GateNoiseChannel": {"channel": ch.Sodium(), "count": 100.0},
    "channels.MarkovChannel": {"channel": ch.Sodium(), "count": 100.0},
    "fit.Interval": {"low": 0.0, "high": 1.0},
    "fit.Simplex": {},
    "fit.crossing_times": {"ts": TIMES, "v": TRACE},
    "fit.features": {"ts": TIMES, "v": TRACE},
    "fit.spike_count": {"v": TRACE},
    "fit.soft_dtw": {"x": TRACE, "y": TRACE},
    "fit.van_rossum": {"a": TWO_TIMES, "b": TWO_TIMES, "tau": 10.0},
    "fit.victor_purpura": {"a": TWO_TIMES, "b": TWO_TIMES, "cost": 0.1},
    "fit.mean_square": {"trace": TRACE, "recorded": TRACE},
    "fit.residuals": {"trace": TRACE, "recorded": TRACE},
    "fit.pack": {"model": SQUID},
    "layers.DANNLayer": {"inputs": 3, "outputs": 4, "key": KEY},
    "layers.DaleRecurrent": {"inputs": 3, "units": 4, "key": KEY},
    "layers.ReleaseHHLayer": {"synapse": LINEAR, "units": (4,), "key": KEY},
    "layers.SLIF2HHLayer": {"key": KEY},
    "layers.LIFLayer": {"synapse": LINEAR},
    "layers.HHLayer": {"synapse": LINEAR},
    "memory.EvenPower": {"power": 2},
    "memory.ReluPower": {"power": 2},
    "memory.HebbianFastWeights": {"stimuli": 3, "positions": 4},
    "memory.KeyValueMemory": {"keys": SQUARE, "values": SQUARE},
    "memory.NeuronAstrocyteMemory": {"patterns": SQUARE},
    "memory.TwoLayerMemory": {"patterns": SQUARE},
    "memory.RecurrentPosition": {"transitions": SQUARE[None], "start": SQUARE[0]},
    "memory.exponential_storage": {"dimension": 8},
    "memory.grid_score": {"rates": jnp.eye(8), "spacing": 3.0},
    **{
        f"memory.{name}": {"patterns": SQUARE, "state": SQUARE[0], "beta": 1.0}
        for name in ("hopfield_energy", "hopfield_update", "hopfield_weights")
    },
    "memory.separation": {"patterns": SQUARE},
    "networks.Coupling": {
        "population": "cells", "junction": syn.GapJunction(0.1),
        "junctions": nets.gap_junctions(EDGES),
    },
    "networks.Edges": {"pre": np.arange(3), "post": np.arange(3)},
    "networks.Ensheathed": {"population": "glia", "astrocyte": np.zeros(9, int)},
    "networks.Network": {"populations": {"cells": CELLS}, "projections": [PROJECTION]},
    "networks.Projection": {
        "pre": "cells", "post": "cells", "synapse": syn.Exponential(), "edges": EDGES,
    },
    "networks.all_to_all": {"n_pre": 3, "n_post": 3},
    "networks.bernoulli": {"n_pre": 3, "n_post": 3, "p": 0.5, "key": KEY},
    "networks.ensheathe": {"edges": EDGES, "population": "glia", "n": 2, "key": KEY},
    "networks.fixed_fan_in": {"n_pre": 3, "n_post": 3, "k": 2, "key": KEY},
    "networks.fixed_fan_out": {"n_pre": 3, "n_post": 3, "k": 2, "key": KEY},
    "networks.gap_junctions": {"edges": EDGES},
    "networks.lattice": {"shape": (3, 3)},
    "networks.one_to_one": {"n": 3},
    "networks.population": {"make": tp.cells.LIF, "n": 3},
    "networks.ring": {"n": 5},
    "networks.small_world": {"n": 8, "neighbours": 2, "p": 0.1, "key": KEY},
    "scale.mesh": {},
    "solvers.FixedSteps": {"steps": 3, "dt": 0.1},
    "stimuli.Constant": {"amplitude": 1.0},
    "stimuli.Step": {"amplitude": 1.0},
    "stimuli.PulseTrain": {"amplitude": 1.0, "width": 1.0, "period": 2.0},
    "stimuli.Ramp": {"slope": 1.0},
    "stimuli.Sampled": {"values": TRACE, "spacing": 1.0},
    "stimuli.ornstein_uhlenbeck": {"mean": 0.0, "std": 1.0, "tau": 1.0, "t1": 2.0, "key": KEY},
    "stimuli.point_conductances": {"t1": 2.0, "key": KEY},
    "synapses.GradedSynapse": {"scheme": syn.TwoState(1.0, 1.0)},
    "synapses.PulsedSynapse": {"scheme": syn.TwoState(1.0, 1.0)},
    "synapses.TwoState": {"binding": 1.0, "unbinding": 1.0},
    "synapses.TsodyksMarkram": {"receptor": syn.Exponential()},
    "synapses.MeanFieldTsodyksMarkram": {"receptor": syn.Exponential()},
    "synapses.TripartiteSynapse": {"terminal": TERMINAL},
    "synapses.SmoothTripartiteSynapse": {"terminal": SMOOTH},
    "synapses.PlasticSynapse": {"synapse": syn.Exponential(), "rule": syn.PairSTDP()},
    "synapses.SmoothPlasticSynapse": {"synapse": SMOOTH, "rule": syn.PairSTDP()},
    "synapses.spike_train": {"times": TWO_TIMES, "t1": 6.0, "dt": 0.1},
    "testing.check": {"model": tp.cells.LIF()},
    "simulate": {"model": SQUID, "stimulus": STEP, "t1": 1.0, "dt": 0.1},
}  # fmt: skip


def examples(prefixes):
    """Each callable of such names, and arguments that it takes: `name, callable, arguments`."""
    for name, x in (*public(), ("simulate", tp.simulate)):
        if not name.startswith(prefixes) or ".Abstract" in name:
            continue
        found = by_default(x)
        if found is None:
            needed = REQUIRED.get(name)
            known = inspect.signature(x).parameters.values()
            if needed is None and any(
                p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
                for p in known
            ):
                continue
            found = dict(needed or {})
            for p in known:
                if p.default is not p.empty and repr(p.default) != "<factory>":
                    found.setdefault(p.name, p.default)
            if isinstance(x, type) and issubclass(x, eqx.Module):
                made = x(**found)
                found |= {
                    f.name: getattr(made, f.name)
                    for f in dataclasses.fields(x)
                    if f.name in inspect.signature(x).parameters and f.name not in found
                }
        if found:
            yield name, x, found
