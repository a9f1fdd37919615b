"""The models that are fuzzed, in value and in gradient, with what drives and steps them."""

import jax
import jax.numpy as jnp
import numpy as np

import tripartite as tp

ast, cells, syn = tp.astrocytes, tp.cells, tp.synapses


def _network(synapse, **options):
    nets = tp.networks
    edges = nets.fixed_fan_in(4, 4, 2, key=jax.random.key(0))
    return nets.Network(
        {"cells": nets.population(cells.LIF, 4, rest=jnp.linspace(-52.0, -45.0, 4))},
        [nets.Projection("cells", "cells", synapse, edges, **options)],
    )


# A model, the largest stimulus, and its fixed step: two hundred of them are taken.
MODELS = {
    "HodgkinHuxley": (cells.HodgkinHuxley, 20.0, 0.05),
    "four_lif": (cells.four_lif, 20.0, 0.05),
    "derivative units": (lambda: cells.four_lif("derivative"), 20.0, 0.05),
    "MorrisLecar": (cells.MorrisLecar, 500.0, 0.2),
    "ConnorStevens": (cells.ConnorStevens, 20.0, 0.05),
    "WangBuzsaki": (cells.WangBuzsaki, 5.0, 0.05),
    "TraubMiles": (cells.TraubMiles, 5.0, 0.05),
    "PospischilRS": (cells.PospischilRS, 5.0, 0.05),
    "PospischilFS": (cells.PospischilFS, 5.0, 0.05),
    "PospischilIB": (cells.PospischilIB, 5.0, 0.05),
    "PospischilLTS": (cells.PospischilLTS, 5.0, 0.05),
    "FitzHughNagumo": (cells.FitzHughNagumo, 1.0, 0.1),
    "HindmarshRose": (cells.HindmarshRose, 3.0, 0.02),
    "LIF": (cells.LIF, 5.0, 0.1),
    "LiRinzel": (ast.LiRinzel, 1.0, 50.0),
    "ChI": (ast.ChI, 5.0, 50.0),
    "DePittaFM": (ast.DePittaFM, 5.0, 50.0),
    "GChI": (ast.GChI, 5.0, 50.0),
    "StimbergFigure2": (ast.StimbergFigure2, 5.0, 50.0),
    "Handy": (ast.Handy, 0.5, 50.0),
    "Ullah": (ast.Ullah, 0.001, 50.0),
    "NESTAstrocyte": (ast.NESTAstrocyte, 0.001, 1.0),
    "Lallouette": (ast.Lallouette, 0.0, 50.0),
    "release": (lambda: ast.GliotransmitterRelease(ast.GChI()), 5.0, 50.0),
    "smooth release": (lambda: ast.SmoothRelease(ast.GChI()), 5.0, 50.0),
    "GlutamateUptake": (ast.GlutamateUptake, 1.0, 1.0),
    "PotassiumClearance": (ast.PotassiumClearance, 1.0, 0.5),
    "exponential synapses": (lambda: _network(syn.Exponential(0.1)), None, 0.1),
    "double exponential synapses": (lambda: _network(syn.DoubleExponential(0.1)), None, 0.1),
    "Tsodyks-Markram synapses": (
        lambda: _network(syn.TsodyksMarkram(syn.Exponential(0.1))), None, 0.1,
    ),
    "AMPA synapses": (lambda: _network(syn.ampa(0.1, pulsed=True)), None, 0.1),
    "NMDA synapses": (lambda: _network(syn.nmda(0.1, pulsed=True)), None, 0.1),
    "GABA-B synapses": (lambda: _network(syn.gaba_b(0.1, pulsed=True)), None, 0.1),
    "delayed synapses": (lambda: _network(syn.Exponential(0.1), delay=1.0), None, 0.1),
    "two-layer memory": (lambda: tp.memory.TwoLayerMemory.model_b(jnp.eye(3)), None, 0.05),
    "passive cell": (lambda: cells.ConductanceCell((tp.channels.Leak(),)), 5.0, 0.1),
    "h current": (lambda: _with(tp.channels.HCurrent(0.02)), 5.0, 0.1),
    "persistent sodium": (lambda: _with(tp.channels.PersistentSodium(0.13)), 5.0, 0.1),
    "A current": (lambda: _with(tp.channels.APotassium()), 5.0, 0.1),
    "M current": (lambda: _with(tp.channels.MPotassium()), 5.0, 0.1),
    "EIF": (cells.EIF, 500.0, 0.1),
    "AdEx": (cells.AdEx, 500.0, 0.1),
    "QIF": (cells.QIF, 5.0, 0.1),
    "Izhikevich": (cells.Izhikevich, 10.0, 0.1),
    "reset units": (lambda: cells.true_reset(cells.four_lif()), 20.0, 0.05),
    "Nernst calcium": (lambda: _with_pool(nernst()), 5.0, 0.1),
    "GHK calcium": (lambda: _with_pool(ghk()), 5.0, 0.1),
}  # fmt: skip


def _with(channel):
    return cells.ConductanceCell((channel, tp.channels.Leak()))


def nernst():
    return tp.channels.NernstChannel("calcium", tp.channels.t_type_gates(), 0.4)


def ghk():
    p = tp.channels.permeability_current(1e-4)
    return tp.channels.GHKChannel("calcium", tp.channels.l_type_gates(), p)


def _with_pool(channel):
    """With potassium channels that calcium opens, and the shell that the current fills."""
    ch = tp.channels
    opened = (ch.CalciumPotassium(2.0), ch.AfterHyperpolarisation())
    pool = ch.CalciumPool(("calcium",))
    return cells.ConductanceCell((channel, *opened, ch.Leak()), pool=pool)


def _gates(kind):
    counts = {"sodium": 600.0, "potassium": 180.0}
    return cells.with_channel_noise(cells.HodgkinHuxley(), counts, kind=kind)


def _terminal(receptor):
    trigger = syn.SmoothSpikes(0.5, threshold=-20.0, slope=8.0)
    return syn.MeanFieldTsodyksMarkram(receptor, trigger=trigger)


CLEFT = tp.core.Cleft(-20.0, -55.0, 1.0, 0.5, 1.0, 0.05, 0.02)
SQUARE = np.arange(9.0).reshape(3, 3) / 9.0

# What the fuzz of values leaves out: noise, synapses by themselves, memories, layers. A model and
# its input.
FIELDS = {
    "current noise": (lambda: cells.with_current_noise(cells.HodgkinHuxley(), 0.5), 5.0),
    "Markov channels": (lambda: _gates(tp.channels.MarkovChannel), 5.0),
    "noisy gates": (lambda: _gates(tp.channels.GateNoiseChannel), 5.0),
    "stochastic gate": (lambda: ast.StochasticGate(ast.LiRinzel()), 1.0),
    "BookLiRinzel": (ast.BookLiRinzel, 1.0),
    "StimbergLiRinzel": (ast.StimbergLiRinzel, 1.0),
    "StimbergFigure3": (ast.StimbergFigure3, 5.0),
    "astrocytes": (lambda: ast.AstrocyteNetwork(ast.StimbergFigure3(), *ast.ring(3)), 1.0),
    "ampa": (syn.ampa, CLEFT),
    "nmda": (syn.nmda, CLEFT),
    "gaba_b": (syn.gaba_b, CLEFT),
    "pulsed nmda": (lambda: syn.nmda(pulsed=True), CLEFT),
    "double exponential": (lambda: syn.DoubleExponential(block=syn.MagnesiumBlock()), CLEFT),
    "exponential current": (lambda: syn.ExponentialCurrent(10.0), CLEFT),
    "mean field": (lambda: _terminal(syn.DoubleExponential()), CLEFT),
    "tripartite, smooth": (
        lambda: syn.SmoothTripartiteSynapse(_terminal(syn.Exponential()), effect=0.9), CLEFT,
    ),
    "tripartite": (
        lambda: syn.TripartiteSynapse(syn.TsodyksMarkram(syn.Exponential()), effect=0.9), CLEFT,
    ),
    "pairs": (lambda: syn.PlasticSynapse(syn.Exponential(), syn.PairSTDP()), CLEFT),
    "triplets, smooth": (
        lambda: syn.SmoothPlasticSynapse(
            syn.SmoothTripartiteSynapse(_terminal(syn.Exponential()), effect=0.1),
            syn.visual_cortex(full=True),
        ),
        CLEFT,
    ),
    "key-value memory": (lambda: tp.memory.KeyValueMemory(SQUARE, SQUARE), SQUARE[0]),
    "model A": (lambda: tp.memory.TwoLayerMemory.model_a(SQUARE, 4), None),
    "model C": (lambda: tp.memory.TwoLayerMemory.model_c(SQUARE, 3), None),
    "exponential memory": (
        lambda: tp.memory.TwoLayerMemory(SQUARE, tp.memory.LogCosh(), tp.memory.Exponential()),
        None,
    ),
    "neuron-astrocyte memory": (lambda: tp.memory.NeuronAstrocyteMemory(SQUARE), None),
    "Dale's law": (lambda: tp.layers.DaleRecurrent(2, 5, key=jax.random.key(0)), np.ones(2)),
}  # fmt: skip
