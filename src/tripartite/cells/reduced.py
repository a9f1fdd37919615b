"""Reduced cells, in pure numbers: FitzHugh-Nagumo and Hindmarsh-Rose.

They are not sums of conductances times driving forces, so they are outside the tv-LIF theorem:
`TVLIF` takes conductance cells alone. Nor do they relax, so the exponential steps do not serve.
"""

from typing import Any, NamedTuple

from jaxtyping import Array

from tripartite.core import AbstractDynamics, Parameter, parameter


class FitzHughNagumoState(NamedTuple):
    """`v`, the fast variable, and `w`, the recovery; pure numbers."""

    v: Array
    w: Array


class FitzHughNagumo(AbstractDynamics):
    """`dv/dt = v - v^3/3 - w + I`, `dw/dt = rate (v + offset - slope w)`, per `unit_time`.

    FitzHugh, Biophys. J. 1, 445 (1961), equations 1 and 2 in the form of Nagumo et al. (1962),
    with v depolarised upwards; a = 0.7, b = 0.8, 1/c^2 = 0.08. The paper's own text was not
    consulted. Outside the tv-LIF theorem, and without drive and decay: solved by Runge-Kutta.

    **Arguments:** `offset` (a), `slope` (b), `rate` (epsilon): pure numbers; `unit_time`: how many
    ms one unit of the model's time is; `v_init`, `w_init`: where it starts (default: rest).
    """

    offset: Parameter = parameter(0.7, "1")
    slope: Parameter = parameter(0.8, "1")
    rate: Parameter = parameter(0.08, "1")
    unit_time: Parameter = parameter(1.0, "ms", positive=True)
    v_init: Parameter = parameter(-1.19940803524404, "1", trainable=False)
    w_init: Parameter = parameter(-0.62426004405505, "1", trainable=False)

    def init(self) -> FitzHughNagumoState:
        """`v_init` and `w_init`."""
        return FitzHughNagumoState(self.v_init, self.w_init)

    def units(self) -> Any:
        """Pure numbers."""
        return "1"

    def input_units(self) -> Any:
        """A pure number."""
        return "1"

    def ports(self, y: FitzHughNagumoState) -> dict[str, Array]:
        """`{"v": v}`, a pure number."""
        return {"v": y.v}

    def vector_field(self, t: Array, y: FitzHughNagumoState, u: Any) -> FitzHughNagumoState:
        """The two equations, per ms; `u` is the current I, a pure number."""
        v = y.v - y.v**3 / 3.0 - y.w
        w = self.rate * (y.v + self.offset - self.slope * y.w)
        return FitzHughNagumoState((v if u is None else v + u) / self.unit_time, w / self.unit_time)


class HindmarshRoseState(NamedTuple):
    """`v`, the membrane; `recovery`; `adaptation`, which is slow; pure numbers."""

    v: Array
    recovery: Array
    adaptation: Array


class HindmarshRose(AbstractDynamics):
    """`dx/dt = y - a x^3 + b x^2 - z + I`, `dy/dt = c - d x^2 - y`, `dz/dt = r (s (x - x_1) - z)`.

    Hindmarsh and Rose, Proc. R. Soc. Lond. B 221, 87 (1984), equation 4, values of figure 6; x is
    the field `v`, y `recovery`, z `adaptation`, time in units of `unit_time`. It bursts. Outside
    the tv-LIF theorem, and without drive and decay: solved by Runge-Kutta.

    **Arguments:** `a`, `b`, `c`, `d`, `r`, `s`, `x_1`: pure numbers, as above; `unit_time`: how
    many ms one unit of the model's time is; `v_init`: where v starts, y at its nullcline c - d v^2
    and z at s (v - x_1).
    """

    a: Parameter = parameter(1.0, "1")
    b: Parameter = parameter(3.0, "1")
    c: Parameter = parameter(1.0, "1")
    d: Parameter = parameter(5.0, "1")
    r: Parameter = parameter(0.001, "1")
    s: Parameter = parameter(4.0, "1")
    x_1: Parameter = parameter(-1.6, "1")
    unit_time: Parameter = parameter(1.0, "ms", positive=True)
    v_init: Parameter = parameter(-1.6, "1", trainable=False)

    def init(self) -> HindmarshRoseState:
        """`v_init`, and the others where they rest at it."""
        adaptation = self.s * (self.v_init - self.x_1)
        return HindmarshRoseState(self.v_init, self.c - self.d * self.v_init**2, adaptation)

    def units(self) -> Any:
        """Pure numbers."""
        return "1"

    def input_units(self) -> Any:
        """A pure number."""
        return "1"

    def ports(self, y: HindmarshRoseState) -> dict[str, Array]:
        """`{"v": v}`, a pure number."""
        return {"v": y.v}

    def vector_field(self, t: Array, y: HindmarshRoseState, u: Any) -> HindmarshRoseState:
        """The three equations, per ms; `u` is the current I, a pure number."""
        v = y.recovery - self.a * y.v**3 + self.b * y.v**2 - y.adaptation
        recovery = self.c - self.d * y.v**2 - y.recovery
        adaptation = self.r * (self.s * (y.v - self.x_1) - y.adaptation)
        fields = (v if u is None else v + u, recovery, adaptation)
        return HindmarshRoseState(*(field / self.unit_time for field in fields))
