"""The attention certificates: every check passes, each bound is tight, and each can fail."""

import equinox as eqx
import numpy as np
import pytest

from tripartite import attention, proofs
from tripartite.proofs.attention import algebra, controls, inputs, random_features, trajectory
from tripartite.proofs.attention import softmax as softmax_proof
from tripartite.proofs.certificate import certify


@pytest.fixture(scope="session")
def circuit_certificate():
    return proofs.astrocytes_are_linear_attention()


@pytest.fixture(scope="session")
def softmax_certificate():
    return proofs.linear_attention_is_softmax_in_the_limit()


def find(certificate, words):
    return [check for check in certificate.checks if words in check.name]


def test_the_circuit_is_linear_attention_on_this_machine(circuit_certificate):
    circuit_certificate.assert_ok()
    assert all(check.passed for check in circuit_certificate.checks)


def test_linear_attention_is_softmax_on_this_machine(softmax_certificate):
    softmax_certificate.assert_ok()
    assert all(check.passed for check in softmax_certificate.checks)


@pytest.mark.parametrize(
    ("words", "largest_bound"),
    [
        ("field vanishes", 1e-12),
        ("Jacobian", 1e-5),
        ("SymPy", 0.0),
        ("closed-form fixed point", 1e-10),
        ("causal: writing", 1e-10),
        ("causal: an output", 0.0),
        ("masks", 1e-10),
        ("total calcium", 1e-8),
        ("differences of calcium", 1e-8),
        ("fast gauge", 1e-8),
        ("paper gauge", 1e-8),
        ("ODE, causal", 1e-10),
        ("gradients", 1e-6),
        ("circuit's fixed point, 1,797 pictures, logits", 1e-6),
        ("predictions changed by the circuit's fixed point", 0.0),
        ("integrated, 32 test pictures, logits", 1e-6),
        ("predictions changed by integration", 0.0),
    ],
)
def test_circuit_claims_are_as_sharp_as_planned(circuit_certificate, words, largest_bound):
    (check,) = find(circuit_certificate, words)
    assert check.bound <= largest_bound and not check.above


@pytest.mark.parametrize(
    ("words", "largest_bound"),
    [
        ("positive random features, 200,000", 0.05),
        ("hyperbolic", 0.05),
        ("trigonometric", 0.05),
        ("Gauss-Hermite features against softmax, closed form", 1e-9),
        ("Gauss-Hermite features against softmax, ODE", 1e-9),
        ("softmax, closed form: d = 64, 196", 1e-10),
        ("ODE on 4 queries", 1e-10),
        ("one process per token: gradients", 1e-6),
        ("output on log m", 0.05),
        ("normaliser on log m", 0.05),
        ("logit error of 1,024", 0.5),
        ("accuracy with", 0.05),
    ],
)
def test_softmax_claims_are_as_sharp_as_planned(softmax_certificate, words, largest_bound):
    (check,) = find(softmax_certificate, words)
    assert check.bound <= largest_bound and not check.above


@pytest.mark.parametrize("words", ["diffusion off", "normaliser off", "keys not summed"])
def test_controls_of_the_circuit(circuit_certificate, words):
    (check,) = find(circuit_certificate, words)
    (arrival,) = find(circuit_certificate, "fast gauge")
    assert check.above and check.measured > 1e4 * arrival.bound


def test_controls_of_the_limit(softmax_certificate):
    names = ["= 4: the slope", "= 16 (ordinary", "maximum subtracted for each key"]
    assert all(find(softmax_certificate, name)[0].above for name in names)


def test_notes_say_states_and_times(circuit_certificate):
    (integrated,) = find(circuit_certificate, "integrated, 32 test pictures, logits")
    # 32 pictures, 2 layers, 4 heads, 16 queries, and 8 + 2 * 8 * 16 states each.
    assert f"{32 * 2 * 4 * 16 * (8 + 2 * 8 * 16):,} states" in integrated.note
    assert "ms" in integrated.note
    (arrival,) = find(circuit_certificate, "paper gauge")
    assert "one process per token" in arrival.note and "ms until within 1e-6" in arrival.note


def test_the_feature_maps_are_what_the_claims_say():
    cases = inputs.feature_cases(3)
    assert len(cases) >= 5
    rates = eqx.filter_jit(lambda cases: [case.rates() for case in cases])(cases)
    signed = [pair for pair in rates if min(float(side.min()) for side in pair) < 0]
    assert len(signed) == 2
    assert inputs.smallest_conditioning(cases) >= 1 / inputs.CANCELLATION
    assert all(side.shape[-1] == inputs.FEATURES for pair in rates for side in pair)


def test_the_unmutated_circuit_arrives_where_the_mutants_do_not():
    whole, *mutants = controls.mutant_gaps()
    assert whole < 1e-12 and min(mutants) > 1e-2


def test_symbolic_proof_notices_a_wrong_formula(monkeypatch):
    sympy = pytest.importorskip("sympy")
    assert algebra._symbolic_difference(2, 2, 2) == 0
    ones = sympy.ones
    monkeypatch.setattr(sympy, "ones", lambda n, m: 2 * ones(n, m))
    assert algebra._symbolic_difference(2, 2, 2) > 0


def test_without_sympy_the_certificate_says_so(monkeypatch):
    monkeypatch.setattr(algebra.importlib.util, "find_spec", lambda name: None)
    claims = list(algebra.algebra_claims())
    assert not any("SymPy" in claim.name for claim in claims)
    assert "SymPy is absent" in claims[0].note()


def test_a_wrong_time_constant_breaks_the_calcium_rate(monkeypatch):
    calcium = trajectory._calcium(7)
    assert trajectory._calcium_rate_error(calcium) < 1e-8
    monkeypatch.setattr(trajectory, "_TAU_P", 1.001 * trajectory._TAU_P)
    assert trajectory._calcium_rate_error(calcium) > 5e-4


def test_the_formula_check_notices_a_wrong_number_of_features(monkeypatch):
    monkeypatch.setattr(random_features, "_DRAWS", 20_000)
    maps = random_features._MAPS | {
        "positive": lambda m, d, **options: attention.PositiveRandom(m + 2, d, **options)
    }
    monkeypatch.setattr(random_features, "_MAPS", maps)
    assert random_features._formula_gaps()["positive"] > 0.1


def test_quadrature_bound_is_above_the_error_and_near_it():
    q, k, v = softmax_proof._planar_tokens(12)
    assert abs(float(abs(q @ k.T).max()) - 2.65) < 1e-12
    found = attention.fixed_point(attention.GaussHermite(16, 2), q, k, v)
    error = float(abs(found - attention.softmax_attention(q, k, v)).max())
    assert 1e-4 < error / softmax_proof._quadrature_bound(q, k) < 1


def test_identities_in_single_precision():
    theorem = softmax_proof.LINEAR_ATTENTION_IS_SOFTMAX_IN_THE_LIMIT
    single = certify(theorem, algebra.closed_form_claims, precision="float32")
    single.assert_ok()
    assert len(single.checks) == 4
    assert all(check.passed and check.bound < 1e-3 for check in single.checks)


@pytest.mark.slow
@pytest.mark.parametrize(
    "prove",
    [proofs.astrocytes_are_linear_attention, proofs.linear_attention_is_softmax_in_the_limit],
)
def test_whole_certificates_in_single_precision(prove):
    prove(precision="float32").assert_ok()


def test_figure_of_relaxation():
    shown = proofs.calcium_and_synapses()
    assert shown.calcium.shape == shown.synapses.shape == (len(shown.ts), 3, 6)
    np.testing.assert_allclose(shown.calcium.sum(axis=(1, 2)), 18 * shown.calcium_target, rtol=1e-9)
    np.testing.assert_allclose(shown.calcium[-1], shown.calcium_target, rtol=1e-3)
    np.testing.assert_allclose(shown.synapses[-1], shown.synapse_target, atol=1e-3)
    np.testing.assert_allclose(shown.neurons[-1], shown.target, atol=1e-3)
    assert np.ptp(shown.calcium[0]) > shown.calcium_target


def test_figures_of_random_features(softmax_certificate):
    errors = proofs.error_against_features(1.0)
    assert errors.output.shape == errors.normaliser.shape == (4, 20)
    (slope,) = find(softmax_certificate, "output on log m")
    assert abs(errors.slope(errors.output) + 0.5) == slope.measured
    curve = proofs.random_feature_curve()
    assert curve.accuracy.shape == curve.logit_error.shape == curve.features.shape
    assert curve.softmax_accuracy > 0.96
    assert np.all(np.diff(curve.logit_error) < 0)


def test_slope_is_that_of_a_power_law():
    counts = np.array([10, 100, 1000])
    errors = np.stack([counts**-0.5, 3 * counts**-0.5], axis=1)
    found = random_features.FeatureErrors(counts, errors, errors)
    assert abs(found.slope(errors) + 0.5) < 1e-12
