"""Arguments that functions on models take, by name: solving, analysis, fits, attention, plots."""

import datetime

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

import tripartite as tp
from tripartite.attention.pretrained import BertConfig
from tripartite.attention.vit import ViTConfig
from tripartite.proofs.certificate import Check, Claim, Theorem

KEY = jax.random.key(0)
SQUID, LIF = tp.cells.HodgkinHuxley(), tp.cells.LIF()
SQUARE, HEADS = jnp.eye(3), jnp.eye(3)[None]
TRACE, TIMES = jnp.linspace(-60.0, 40.0, 12), jnp.arange(12.0)
ELU = tp.attention.EluPlusOne()
RUN = tp.simulate(LIF, 2.0, t1=1.0, dt=0.1)
GATES = tp.simulate(SQUID, 2.0, t1=0.2, dt=0.1, record="state")
FEATURES = tp.fit.Features(*jnp.ones(6))
CIRCUIT = tp.attention.AttentionCircuit(3, 3)
MEMORY = tp.attention.Memory(SQUARE, jnp.ones(3))
BERT = BertConfig(6, 4, 1, 2, 4, 5, 2)
VIT = ViTConfig(4, 2, 1, 4, 1, 2, 4)
ENCODER = tp.attention.BertEncoder(BERT, key=KEY)
NETWORK = tp.networks.Network({"cells": tp.networks.population(tp.cells.LIF, 2)})
CHECK = Check("x", "algebra", 1.0, 2.0, False, True, "y", "cpu", 0.0)
THEOREM = Theorem("x", "x", "x", ("x",), "x")
CERTIFICATE = tp.proofs.Certificate(THEOREM, (CHECK,), "float64", {})
TOKENS = {"q": SQUARE, "k": SQUARE, "v": SQUARE}
KEPT = {"model": LIF, "solution": RUN}
FITTED = {"model": LIF, "data": None, "key": KEY, "starts": 2}
GAMES = {"trace": TRACE, "recorded": TRACE}
POSITIONS = np.zeros((3, 2))


def loss(model, data):
    return model.capacitance


def parameter(model):
    return model.capacitance


def at_current(current):
    return LIF, current


def claims():
    return iter([Claim("x", "algebra", 1.0, "y", float)])


# What has no default of a callable; what has is added.
USES = {
    "analysis.Nudged": {
        "model": SQUID, "where": lambda y: y.v, "recorded": tp.stimuli.Step(1.0), "rate": 1.0,
    },
    "analysis.crossings": {"model": SQUID, "t1": 1.0},
    "analysis.eigenvalues": {"model": SQUID, "y": SQUID.init()},
    "analysis.f_i_curve": {"model": SQUID, "currents": [5.0], "t1": 2.0, "dt": 0.1},
    "analysis.fisher_information": {
        "trace": lambda p: p * TRACE, "parameters": jnp.ones(()), "noise": 1.0,
    },
    "analysis.follow_equilibria": {"along": at_current, "start": 0.0, "stop": 0.1, "step": 0.05},
    "analysis.jacobian": {"model": SQUID, "y": SQUID.init()},
    "analysis.phase_plane": {"model": tp.cells.FitzHughNagumo(), "x": (-1.0, 1.0), "y": (0.0, 1.0)},
    "analysis.spike_mask": {"v": TRACE, "threshold": 0.0},
    "analysis.spike_times": {"ts": TIMES, "v": TRACE},
    "analysis.steady_state": {"model": SQUID},
    "astype": {"tree": SQUID, "dtype": jnp.float32},
    "attention.AstrocyteAttention": {"num_heads": 2, "query_size": 4, "key": KEY},
    "attention.AstrocyteEncoder": {
        "encoder": ENCODER, "circuits": (tp.attention.CircuitHeads(ELU),),
    },
    "attention.AttentionCircuit": {"neurons": 3, "processes": 4},
    "attention.BertEncoder": {"config": BERT, "key": KEY},
    "attention.CircuitHeads": {"features": ELU},
    "attention.GaussHermite": {"nodes": 2, "dimension": 3},
    "attention.Taylor": {"degree": 2},
    "attention.ViTEncoder": {"config": VIT, "key": KEY},
    "attention.checkpoint_folder": {"checkpoint": "absent"},
    "attention.circuit_attention": {"features": ELU, **TOKENS},
    "attention.load_bert": {"directory": "absent"},
    "attention.load_feature_maps": {"path": "absent"},
    "attention.load_vit": {"directory": "absent"},
    "attention.reached_at": {
        "time": 1.0, "tau_n": jnp.ones(1), "tau_s": jnp.ones(1), "log_calcium": jnp.ones(3),
    },
    "attention.read": {"circuit": CIRCUIT, "memory": MEMORY, "query": jnp.ones(3)},
    "attention.save_feature_maps": {"path": "absent/maps", "maps": ELU},
    "attention.softmax_heads": {"q": HEADS, "k": HEADS, "v": HEADS},
    "attention.swap_attention": {"model": ENCODER, "features": ELU},
    "attention.token_names": {"directory": "absent", "ids": [0]},
    "attention.tokenize": {"directory": "absent", "texts": ["x"]},
    "attention.write": {"circuit": CIRCUIT, "keys": SQUARE, "values": SQUARE},
    **{
        f"attention.{name}": {"features": 4, "dimension": 3, "key": KEY}
        for name in (
            "Hyperbolic", "LearnedExponential", "LearnedGaussian", "PositiveRandom",
            "Trigonometric",
        )
    },
    **{
        f"attention.{name}": {"features": ELU, **TOKENS}
        for name in ("linear_attention", "fixed_point")
    },
    "attention.linear_time": {
        "features": ELU, "q": SQUARE[:, None], "k": SQUARE[:, None], "v": SQUARE[:, None],
    },
    "attention.softmax_attention": TOKENS,
    "core.has_jump": {"model": LIF},
    "core.whole": {"default": 1},
    "core.parameter": {"default": 1.0, "unit": "mV"},
    "fit.CurrentClamp": {"stimuli": tp.stimuli.Step(*jnp.ones((3, 1))), "t1": 1.0},
    "fit.Interval": {"low": 0.0, "high": 1.0},
    "fit.LogDensity": {
        "packing": tp.fit.pack(LIF), "loss": loss, "data": None, "log_prior": None,
    },
    "fit.VoltageClamp": {"commands": jnp.zeros(2), "holding": -70.0, "t1": 1.0},
    "fit.crossing_times": {"ts": TIMES, "v": TRACE, "most": 2},
    "fit.feature_distance": {"found": FEATURES, "wanted": FEATURES, "scales": FEATURES},
    "fit.features": {"ts": TIMES, "v": TRACE},
    "fit.fit": {"loss": loss, "steps": 1, **FITTED},
    "fit.least_squares": {"residuals": lambda m, d, r: m.capacitance[None], **FITTED},
    "fit.log_density": {"model": LIF, "loss": loss, "data": None},
    "fit.mean_square": GAMES,
    "fit.negative_log_likelihood": {"noise": 1.0, **GAMES},
    "fit.pack": {"model": SQUID},
    "fit.read_checkpoint": {"path": "absent"},
    "fit.residuals": GAMES,
    "fit.soft_dtw": {"x": TRACE, "y": TRACE},
    "fit.spike_count": {"v": TRACE},
    "fit.van_rossum": {"a": TIMES, "b": TIMES, "tau": 10.0},
    "fit.victor_purpura": {"a": TIMES, "b": TIMES, "cost": 0.1},
    "io.from_xarray": {"dataset": None},
    "io.load": {"path": "absent"},
    "io.load_solution": {"path": "absent"},
    "io.save": {"path": "absent/cell", "model": LIF},
    "io.save_nwb": {
        "path": "absent/run", "session_start": datetime.datetime.now(datetime.UTC),
        "description": "x", "identifier": "x", **KEPT,
    },
    "io.save_solution": {"path": "absent/run", **KEPT},
    "io.to_xarray": KEPT,
    "networks.Population": {
        "unit": LIF, "axes": (None,) * len(jax.tree.leaves(LIF)), "size": 2,
    },
    "networks.distance_dependent": {
        "pre": POSITIONS, "post": POSITIONS, "probability": lambda d: np.exp(-d), "key": KEY,
    },
    "plots.attention_maps": {"maps": {"x": SQUARE}},
    "plots.calcium_raster": {"solution": RUN, "port": "v"},
    "plots.certificate": {"found": CERTIFICATE},
    "plots.channel": {"channel": tp.channels.Sodium()},
    "plots.draw_all": {"theorems": [], "directory": "absent"},
    "plots.f_i_curve": {"currents": [1.0], "rates": [1.0]},
    "plots.gates": {"solution": GATES},
    "plots.network_graph": {"network": NETWORK},
    "plots.phase_plane": {"model": tp.cells.FitzHughNagumo(), "x": (-1.0, 1.0), "y": (0.0, 1.0)},
    "plots.raster": {"times": [[1.0]]},
    "plots.stimulus": {"given": 1.0, "t1": 1.0},
    "plots.trace": {"solution": RUN},
    "plots.voltage_and_stimulus": {"solution": RUN, "given": 1.0},
    "plots.work_precision": {"results": {"x": ([1.0], [1.0])}},
    "proofs.Claim": {
        "name": "x", "rung": "algebra", "bound": 1.0, "why": "y", "measure": float,
    },
    "proofs.DigitsTransformer": {"key": KEY},
    "proofs.Theorem": {
        "name": "x", "statement": "x", "latex": "x", "assumptions": ("x",), "source": "x",
    },
    "proofs.attention_by_map": {"directory": "absent", "text": "absent"},
    "proofs.certify": {"theorem": THEOREM, "claims": claims},
    "proofs.error_against_features": {"squared_length": 1.0, "features": (4,), "seeds": 1},
    "proofs.random_feature_curve": {"features": (16,)},
    "proofs.sentence_agreement": {"original": SQUARE, "swapped": SQUARE},
    "proofs.sentence_embeddings": {"hidden": HEADS, "mask": jnp.ones((1, 3), bool)},
    "proofs.split_digits": {"labels": np.arange(20) % 10},
    "proofs.transformer_runs_on_astrocytes": {"directory": "absent", "text": "absent"},
    "scale.mesh": {},
    "scale.shard": {"tree": LIF, "mesh": tp.scale.mesh()},
    "simulate": {"model": SQUID, "stimulus": tp.stimuli.Step(10.0), "t1": 1.0, "dt": 0.1},
    "solvers.AtEvents": {"solver": diffrax.Tsit5(), "inner": diffrax.ODETerm(loss)},
    "solvers.EventController": {"controller": diffrax.PIDController(1e-3, 1e-3)},
    "solvers.FixedSteps": {"steps": 3, "dt": 0.1},
    "solvers.Jumping": {"solver": diffrax.Tsit5()},
    "solvers.Noisy": {"solver": diffrax.Tsit5(), "key": KEY},
    "solvers.flows_of": {"flow": tp.solvers.Pade(), "y": TRACE},
    "solvers.term_for": {"model": LIF, "solver": diffrax.Tsit5()},
    "summary": {"model": LIF},
    "testing.check": {"model": LIF},
    "testing.gradient_check": {"loss": parameter, "at": LIF},
    "value_and_gradient": {"loss": parameter, "at": LIF},
}  # fmt: skip
