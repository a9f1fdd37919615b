"""The numbers that the models are held against: none of them was computed by this library.

Each is printed in a paper, follows from a formula there, or was computed once by SciPy from the
published equations alone (DOP853 at a relative tolerance of 1e-10 or less, `brentq`, `fsolve`).
The test suite holds that code and computes these numbers again. Concentrations are in uM, times
in ms.
"""

# Hodgkin and Huxley (1952) in today's sign, E_L = -54.387 mV: rest (v, m, h, n), and the first
# three upward crossings of 0 mV under 10 uA/cm2 from t = 0 on, from -65 mV.
SQUID_REST = (-64.996379331192, 0.052955086813, 0.595994124740, 0.317732399761)
SQUID_SPIKES = (1.900972, 16.822583, 31.471827)

# (calcium, h) of Nadkarni and Jung (2003) at 0.16 uM of IP3.
LI_RINZEL = (0.07222178367, 0.79242089984)
# (IP3, calcium, h) where its rest loses and regains stability.
HOPF = (
    (0.35453381866, 0.15568948881, 0.71552829740),
    (0.63688181639, 0.32330383468, 0.61158374086),
)
# (calcium, h, IP3) of De Pitta et al. (2009), amplitude modulated, under 5 uM of glutamate.
CHI = (0.390614204579, 0.588922317289, 0.800095244061)
# Under 2.5 uM it oscillates: the orbit where calcium rises through 0.3 uM, and the period.
CHI_ORBIT = (0.3, 0.656202806226, 0.798953304861)
CHI_PERIOD = 8106.793163885
# (calcium, h, IP3) of Lallouette et al. (2014), at rest.
LALLOUETTE = (0.035146372678, 0.912231568959, 0.304594852740)
# (calcium, total calcium, h) of Handy et al. (2017); they print 0.0865415, 36.49084, 0.6255124.
HANDY = (0.086541496666, 36.490839774993, 0.625512446053)
# (calcium, h, IP3) of Gordleeva et al. (2021), without input.
ULLAH = (0.066115851062, 0.888200341981, 0.685767139324)
# (calcium, h, IP3, receptors) of the table of Stimberg et al. (2019), without an IP3 source.
STIMBERG = (0.435341154160, 0.583525272954, 0.997487938278, 0.0)

# Stimberg et al. (2019), figure 2: the first maximum of calcium.
FIGURE_2 = (3145.2554056, 1.1584073143)
# Figure 3: when calcium rises through 0.5 uM under a source of 0.8 and of 1.25 uM.
FIGURE_3 = ((2084.600161,), (1058.908733, 10341.832010))
# rho_e G_T U_A of its table: the first release.
RELEASED = 78.0
# Presynaptic receptors bound 16.5 s later (after no, one and two releases), and the fractions
# released at the first eight of the figure's spikes.
TRAIN = (0.0, 50.0, 100.0, 150.0, 200.0, 300.0, 310.0, 320.0)
BOUND = (0.0, 0.7607968666572, 0.9221864172200)
FRACTIONS = (
    (0.6, 0.367135941035, 0.153963016824, 0.103507711114,
     0.095842409115, 0.162925984328, 0.042910755655, 0.021956490076),
    (0.143521880006, 0.215583725580, 0.222365541355, 0.195289582008,
     0.161253424172, 0.146337131464, 0.111466007121, 0.075342434471),
    (0.046688149668, 0.081017759156, 0.102519624484, 0.113240848687,
     0.116179508611, 0.106924097391, 0.112007775524, 0.108058152948),
)  # fmt: skip

# NEST's astrocyte at rest, and 1 uM of IP3 at once: the maximum of calcium, the logarithm of its
# excess over 196.69 nM (in nM), and how long calcium stays above that.
NEST_PULSE = (1641.16, 1.0186714818, 6.711717867, 5838.238625)

# Tsodyks and Markram's mean field at 0.1, 1, 10 and 100 Hz, and the utilisation
# below which the terminal facilitates, 2 / (2 + 3.33).
MEAN_RELEASE = (0.5891952246, 0.4968445209, 0.1621654501, 0.0195995865)
FACILITATION = 0.375234521576

# Pfister and Gerstner (2006), visual cortex, minimal triplet rule: the change of a weight by sixty
# pairings at 0.1, 10, 20, 40, 50 Hz, post 10 ms after pre and 10 ms before.
FREQUENCIES = (0.1, 10.0, 20.0, 40.0, 50.0)
TEN_POINTS = (
    (0.0, 0.118641296469, 0.227795171533, 0.532111928137, 0.762730566330),
    (-0.316620356064, -0.332213172579, -0.341734578305, 0.173714792724, 0.749176584547),
)
# What Sjostrom et al. (2001) measured there, and the standard errors.
MEASURED = ((-0.04, 0.14, 0.29, 0.53, 0.56), (-0.29, -0.41, -0.34, 0.56, 0.75))
STANDARD_ERRORS = ((0.05, 0.10, 0.14, 0.11, 0.26), (0.08, 0.11, 0.10, 0.32, 0.19))
