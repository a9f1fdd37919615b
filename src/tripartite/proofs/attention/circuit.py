"""Theorem: the neuron-astrocyte circuit's fixed point is linear attention, for any features."""

from collections.abc import Callable, Iterator

from tripartite.core.arguments import checked
from tripartite.proofs.attention.algebra import algebra_claims
from tripartite.proofs.attention.controls import control_claims
from tripartite.proofs.attention.digits import circuit_digits_claims
from tripartite.proofs.attention.trajectory import gradient_claims, trajectory_claims
from tripartite.proofs.certificate import Certificate, Check, Claim, Theorem, certify

ASTROCYTES_ARE_LINEAR_ATTENTION = Theorem(
    name="astrocytes_are_linear_attention",
    statement=(
        "The unique stable fixed point of the neuron-astrocyte circuit, once tokens have been "
        "written into its synapses and a query is read, equals normalised feature-map (linear) "
        "attention, for any feature map; with one process per token it equals softmax attention."
    ),
    latex=(
        r"x^*_i = \sum_j \frac{c_{ij}}{p^*}\,\tilde Q_j"
        r" = \frac{\sum_b \tilde Q\cdot\tilde K_b\, v_{bi}}{\sum_b \tilde Q\cdot\tilde K_b},"
        r"\qquad c_{ij} = \frac{\lambda}{M}\sum_b v_{bi}\tilde K_{bj},"
        r"\quad p^* = \frac{1}{NM}\sum_{ij} p_{ij}(0),"
        r"\quad p_{ij}(0) = \lambda\,\tilde Q_j\sum_s\tilde K_{sj}"
    ),
    assumptions=(
        "The calcium at the start of a reading has a positive sum.",
        "Writing is complete before reading (causal: up to and including the query's own token).",
        "Neurons have relaxed to each value before it is stored, and the circuit to its fixed "
        "point before it is read out.",
        "Calcium is the decay rate of the synapses.",
    ),
    source="arXiv 2311.08135v2, appendix C (after PNAS 120(34), e2219150120, 2023)",
)


@checked
def astrocytes_are_linear_attention(
    *,
    precision: str = "float64",
    on_check: Callable[[str, Check], None] | None = None,
) -> Certificate:
    """Checks that the attention circuit computes linear attention, on this machine.

    **Arguments:** as for `certify`.
    """
    return certify(ASTROCYTES_ARE_LINEAR_ATTENTION, _claims, precision=precision, on_check=on_check)


def _claims() -> Iterator[Claim]:
    yield from algebra_claims()
    yield from trajectory_claims()
    yield from gradient_claims()
    yield from control_claims()
    yield from circuit_digits_claims()
