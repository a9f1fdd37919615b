"""The gallery of figures that `tripartite.plots` draws: `python docs/draw_plots.py`."""

from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import tripartite as tp
from tripartite import plots

FIGURES = Path(__file__).parent / "figures"
nets, ast = tp.networks, tp.astrocytes


def small_network():
    """Neurons, a few of them inhibitory, and astrocytes that modulate the others' synapses."""
    key = jax.random.key(0)
    edges = nets.fixed_fan_in(12, 12, 3, key=key, loops=False)
    terminal = tp.synapses.TsodyksMarkram(tp.synapses.Exponential(0.02))
    synapse = tp.synapses.TripartiteSynapse(terminal, effect=0.0)
    worn = nets.ensheathe(edges, "astro", 4, key=key)
    receptor = tp.synapses.Exponential(0.01, reversal=-80.0)
    glia = ast.GliotransmitterRelease(ast.GChI())
    return nets.Network(
        {
            "exc": nets.population(tp.cells.LIF, 12, rest=jnp.linspace(-51.0, -46.0, 12)),
            "inh": nets.population(tp.cells.LIF, 4, rest=jnp.linspace(-50.0, -47.0, 4)),
            "astro": nets.population(glia, 4),
        },
        [
            nets.Projection("exc", "exc", synapse, edges, astrocytes=worn),
            nets.Projection("inh", "exc", receptor, nets.all_to_all(4, 12), sign="inhibitory"),
        ],
    )  # fmt: skip


def save(axes, name):
    axes.figure.savefig(FIGURES / f"plot_{name}.png", dpi=120)


def main():
    jax.config.update("jax_enable_x64", True)
    cell, step = tp.cells.HodgkinHuxley(), tp.stimuli.Step(10.0, start=5.0)
    solution = tp.simulate(cell, step, t1=60.0, dt=0.02)
    save(plots.voltage_and_stimulus(solution, step)[0], "trace")
    save(plots.gates(tp.simulate(cell, step, t1=30.0, dt=0.02, record="state")), "gates")

    ml = tp.cells.MorrisLecar()
    path = tp.simulate(ml, 350.0, t1=300.0, dt=0.1, record="state")
    save(plots.phase_plane(ml, (-70.0, 60.0), (-0.02, 1.0), u=350.0, path=path), "phase_plane")
    currents = np.linspace(0.0, 20.0, 41)
    save(
        plots.f_i_curve(
            currents, tp.analysis.f_i_curve(cell, currents, dt=0.05), name="squid axon"
        ),
        "f_i",
    )

    network = small_network()
    save(plots.network_graph(network), "network")
    ran = eqx.filter_jit(tp.simulate)(
        network, t1=300.0, dt=0.1, record={"exc.spike": None, "inh.spike": None}
    )
    times = {
        name: [
            np.asarray(ran.ts)[np.asarray(column) > 0]
            for column in np.asarray(ran.ys[f"{name}.spike"]).T
        ]
        for name in ("exc", "inh")
    }
    save(plots.raster(times), "raster")

    ring = ast.AstrocyteNetwork(ast.StimbergRing(), ast.ThresholdCoupling(), ast.ring(50), 50)
    bias = jnp.zeros(50).at[0].set(1.0)
    wave = tp.simulate(ring, ast.drive(bias=bias), t1=100_000.0, dt=20.0, save_every=200.0)
    save(plots.calcium_raster(wave), "calcium")

    q, k = jax.random.normal(jax.random.key(1), (2, 12, 8)) / 8**0.25
    maps = {"softmax": jax.nn.softmax(q @ k.T, axis=-1)}
    for m in (32, 2048):
        features = tp.attention.PositiveRandom(m, 8, key=jax.random.key(2))
        maps[f"{m} random features"] = tp.attention.fixed_point(features, q, k, jnp.eye(12))
    save(plots.attention_maps(maps)[0], "attention")

    save(plots.certificate(tp.proofs.hh_is_four_lif()), "certificate")
    errors, seconds = work_precision(cell, step)
    save(
        plots.work_precision(
            {"Tsit5": (errors, seconds)},
            work="steps taken (1)",
            error="error of the last voltage (mV)",
        ),
        "work_precision",
    )


def work_precision(cell, step):
    exact = tp.simulate(cell, step, t1=50.0, rtol=1e-12, atol=1e-12).stats["y1"].v
    errors, steps = [], []
    for rtol in (1e-4, 1e-6, 1e-8, 1e-10):
        found = tp.simulate(cell, step, t1=50.0, rtol=rtol, atol=rtol)
        errors.append(abs(float(found.stats["y1"].v - exact)))
        steps.append(int(found.stats["num_steps"]))
    return errors, steps


if __name__ == "__main__":
    main()
