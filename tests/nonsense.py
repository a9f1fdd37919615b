"""Every public class and function of the library with arguments that it takes, by name."""

import dataclasses
import inspect
from typing import get_origin

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import tripartite as tp
from nonsense_uses import USES

# Of these no argument can be nonsense that a user gives: each with its reason.
_RETURNED = "the library makes it, and hands it out"
_INNER = "called by the library alone, with what a solve is made of"
UNTOLD = {
    "core.Parameter": "a type, for annotations",
    "core.Relaxation": "made anew in each evaluation: a solve compares it with the state",
    "solvers.is_mapped": "asks of any tree whether it holds traced values",
    "layers.parameter_count": "counts in any tree",
    "layers.trainable": "marks the arrays of any tree",
    "memory.log_cosh": "a function of arrays like those of jax.numpy, with JAX's own errors",
    **dict.fromkeys(
        (
            "attention.Presented", "attention.ReadingCircuit", "core.ParameterInfo",
            "core.Spikes", "fit.FitError",
            "fit.Packing", "proofs.Certificate", "proofs.Check", "testing.GradientReport",
            "testing.Report",
        ),
        _RETURNED,
    ),
    **dict.fromkeys(
        (
            "core.as_cleft", "core.as_membrane", "core.chosen", "core.is_declared",
            "core.no_spikes", "core.parameters_of", "core.part_name", "core.prefix_leaves",
            "proofs.format_bound", "proofs.format_measured", "proofs.verdict",
            "solvers.ExactStep", "solvers.padded_field", "solvers.products_reached",
            "solvers.scanned", "solvers.spikes_of", "solvers.without_idle_midpoint",
        ),
        _INNER,
    ),
}  # fmt: skip


def public():
    """`module.name` of each public callable: no abstract class, NamedTuple or alias of types."""
    everything = {name: getattr(tp, name) for name in tp.__all__}
    modules = {name: x for name, x in everything.items() if inspect.ismodule(x)}
    seen = set()
    for part, module in {"": tp, **modules}.items():
        names = getattr(module, "__all__", None) or [
            name for name, x in vars(module).items()
            if getattr(x, "__module__", "") == module.__name__ and not name.startswith("_")
        ]  # fmt: skip
        for name in names:
            x = getattr(module, name)
            plain = inspect.isclass(x) and (issubclass(x, tuple) or inspect.isabstract(x))
            if not callable(x) or plain or name.startswith("Abstract") or get_origin(x) is not None:
                continue
            if id(x) not in seen:
                yield f"{part}.{name}".lstrip("."), x
            seen.add(id(x))


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
REQUIRED = USES | {
    "astrocytes.AstrocyteNetwork": {
        "astrocyte": GLIA, "coupling": ast.LinearCoupling(), "junctions": ast.ring(3), "count": 3,
    },
    "astrocytes.GliotransmitterRelease": {"astrocyte": GLIA},
    "astrocytes.SmoothRelease": {"astrocyte": GLIA},
    "astrocytes.StochasticGate": {"astrocyte": ast.LiRinzel()},
    "astrocytes.IP3Pulse": {"amplitude": 0.8, "rise": 20.0, "rate": 0.1, "decay": 500.0},
    "astrocytes.Transients": {"jump": 1.0, "times": TWO_TIMES},
    "astrocytes.SpikeArrivals": {"times": TWO_TIMES, "dt": 0.1},
    "astrocytes.Drive": dict.fromkeys(("glutamate", "coupling", "bias", "spikes"), STEP),
    "astrocytes.PumpedMembrane": {
        "pump": ast.SodiumPotassiumPump(), "rectifier": None, "voltage": -80.0,
    },
    "astrocytes.as_drive": {"u": 1.0, "like": TRACE},
    "astrocytes.balanced": {
        "membrane": ast.PumpedMembrane(ast.SodiumPotassiumPump(), None, -80.0),
        "rest": (1e5, 1e4, 3e3, 1e5),
    },
    "astrocytes.exchange": {
        "coupling": ast.LinearCoupling(), "junctions": ast.ring(3), "ip3": SQUARE[0],
    },
    "astrocytes.ring": {"count": 4},
    "channels.influx_into_shell": {"depth": 1.0},
    "channels.permeability_current": {"permeability": 1.0},
    "channels.q10": {"temperature": 20.0, "reference": 6.3},
    "channels.thermal_voltage": {"temperature": 20.0},
    "layers.multiply_accumulates": {"fn": jnp.sin},
    **{
        f"memory.{name}": {"patterns": SQUARE, "state": SQUARE[0], "function": jnp.square}
        for name in ("dense_gaps", "dense_update")
    },
    "memory.memories_mixed": {"weights": SQUARE[0]},
    "memory.one_step_bound": {"patterns": SQUARE, "state": SQUARE[0], "index": 0, "beta": 1.0},
    "memory.retrieve": {"memory": tp.memory.TwoLayerMemory(SQUARE), "cue": SQUARE[0]},
    "stimuli.Parts": {"parts": {"cells": STEP}},
    "stimuli.as_stimulus": {"stimulus": 1.0, "dtype": float},
    "synapses.SpikeTrain": {
        **dict.fromkeys(("v_pre", "v_post", "modulation", "rate", "post_rate"), STEP),
        "spikes": TRACE, "post_spikes": TRACE, "spacing": 0.1,
    },
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
    "fit.Simplex": {},
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
}  # fmt: skip


def examples(prefixes=("",)):
    """Each callable of such names, and arguments that it takes: `name, callable, arguments`.

    A public callable for which there are none raises, so that a new one is not forgotten.
    """
    for name, x in public():
        if not name.startswith(prefixes) or name in UNTOLD or not inspect.signature(x).parameters:
            continue
        yield name, x, by_default(x) or required(name, x)


def required(name, x):
    """The arguments that are listed, and the defaults of the others."""
    found = dict(REQUIRED.get(name, {}))
    for p in inspect.signature(x).parameters.values():
        if p.kind in (p.VAR_KEYWORD, p.VAR_POSITIONAL):
            continue
        if p.default is not p.empty and repr(p.default) != "<factory>":
            found.setdefault(p.name, p.default)
        assert p.name in found or repr(p.default) == "<factory>", (
            f"give {name} an example of {p.name} in tests/nonsense.py or tests/nonsense_uses.py"
        )
    if isinstance(x, type) and issubclass(x, eqx.Module):
        made = x(**found)
        found |= {
            f.name: getattr(made, f.name)
            for f in dataclasses.fields(x)
            if f.name in inspect.signature(x).parameters and f.name not in found
        }
    return found
