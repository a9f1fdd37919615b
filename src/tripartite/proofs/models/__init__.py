"""The models against numbers that this library did not compute: papers, formulas, SciPy."""

from collections.abc import Callable, Iterator

from tripartite.core.arguments import checked
from tripartite.proofs.certificate import Certificate, Check, Claim, Theorem, certify
from tripartite.proofs.models import (
    conserved,
    controls,
    rests,
    synapses,
    trajectories,
    wiring,
)

THEOREM = Theorem(
    name="models",
    statement=(
        "No theorem, but agreement: each model below, solved on this machine, reproduces numbers "
        "that its paper prints, that follow from a formula there, or that SciPy computes from the "
        "published equations; and a mistake that somebody has made, planted, does not."
    ),
    latex=r"\frac{dy}{dt} = \text{drive}(t, y) - \text{decay}(t, y)\, y",
    assumptions=(
        "the equations are those of the papers named with each model's parameters; that they "
        "describe a cell is the papers' claim",
        "SciPy's numbers were computed once, by code that shares nothing with this library; the "
        "test suite computes them again",
        "the rung of gradients has no published number to be held against; the test suite holds "
        "derivatives against differences",
    ),
    source=(
        "Hodgkin & Huxley 1952; Li & Rinzel 1994; Nadkarni & Jung 2003; De Pitta et al. 2009; "
        "Lallouette et al. 2014; Handy et al. 2017; Gordleeva et al. 2021; Stimberg et al. 2019; "
        "Tsodyks, Pawelzik & Markram 1998; Pfister & Gerstner 2006; Sjostrom et al. 2001; "
        "Somjen et al. 2008"
    ),
)


@checked
def published_models(
    *, precision: str = "float64", on_check: Callable[[str, Check], None] | None = None
) -> Certificate:
    """Holds cells, astrocytes, synapses and networks against published numbers.

    It proves no theorem. A check passes if the model lies within a bound of a number that was not
    computed by this library.

    **Arguments:** `precision`: `"float64"` or `"float32"`; `on_check`: called with `"models"` and
    each check as it finishes.

    **Returns:** a `Certificate`; `assert_ok()` raises if a check failed.
    """
    return certify(THEOREM, _claims, precision=precision, on_check=on_check)


def _claims() -> Iterator[Claim]:
    for part in (rests, trajectories, synapses, conserved, wiring, controls):
        yield from part.claims()
