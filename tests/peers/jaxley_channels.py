"""Makes tests/data/jaxley_channels.npz: the curves of Jaxley's own channels, as Jaxley has them.

    pip install jaxley && python tests/peers/jaxley_channels.py [FILE]

For each gate of `HH` and of the Pospischil channels: the pair that its gate function returns
(opening and closing rates, or a steady state and a time constant), the derivatives of that pair,
and the value `init_state` gives, at voltages that include the poles of the rates; in float64.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import jaxley as jx
import numpy as np
from jaxley.channels import HH
from jaxley.channels.pospischil import CaL, CaT, K, Km, Na

# The poles of the rates are -55, -47, -45, -40, -27 and -20; V_T is -60 mV.
VOLTAGES = [-90.0, -75.0, -70.0, -62.5, -60.0, -55.0, -47.0, -45.0, -40.0, -27.0, -20.0, 0.0, 25.0]
SETTINGS = {"HH": (), "Na": (-60.0,), "K": (-60.0,), "Km": (4000.0,), "CaL": (), "CaT": (2.0,)}
CHANNELS = {"HH": HH, "Na": Na, "K": K, "Km": Km, "CaL": CaL, "CaT": CaT}


def curves(name: str) -> dict[str, np.ndarray]:
    """`gate: [pair and its derivatives, init_state]` over the voltages."""
    channel, extra, vs = CHANNELS[name](), SETTINGS[name], jnp.asarray(VOLTAGES)
    found = {}
    for state in channel.channel_states:
        letter = state.removeprefix(f"{name}_")
        gate = getattr(channel, f"{letter}_gate")

        def pair(v, gate=gate):
            return jnp.stack(gate(v, *extra))

        start = [channel.init_state({}, v, channel.channel_params, 0.025)[state] for v in vs]
        rows = (jax.vmap(pair)(vs), jax.vmap(jax.jacfwd(pair))(vs), jnp.stack(start)[:, None])
        found[f"{name}.{letter}"] = np.concatenate(rows, axis=1)
    return found


def first_step_at_the_pole() -> float:
    """The voltage after one step that starts at -40 mV, on the pole of the sodium gate's rate."""
    cell = jx.Compartment()
    cell.insert(HH())
    cell.set("v", -40.0)
    cell.init_states(0.025)
    cell.record("v")
    return float(jx.integrate(cell, t_max=0.025, delta_t=0.025)[0, -1])


if __name__ == "__main__":
    jax.config.update("jax_enable_x64", True)
    tables = {key: table for name in CHANNELS for key, table in curves(name).items()}
    default = Path(__file__).parent.parent / "data" / "jaxley_channels.npz"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    np.savez_compressed(
        path, v=np.array(VOLTAGES), step=first_step_at_the_pole(),
        version=np.array(jx.__version__), **tables,
    )  # fmt: skip
    print(path, *tables)
