"""NEST's example `astrocyte_brunel_bernoulli` in numbers; the standard library alone.

Cells are `aeif_cond_alpha_astro` with its defaults (Brette and Gerstner 2005), astrocytes
`astrocyte_lr_1994`, synapses `tsodyks_synapse`. Times in ms, nS, pA, mV, pF.
"""

# The example has ten times as many of each.
N_EXC, N_INH, N_ASTRO = 800, 200, 1000
P_EDGE, P_ASTRO, POOL = 0.1, 0.5, 10
POISSON = 2000.0  # Hz, to each cell, at the weight of an excitatory synapse
W_EXC, W_INH, W_ASTRO = 1.0, -4.0, 0.05
DELAY_EXC, DELAY_INH = 2.0, 1.0
TAU_EXC, TAU_INH = 2.0, 4.0
IP3 = 0.4  # uM, at the start
DT = 0.1
# Of tsodyks_synapse: U, tau_rec and, 0 in NEST, tau_fac.
UTILISATION, RECOVERY = 0.5, 800.0
# Of aeif_cond_alpha_astro.
CAPACITANCE, LEAK, REST, THRESHOLD, SLOPE = 281.0, 30.0, -70.6, -50.4, 2.0
PEAK, RESET, COUPLING, JUMP, TAU_W = 0.0, -60.0, 4.0, 80.5, 144.0
REVERSAL_EXC, REVERSAL_INH = 0.0, -85.0
