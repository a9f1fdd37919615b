"""The conformance check accepts what is right and rejects each planted mistake by its reason."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import tripartite as tp
from tripartite import cells, channels
from tripartite.core import (
    AbstractDynamics,
    AbstractRelaxation,
    Membrane,
    Relaxation,
    numerics,
    parameter,
)
from tripartite.stimuli import Constant
from tripartite.testing import Report, check


class Passive(cells.AbstractCell):
    """A user's cell in a dozen lines: `C dv/dt = g (E - v) + I`."""

    capacitance: jax.Array = parameter(1.0, "uF/cm2", positive=True)
    leak: jax.Array = parameter(0.1, "mS/cm2", positive=True)
    rest: jax.Array = parameter(-65.0, "mV")

    def init(self):
        return self.rest

    def units(self):
        return "mV"

    def voltage(self, y):
        return y

    def relax(self, t, y, u):
        current = jnp.zeros_like(y) if u is None else u.current
        return Relaxation(
            (self.leak * self.rest + current) / self.capacitance, self.leak / self.capacitance
        )


SQUID = cells.HodgkinHuxley()
LIBRARY = {
    "HodgkinHuxley": SQUID,
    "one channel": cells.ConductanceCell((channels.Leak(),)),
    "LIF": cells.LIF(),
    "share": cells.four_lif(),
    "derivative": cells.four_lif("derivative"),
    "reset": cells.true_reset(cells.TVLIF(cells.ConductanceCell((channels.Leak(),)))),
    "replay": cells.TVLIF(SQUID, Constant([1.0, 2.0, 3.0])),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_every_cell_of_the_library_conforms(name):
    report = check(LIBRARY[name])
    report.assert_ok()
    assert str(report).startswith(f"{type(LIBRARY[name]).__name__} conforms")
    # A membrane's coefficients depend on the gates, which are another block.
    if name == "HodgkinHuxley":
        assert report.notes == ()
    if name == "replay":
        assert "the model holds a stimulus" in report.notes[0]


@pytest.mark.parametrize("u", [None, Membrane(jnp.asarray(7.0), jnp.asarray(0.2))])
def test_a_user_s_cell_in_a_dozen_lines_conforms(u):
    report = check(Passive(), u)
    report.assert_ok()
    assert report.notes == ()


def test_a_cell_in_float32_conforms():
    check(tp.astype(Passive(), jnp.float32)).assert_ok()
    check(tp.astype(cells.LIF(), jnp.float32)).assert_ok()


class AbstractTwo(AbstractRelaxation):
    """What the planted mistakes share: x in uM and a gate, both relaxing."""

    tau: eqx.AbstractVar[jax.Array]
    target: eqx.AbstractVar[jax.Array]

    def init(self):
        return {"gate": 0.5 * jnp.ones_like(self.tau), "x": self.target}

    def units(self):
        return {"gate": "1", "x": "uM"}


class WrongSign(AbstractTwo):
    tau: jax.Array = parameter(10.0, "ms")
    target: jax.Array = parameter(2.0, "uM")

    def relax(self, t, y, u):
        one = jnp.ones_like(self.tau)
        return Relaxation(
            {"gate": one / self.tau, "x": self.target / self.tau},
            {"gate": one / self.tau, "x": -one / self.tau},
        )


class Disagreeing(AbstractTwo):
    tau: jax.Array = parameter(10.0, "ms")
    target: jax.Array = parameter(2.0, "uM")

    def relax(self, t, y, u):
        rate = 1.0 / self.tau
        return Relaxation({"gate": rate, "x": self.target * rate}, {"gate": rate, "x": rate})

    def vector_field(self, t, y, u):
        return {"gate": (1.0 - y["gate"]) / self.tau, "x": (self.target - 1.01 * y["x"]) / self.tau}


class HiddenThousand(AbstractTwo):
    """A half point of 1 uM, written into the code in nM, where x is in uM."""

    tau: jax.Array = parameter(10.0, "ms")
    target: jax.Array = parameter(2.0, "uM")

    def relax(self, t, y, u):
        rate = 1.0 / self.tau
        opened = numerics.hill(y["x"], jnp.full_like(y["x"], 1000.0), 1)
        return Relaxation(
            {"gate": opened * rate, "x": self.target * rate}, {"gate": rate, "x": rate}
        )


class SecondsForMilliseconds(AbstractTwo):
    """A rate of 5 per second entered as if per millisecond, bare: no unit can be checked."""

    tau: jax.Array = parameter(10.0, "ms")
    target: jax.Array = parameter(2.0, "uM")

    def relax(self, t, y, u):
        rate, opening = 1.0 / self.tau, 5.0 * jnp.ones_like(self.tau)
        return Relaxation({"gate": opening, "x": self.target * rate}, {"gate": opening, "x": rate})


class WrongUnit(AbstractTwo):
    """The unit of `tau` belongs to the library's system, and is not the one it is used in."""

    tau: jax.Array = parameter(10.0, "1/ms")
    target: jax.Array = parameter(2.0, "uM")

    def relax(self, t, y, u):
        rate = 1.0 / self.tau
        return Relaxation({"gate": rate, "x": self.target * rate}, {"gate": rate, "x": rate})


class StaticFloat(AbstractTwo):
    tau: jax.Array = parameter(10.0, "ms")
    target: jax.Array = parameter(2.0, "uM")
    gain: float = 1.0

    def relax(self, t, y, u):
        rate = self.gain / self.tau
        return Relaxation({"gate": rate, "x": self.target * rate}, {"gate": rate, "x": rate})


class BareArray(AbstractTwo):
    tau: jax.Array = parameter(10.0, "ms")
    target: jax.Array = parameter(2.0, "uM")
    gain: jax.Array = eqx.field(default_factory=lambda: jnp.asarray(1.0))

    def relax(self, t, y, u):
        rate = self.gain / self.tau
        return Relaxation({"gate": rate, "x": self.target * rate}, {"gate": rate, "x": rate})


class Pole(AbstractTwo):
    """x / (1 - exp(-x)) as the book prints it."""

    tau: jax.Array = parameter(10.0, "ms")
    target: jax.Array = parameter(2.0, "uM")
    midpoint: jax.Array = parameter(0.7, "uM")

    def relax(self, t, y, u):
        x = (y["x"] - self.midpoint) / self.target
        rate = 1.0 / self.tau
        opening = x / (1.0 - jnp.exp(-x)) * rate
        return Relaxation({"gate": opening, "x": self.target * rate}, {"gate": opening, "x": rate})


class SecondDerivative(AbstractTwo):
    """A single `where` keeps the value, and the root's derivatives at zero are infinite."""

    tau: jax.Array = parameter(10.0, "ms")
    target: jax.Array = parameter(2.0, "uM")

    def relax(self, t, y, u):
        x = jnp.maximum(y["x"] / self.target, 0.0)
        rate = 1.0 / self.tau
        # x^1.5 has the slope 0 and an infinite curvature at 0.
        opening = jnp.where(x > 0, x, 0.0) ** 1.5 * rate
        return Relaxation({"gate": opening, "x": self.target * rate}, {"gate": opening, "x": rate})


class OtherPrecision(AbstractTwo):
    tau: jax.Array = parameter(10.0, "ms")
    target: jax.Array = parameter(2.0, "uM")

    def init(self):
        return {"gate": jnp.zeros((), jnp.float32), "x": self.target}

    def relax(self, t, y, u):
        rate = 1.0 / self.tau
        return Relaxation({"gate": rate, "x": self.target * rate}, {"gate": rate, "x": rate})


class MissingState(AbstractTwo):
    tau: jax.Array = parameter(10.0, "ms")
    target: jax.Array = parameter(2.0, "uM")

    def relax(self, t, y, u):
        return Relaxation({"x": self.target / self.tau}, {"x": 1.0 / self.tau})


class HiddenStep(AbstractTwo):
    """The decay over a time step of 0.05 ms, written into the coefficients."""

    tau: jax.Array = parameter(10.0, "ms")
    target: jax.Array = parameter(2.0, "uM")

    def relax(self, t, y, u):
        rate = 1.0 / self.tau
        stepped = (1.0 - jnp.exp(-0.05 * rate)) / 0.05
        return Relaxation({"gate": rate, "x": self.target * stepped}, {"gate": rate, "x": stepped})


class Clock(NamedTuple):
    v: Any
    wait: Any


class HiddenStepInJump(AbstractRelaxation):
    """A refractory clock that counts 0.1 ms at each step, whatever the step."""

    tau: jax.Array = parameter(10.0, "ms")
    rest: jax.Array = parameter(-65.0, "mV")

    def init(self):
        return Clock(self.rest, self.tau)

    def blocks(self):
        return Clock(0, None)

    def units(self):
        return Clock("mV", "ms")

    def relax(self, t, y, u):
        rate, held = 1.0 / self.tau, jnp.zeros_like(y.wait)
        return Relaxation(Clock(self.rest * rate, held), Clock(rate, held))

    def jump(self, t, before, y, u):
        return Clock(y.v, y.wait - 0.1)


PLANTED = [
    (WrongSign(), "relax.decay['x'] is negative, so the state runs away from its target"),
    (Disagreeing(), "vector_field['x'] differs from drive - decay * y of relax"),
    (HiddenThousand(), "vector_field['gate'] does not follow a change of units"),
    (SecondsForMilliseconds(), "vector_field['gate'] does not follow a change of units"),
    (WrongUnit(), "vector_field['gate'] does not follow a change of units: a unit is wrong"),
    (WrongUnit(tau=jnp.asarray(10)), "parameter tau is int64, not a floating-point array"),
    (StaticFloat(), "field gain is a Python float: every new value compiles again"),
    (BareArray(), "array gain has no unit: declare it with `parameter`"),
    (BareArray(gain=jnp.asarray(1)), "parameter gain is int64, not a floating-point array"),
    (Pole(), "the value of vector_field['gate'] is not finite at the state"),
    (SecondDerivative(), "the second derivative of vector_field['gate'] is not finite"),
    (OtherPrecision(), "the state's dtype ['float32', 'float64'] is not the parameters'"),
    (MissingState(), "a state is missing, or one too many"),
    (HiddenStep(), "vector_field['x'] does not follow a change of units"),
    (HiddenStepInJump(), "jump.wait does not follow a change of units"),
]


@pytest.mark.parametrize(("model", "words"), PLANTED, ids=lambda x: type(x).__name__)
def test_a_planted_mistake_is_rejected_by_its_reason(model, words):
    report = check(model)
    assert any(words in problem for problem in report.problems), report
    with pytest.raises(AssertionError, match=r"has \d+ problem\(s\)"):
        report.assert_ok()


@pytest.mark.parametrize("model", [m for m, _ in PLANTED[:5]], ids=lambda x: type(x).__name__)
def test_a_planted_mistake_is_one_problem(model):
    """The rest of the class is right: what is rejected is the mistake and nothing else."""
    reasons = {problem.split(" ", 1)[1] for problem in check(model).problems}
    assert len(reasons) == 1


def test_a_unit_off_by_a_thousand_cannot_be_declared():
    with pytest.raises(ValueError, match=r"the unit 's' is 1000 times the library's own"):

        class Slow(Passive):
            tau: jax.Array = parameter(10.0, "s")


def test_a_parameter_is_checked_when_the_model_is_made():
    with pytest.raises(ValueError, match=r"Passive\.capacitance must be positive, got 0"):
        Passive(capacitance=0.0)
    with pytest.raises(ValueError, match=r"Passive\.rest must be finite"):
        Passive(rest=np.nan)


class Undeclared(AbstractDynamics):
    """`dy/dt = -y`, without units."""

    def init(self):
        return jnp.asarray(1.0)

    def vector_field(self, t, y, u):
        return -y


def test_what_cannot_be_tested_is_said():
    report = check(Undeclared())
    report.assert_ok()
    assert report.notes == (
        "the units of the states are not declared (method `units`): rescaling not tested",
    )


class Logistic(AbstractRelaxation):
    rate: jax.Array = parameter(0.5, "1/ms")
    capacity: jax.Array = parameter(3.0, "uM")

    def init(self):
        return 0.1 * self.capacity

    def units(self):
        return "uM"

    def relax(self, t, y, u):
        return Relaxation(self.rate * jnp.abs(y), self.rate * jnp.abs(y) / self.capacity)


def test_coefficients_that_contain_their_own_state_are_reported():
    notes = check(Logistic()).notes
    assert [note.split(" contains")[0] for note in notes] == ["the drive of y", "the decay of y"]
    assert all("second order only with the midpoint" in note for note in notes)


def test_a_model_that_wants_an_input_says_that_it_can_be_given_one():
    synapse = tp.synapses.Exponential()
    (problem,) = check(synapse).problems
    assert problem.endswith("Or pass the input that it wants, check(model, u).")
    check(synapse, tp.core.Cleft(v_pre=-65.0, v_post=-60.0)).assert_ok()


def test_a_report_prints_its_findings():
    report = Report("Cell", ("p is wrong.",), ("n is worth knowing",))
    assert str(report).splitlines() == [
        "Cell has 1 problem(s)",
        "  problem: p is wrong.",
        "  note: n is worth knowing",
    ]
    Report("Cell", (), ("n",)).assert_ok()


def test_a_wrong_prefix_is_a_problem_and_not_a_crash():
    class Wrong(Passive):
        def blocks(self):
            return {"v": 0}

    report = check(Wrong())
    assert "is not a tree prefix of a state" in report.problems[0]
