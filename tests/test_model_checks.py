"""`tripartite verify --only models`: its numbers once more by SciPy, and its checks.

Printed values have as many digits as they are compared to; the rest is from the oracles, which
share nothing with the library.
"""

import numpy as np
import pytest

import astrocyte_oracles as glia
import oracles as squid
import synapse_oracles as synapses
from tripartite import proofs
from tripartite.proofs.models import (
    THEOREM,
    conserved,
    controls,
    numbers,
    rests,
    trajectories,
    wiring,
)
from tripartite.proofs.models import synapses as synapse_checks

PARTS = (rests, trajectories, synapse_checks, conserved, wiring, controls)


def close(found, expected, atol):
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)


def test_the_squid_axon_by_scipy():
    v = squid.rest(-54.387)
    close([v, *squid.steady_gates(v)], numbers.SQUID_REST, 1e-11)
    ts = np.arange(0.0, 35.0, 0.01)
    found = squid.solve(lambda t: 10.0, ts)[0]
    up = np.flatnonzero((found[:-1] < 0) & (found[1:] >= 0))
    times = ts[up] + 0.01 * found[up] / (found[up] - found[up + 1])
    # A straight line across 0.01 ms of a spike that bends by some 1e4 mV/ms^2, at 400 mV/ms.
    close(times, numbers.SQUID_SPIKES, 1e-3)


def test_rests_by_scipy():
    close(glia.li_rinzel_rest(glia.NADKARNI_JUNG, 0.16), numbers.LI_RINZEL, 1e-10)
    for (low, high), point in zip(((0.3, 0.45), (0.55, 0.7)), numbers.HOPF, strict=True):
        ip3 = glia.hopf(glia.NADKARNI_JUNG, low, high)
        close([ip3, *glia.li_rinzel_rest(glia.NADKARNI_JUNG, ip3)], point, 2e-11)
    guess = [0.39, 0.59, 0.8]
    close(glia.rest(glia.chi("AM", 5.0), guess), numbers.CHI, 1e-11)
    close(glia.rest(glia.chi("Lallouette", 0.0), [0.035, 0.91, 0.3]), numbers.LALLOUETTE, 1e-11)
    close(glia.rest(glia.ullah, [0.066, 0.888, 0.686]), numbers.ULLAH, 1e-11)
    close(glia.rest(glia.handy(lambda t: 0.0), [0.087, 36.5, 0.63]), numbers.HANDY, 1e-9)
    printed = [0.0865415, 36.49084, 0.6255124]
    np.testing.assert_array_less(np.abs(np.subtract(numbers.HANDY, printed)), [5e-8, 5e-6, 5e-8])
    quiet = glia.gchi(glia.NO_SOURCE, lambda t: 0.0, lambda t: 0.0)
    receptors, ip3, calcium, h = glia.rest(quiet, [0.0, 1.0, 0.43, 0.58])
    close([calcium, h, ip3, receptors], numbers.STIMBERG, 1e-11)


def test_figures_by_scipy():
    ts = np.linspace(0.0, 4.0, 40_001)
    close(trajectories.top(1000.0 * ts, glia.figure_2(4.0)(ts)[2]), numbers.FIGURE_2, 1e-4)
    times = [1000.0 * glia.figure_3(bias).t_events[0] for bias in (0.8, 1.25)]
    for found, expected in zip(times, numbers.FIGURE_3, strict=True):
        close(found, expected, 1e-5)
    assert pytest.approx(synapses.releases(times[1])[0]) == numbers.RELEASED
    spikes = np.asarray(numbers.TRAIN) + 16_500.0
    for past, bound, fractions in zip(([], *times), numbers.BOUND, numbers.FRACTIONS, strict=True):
        gamma = (
            np.zeros(9) if not len(past) else synapses.bound_receptors([16_500.0, *spikes], past)
        )
        assert gamma[0] == pytest.approx(bound, abs=1e-10)
        released, _ = synapses.tsodyks_markram(spikes, (1 - gamma[1:]) * synapses.U_0)
        close(released, fractions, 1e-10)


def test_a_period_and_a_pulse_by_scipy():
    after = glia.path(
        glia.chi("AM", 2.5), numbers.CHI_ORBIT, np.array([0.0, numbers.CHI_PERIOD / 1000.0]), []
    )
    close(after[:, -1], numbers.CHI_ORBIT, 1e-8)
    ts = np.linspace(0.0, 7.0, 70_001)
    c = glia.path(glia.nest, (*numbers.LI_RINZEL, 1.16), ts, [])[0]
    when, top = trajectories.top(1000.0 * ts, c)
    above = 0.1 * np.sum(c > 0.19669)
    found = [when, top, np.log((top - 0.19669) * 1000.0), above]
    np.testing.assert_allclose(found, numbers.NEST_PULSE, rtol=3e-5)  # 0.1 ms of 5.8 s
    assert numbers.NEST_PULSE[1] == pytest.approx(1.0187, abs=5e-5)


def test_plasticity_by_the_rule_itself():
    rule = {"a2p": 0.0, "a3p": 6.5e-3, "a2m": 7.1e-3, "a3m": 0.0}
    taus = {"tau_p": 16.8, "tau_x": 101.0, "tau_m": 33.7, "tau_y": 114.0}
    for lag, expected in zip((10.0, -10.0), numbers.TEN_POINTS, strict=True):
        trains = [synapses.pairings(f, lag) for f in numbers.FREQUENCIES]
        found = [synapses.stdp(set(a), set(b), **rule, **taus) for a, b in trains]
        close(found, expected, 1e-12)
    rates = np.array([0.1, 1.0, 10.0, 100.0]) / 1000.0
    close([synapses.mean_field(f, 0.6) for f in rates], numbers.MEAN_RELEASE, 1e-10)
    assert pytest.approx(2.0 / 5.33, abs=1e-12) == numbers.FACILITATION


def some(*words):
    """A certificate of the claims whose names have one of the words."""

    def claims():
        for part in PARTS:
            yield from (c for c in part.claims() if any(w in c.name for w in words))

    return claims


def test_checks_pass_and_a_wrong_number_fails(monkeypatch):
    words = ("Li-Rinzel at", "another version", "3 I_K + 2 I_Na")
    found = proofs.certify(THEOREM, some(*words))
    found.assert_ok()
    assert [check.rung for check in found.checks] == ["algebra", "algebra", "negative control"]
    # One digit of the eighth place, which a slip of the pen would change.
    wrong = (numbers.LI_RINZEL[0] + 1e-8, numbers.LI_RINZEL[1])
    ready = rests._astrocyte(rests.astrocytes.LiRinzel, wrong, 0.16)
    monkeypatch.setitem(rests.RESTS, "Li-Rinzel at 0.16 uM of IP3", ready)
    with pytest.raises(AssertionError, match="models does not hold"):
        proofs.certify(THEOREM, some("Li-Rinzel at")).assert_ok()


def test_every_claim_has_a_bound_a_reason_and_a_rung():
    claims = [claim for part in PARTS for claim in part.claims()]
    assert len({claim.name for claim in claims}) == len(claims) > 30
    assert all(claim.bound > 0 and len(claim.why) > 10 for claim in claims)
    controls_ = [claim for claim in claims if claim.rung == "negative control"]
    assert len(controls_) == 9
    assert all(claim.above for claim in controls_)
    # In float32 each has a bound of its own.
    assert [claim.name for claim in claims if claim.float64_only] == [
        "ChI, AM, under 2.5 uM of glutamate: relative error of the period"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_the_whole_section(precision):
    found = proofs.published_models(precision=precision)
    found.assert_ok()
    assert len(found.checks) > 30
    assert found.name == "models"
