"""The Hodgkin-Huxley certificate: every check the theorem needs, and that each can fail."""

import equinox as eqx
import jax
import jax.numpy as jnp
import pytest

from tripartite import cells, proofs
from tripartite.proofs.certificate import machine_epsilon
from tripartite.proofs.hodgkin_huxley import algebra, networks, setting


@pytest.fixture(scope="module")
def certificate():
    return proofs.hh_is_four_lif()


def test_the_theorem_holds_on_this_machine(certificate):
    certificate.assert_ok()


@pytest.mark.parametrize(
    ("rung", "least"),
    [
        ("algebra", 3),
        ("trajectory", 16),
        ("gradient", 3),
        ("negative control", 6),
        ("real input", 5),
    ],
)
def test_every_rung_is_there(certificate, rung, least):
    assert sum(check.rung == rung for check in certificate.checks) >= least


@pytest.mark.parametrize(
    "words",
    [
        "classical RK4",
        "Tsit5",
        "Euler",
        "exponential sweep",
        "adaptive",
        "Theorem 1",
        "float32, 300 ms",
        "replayed",
        "gauge resets",
        "simplifies to zero",
        "reverse mode",
        "early update",
        "potassium unit dropped",
        "true reset",
        "XOR",
        "64-32-10",
        "digits as currents",
    ],
)
def test_every_claim_of_the_plan_has_a_check(certificate, words):
    assert any(words in check.name for check in certificate.checks)


def test_the_bound_on_round_off_is_a_nanovolt_in_float64_and_scales_with_epsilon():
    double = setting.round_off_bound()
    assert double == pytest.approx(1e-9, rel=0.01)
    with jax.enable_x64(False):
        assert setting.round_off_bound() / double == pytest.approx(2.0**29)


@pytest.mark.gate
def test_float32_proves_what_it_can_and_lists_the_rest():
    certificate = proofs.hh_is_four_lif(precision="float32")
    certificate.assert_ok()
    assert any(check.passed is None for check in certificate.checks)
    assert any(check.passed for check in certificate.checks)


class Mutant(eqx.Module):
    """A share form with one thing wrong."""

    units: cells.TVLIF
    wrong: str = eqx.field(static=True)

    def init(self):
        return self.units.init()

    def voltage(self, y):
        return self.units.voltage(y)

    def vector_field(self, t, y, u):
        slope = self.units.vector_field(t, y, u)
        if self.wrong == "sign":
            return slope._replace(drive=-slope.drive)
        return slope._replace(shares=(slope.shares[0] * (1.0 + 1e-12), *slope.shares[1:]))


@pytest.mark.parametrize("wrong", ["sign", "a part in 1e12"])
def test_the_algebra_rung_sees_a_wrong_unit(wrong):
    cell = cells.HodgkinHuxley()
    gap = algebra.field_gap(cell, Mutant(cells.TVLIF(cell), wrong))
    assert gap > 64 * machine_epsilon()


def test_the_network_rung_counts_a_single_differing_sample():
    truth = jnp.zeros((2, 5, 3), bool)
    other = truth.at[1, 4, 2].set(True)
    assert networks.differing([(truth, [2, 1]), (truth, [2, 1])]) == 0
    assert networks.differing([(truth, [2, 1]), (other, [2, 1])]) == 1
    assert networks.active_layers([(truth, [2, 1])]) == 0.0
    assert networks.active_layers([(other, [2, 1])]) == 1.0
