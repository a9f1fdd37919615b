"""What a certificate promises, whatever the theorem."""

import json
import math

import jax.numpy as jnp
import pytest

from tripartite.core.errors import SolveError
from tripartite.proofs import Claim, Theorem, certify

THEOREM = Theorem("sum", "one and one | two", "1 + 1 = 2", ("integers",), "Peano 1889")


def claim(measured=0.5, bound=1.0, **settings):
    measure = measured if callable(measured) else lambda: measured
    settings = {"rung": "algebra", "why": "because", **settings}
    return Claim("a | claim", bound=bound, measure=measure, **settings)


def run(*claims, **settings):
    return certify(THEOREM, lambda: iter(claims), **settings)


@pytest.mark.parametrize(
    ("measured", "above", "passed"),
    [
        (0.5, False, True),
        (1.0, False, True),
        (1.5, False, False),
        (1.5, True, True),
        (0.5, True, False),
        (math.nan, False, False),
        (math.nan, True, False),
    ],
)
def test_a_claim_passes_on_its_own_side_of_the_bound_and_never_as_nan(measured, above, passed):
    certificate = run(claim(measured, above=above))
    assert certificate.checks[0].passed is passed
    assert certificate.passed is passed


def test_margin_is_how_many_times_inside_the_bound():
    inside, control, exact = run(claim(0.25), claim(4.0, above=True), claim(0.0, bound=0.0)).checks
    assert inside.margin == 4.0
    assert control.margin == 4.0
    assert exact.margin == math.inf


def test_a_failed_claim_is_named_with_its_number_and_bound():
    with pytest.raises(AssertionError, match=r"a \| claim: measured 2, bound <= 1"):
        run(claim(2.0)).assert_ok()


def test_nothing_measured_is_nothing_proved():
    assert not run().passed
    with pytest.raises(AssertionError, match="does not hold"):
        run().assert_ok()


def test_float32_lists_what_needs_float64_and_runs_the_rest():
    certificate = run(claim(), claim(float64_only=False), precision="float32")
    skipped, ran = certificate.checks
    assert skipped.passed is None
    assert skipped.measured is None
    assert skipped.margin is None
    assert "float64 only" in skipped.why
    assert ran.passed
    assert certificate.passed


@pytest.mark.parametrize(("precision", "dtype"), [("float64", "float64"), ("float32", "float32")])
def test_claims_run_in_the_precision_asked_for(precision, dtype):
    seen = []

    def measure():
        seen.append(str(jnp.zeros(()).dtype))
        return 0.0

    run(claim(measure, float64_only=False), precision=precision)
    assert seen == [dtype]


def test_a_solve_that_fails_is_a_check_that_fails_and_costs_the_others_nothing():
    def broken():
        raise SolveError("state .v (mV) was last finite at 3 ms")

    first, second = run(claim(broken), claim()).checks
    assert first.passed is False
    assert "last finite at 3 ms" in first.note
    assert second.passed


def test_interrupted_it_keeps_what_is_finished():
    def interrupted():
        raise KeyboardInterrupt

    certificate = run(claim(), claim(interrupted), claim())
    assert len(certificate.checks) == 1
    assert not certificate.complete
    assert not certificate.passed
    with pytest.raises(AssertionError, match="interrupted"):
        certificate.assert_ok()


def test_each_check_is_reported_as_it_finishes():
    seen = []
    run(claim(), claim(2.0), on_check=lambda theorem, check: seen.append((theorem, check.passed)))
    assert seen == [("sum", True), ("sum", False)]


def test_json_holds_the_promised_fields_and_no_bare_nan():
    found = json.loads(run(claim(math.nan), claim(note=lambda: "words")).to_json())
    assert found["name"] == "sum"
    assert {"name", "measured", "bound", "passed", "why"} <= set(found["checks"][0])
    assert found["checks"][0]["measured"] == "nan"
    assert found["checks"][1]["note"] == "words"


def test_markdown_is_a_table_whose_cells_hold():
    page = run(claim(), claim(2.0)).to_markdown()
    rows = [line for line in page.splitlines() if line.startswith("| a ")]
    assert len(rows) == 2
    assert all(line.replace(r"\|", "").count("|") == 7 for line in rows)
    assert "FAIL" in rows[1]
    assert "1 + 1 = 2" in page
    assert "Peano 1889" in page


def test_unknown_rungs_and_precisions_are_refused():
    with pytest.raises(ValueError, match="rung must be one of"):
        claim(rung="hunch")
    with pytest.raises(ValueError, match='precision must be "float64" or "float32"'):
        run(claim(), precision="float16")


def test_the_environment_names_versions_and_device():
    environment = run(claim()).environment
    assert {"device", "python", "jax", "diffrax", "tripartite", "sympy"} <= set(environment)
