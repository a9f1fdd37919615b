"""The certificate that one Hodgkin-Huxley neuron is four time-varying leaky integrators."""

from collections.abc import Callable, Iterator

from tripartite.core.arguments import checked
from tripartite.proofs.certificate import Certificate, Check, Claim, Theorem, certify
from tripartite.proofs.hodgkin_huxley import algebra, controls, networks, sensitivity, trajectory

THEOREM = Theorem(
    name="hh_is_four_lif",
    statement=(
        "A Hodgkin-Huxley neuron equals four time-varying leaky integrate-and-fire units, given "
        "its gates: the sum of the units is its voltage for every input. Closing the loop, with "
        "the gates driven by that sum, changes nothing. In general a cell of M channels is M + 1 "
        "units. Under any Runge-Kutta or linear multistep method the two agree step by step, so "
        "their difference is round-off, whatever the step size."
    ),
    latex=(
        r"C\dot u_k=-g_s(t)\,u_k+g_k(t)E_k\;(k=\mathrm{Na,K,L}),\quad "
        r"C\dot u_I=-g_s(t)\,u_I+I(t),\quad V=\sum_k u_k+u_I,\quad g_s=\sum_k g_k"
    ),
    assumptions=(
        "the conductances g_k(t) are the same functions of time in both (closed loop: the same "
        "functions of the reconstructed voltage)",
        "the initial values of the units add up to V(0)",
        "no true reset of the voltage; a reset of the units that keeps their sum is allowed",
    ),
    source=(
        "He et al., Nature Computational Science 4, 584 (2024), the construction of the authors' "
        "released code; the share form and its bounds are derived in the documentation"
    ),
)


@checked
def hh_is_four_lif(
    *, precision: str = "float64", on_check: Callable[[str, Check], None] | None = None
) -> Certificate:
    """Proves numerically that a Hodgkin-Huxley neuron equals four tv-LIF units given its gates.

    **Arguments:** `precision`: `"float64"` or `"float32"`; `on_check`: called with the theorem's
    name and each check as it finishes.

    **Returns:** a `Certificate`; `assert_ok()` raises if a check failed.

    Source: He et al., Nature Computational Science 4, 584 (2024).
    """
    return certify(THEOREM, _claims, precision=precision, on_check=on_check)


def _claims() -> Iterator[Claim]:
    # A cached trajectory of an earlier run may be in another precision.
    networks.xor_levels.cache_clear()
    networks.digit_levels.cache_clear()
    for rung in (algebra, trajectory, sensitivity, controls, networks):
        yield from rung.claims()
