"""Makes tests/data/brian2_astrocyte.npz: figures 2 and 3 of Stimberg et al. (2019) in Brian 2.

    pip install brian2 && python tests/peers/brian2_astrocyte.py [FILE]

`figure_2`: rows of time (s), Gamma_A, I, C, h of the deterministic cell (uM), every 10 ms, with
glutamate that jumps at 2, 4, ... s; RK4, 1 ms. `stratonovich` and `ito`: time (s), mean and
standard deviation of C and of h over 400 cells with the noisy gate, every 100 ms; Milstein, 1 ms,
which in Brian 2 is the scheme for Stratonovich's sense: with b = (h_inf - h) / sqrt(tau), Ito's
equation has the drift 3/2 (h_inf - h) / tau there. `figure_3`: times of the
releases (s) and G_A after each (uM), for I_bias of 0.8 and 1.25 uM; RK4, 1 ms.
"""

import sys
from pathlib import Path

import brian2 as b2
import numpy as np
from brian2 import NeuronGroup, StateMonitor, TimedArray, ms, second

CORE = """
dC/dt = ((6*m**3*g**3 + 0.1)*(2 - 1.18*C) - 0.9*C**2/(C**2 + K_P**2))*Hz : 1
dh/dt = (h_inf - g)*rate*(drift + xi/rate**0.5) : 1
g = clip(h, 0, 1) : 1
m = I/(I + 0.13)*C/(C + 0.08) : 1
h_inf = Q/(Q + C) : 1
rate = 0.2*(Q + C)*Hz : Hz
Q = 1.05*(I + 0.13)/(I + 0.9434) : 1
dI/dt = (O_beta*Gamma_A + O_delta/(1 + I/1.5)*C**2/(C**2 + K_delta**2)
  - 4.5*C**4/(C**4 + K_D**4)*I/(I + 1) - Omega_5P*I
  - F_ex/2*(1 + tanh((abs(I - I_bias) - 0.3)/0.05))*sign(I - I_bias))*Hz : 1
I_bias : 1 (constant)
drift : 1 (constant)
"""
RECEPTORS = "dGamma_A/dt = (0.3*Y_S(t)*(1 - Gamma_A) - 0.5*(1 + 10*C/(C + 0.5))*Gamma_A)*Hz : 1\n"
VESICLES = "dx_A/dt = 0.6*(1 - x_A)*Hz : 1\ndG_A/dt = -60*G_A*Hz : 1\nGamma_A : 1\n"


def deterministic(equations: str) -> str:
    return equations.replace("*(drift + xi/rate**0.5)", "")


def figure_2(cells: int, drift: float | None) -> StateMonitor:
    values = {
        "K_P": 0.1, "O_beta": 5.0, "O_delta": 0.2, "K_delta": 0.3, "K_D": 0.5, "Omega_5P": 0.1,
        "F_ex": 0.09,
    }  # fmt: skip
    # Half steps, so that every stage of a step meets a sample; the pulse starts on one of them.
    ts = np.arange(0, 30.001, 0.0005)
    since = [(ts - s, ts >= s - 1e-9) for s in np.arange(2, 30, 2)]
    glutamate = sum(
        np.where(past, 500 * np.exp(-40 * np.maximum(x, 0.0)), 0.0) for x, past in since
    )
    values["Y_S"] = TimedArray(glutamate, dt=0.5 * ms)
    stochastic = drift is not None
    method = "milstein" if stochastic else "rk4"
    equations = RECEPTORS + (CORE if stochastic else deterministic(CORE))
    group = NeuronGroup(cells, equations, method=method, namespace=values)
    group.h, group.drift = 0.9, drift or 1.0
    # The chapter clips h where it is read; here it is kept in [0, 1], too.
    group.run_regularly("h = clip(h, 0, 1)", when="end")
    monitor = StateMonitor(
        group, ["Gamma_A", "I", "C", "g"], record=True, dt=(100 if stochastic else 10) * ms
    )
    net = b2.Network(group, monitor)
    net.run(30 * second)
    return monitor


def moments(many: StateMonitor) -> np.ndarray:
    rows = (many.t / second, many.C.mean(0), many.C.std(0), many.g.mean(0), many.g.std(0))
    return np.stack([np.asarray(x) for x in rows])


def figure_3(bias: float) -> np.ndarray:
    values = {
        "K_P": 0.05, "O_beta": 0.0, "O_delta": 0.6, "K_delta": 0.1, "K_D": 0.7, "Omega_5P": 0.05,
        "F_ex": 2.0,
    }  # fmt: skip
    group = NeuronGroup(
        1, deterministic(CORE) + VESICLES, threshold="C>0.5", refractory="C>0.5",
        reset="G_A += 6.5e-4*200e3*0.6*x_A\nx_A -= 0.6*x_A", method="rk4", namespace=values,
    )  # fmt: skip
    group.x_A, group.h, group.I, group.I_bias = 1.0, 0.9, 0.4, bias
    trace = StateMonitor(group, "G_A", record=True, when="end")
    events = b2.SpikeMonitor(group)
    b2.Network(group, trace, events).run(16.5 * second)
    times = np.asarray(events.t / second)
    return np.stack([times, np.asarray(trace.G_A[0])[np.round(times * 1000).astype(int)]])


if __name__ == "__main__":
    b2.prefs.codegen.target = "numpy"
    b2.defaultclock.dt = 1 * ms
    b2.seed(20)
    one = figure_2(1, None)
    senses = {"stratonovich": 1.0, "ito": 1.5}
    noisy = {name: moments(figure_2(400, drift)) for name, drift in senses.items()}
    rows = (one.t / second, one.Gamma_A[0], one.I[0], one.C[0], one.g[0])
    weak, strong = figure_3(0.8), figure_3(1.25)
    default = Path(__file__).parent.parent / "data" / "brian2_astrocyte.npz"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    np.savez_compressed(
        path,
        figure_2=np.stack([np.asarray(x) for x in rows]),
        **noisy,
        figure_3_weak=weak,
        figure_3_strong=strong,
        version=np.array(b2.__version__),
    )
    print(path, max(one.C[0]), max(one.Gamma_A[0]), max(one.I[0]), min(one.g[0]), weak, strong)
