"""What a proof returns: a list of measured claims, each with its bound and the reason for it."""

import dataclasses
import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterable
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tripartite.core.arguments import checked, require_fields

RUNGS = ("algebra", "trajectory", "gradient", "negative control", "real input")
SYMPY_ABSENT = "absent (the symbolic checks did not run; the plots extra brings it)"
PACKAGES = ("tripartite", "jax", "jaxlib", "equinox", "diffrax", "lineax", "optimistix", "numpy")


@dataclasses.dataclass(frozen=True)
class Claim:
    """One thing to measure, and what the measurement must satisfy.

    **Arguments:**

    - `name`: the claim in words.
    - `rung`: one of `RUNGS`.
    - `bound`: the number `measured` is held against; computed from machine epsilon, the method's
        order and the sizes involved by whoever states the claim.
    - `why`: where the bound comes from, in words.
    - `measure`: computes the number. It runs when its turn comes, inside the right precision.
    - `above`: a negative control or a floor: passes if `measured >= bound` instead of `<=`.
    - `float64_only`: the claim has no meaning in float32 and is then listed, not run.
    - `note`: called after `measure`; extra words for the report (a count, a time).
    """

    name: str
    rung: str
    bound: float
    why: str
    measure: Callable[[], Any]
    above: bool = False
    float64_only: bool = True
    note: Callable[[], str] | None = None

    def __post_init__(self) -> None:
        require_fields(self)
        if self.rung not in RUNGS:
            raise ValueError(f"rung must be one of {RUNGS}, got {self.rung!r}.")


@dataclasses.dataclass(frozen=True)
class Check:
    """A claim that has had its turn. `passed` is `None` where it was not run, `why` says why."""

    name: str
    rung: str
    measured: float | None
    bound: float
    above: bool
    passed: bool | None
    why: str
    device: str
    seconds: float
    note: str = ""

    @property
    def margin(self) -> float | None:
        """How many times inside its bound the measurement is (below 1: outside)."""
        if self.measured is None:
            return None
        inner, outer = (self.bound, self.measured) if self.above else (self.measured, self.bound)
        return float("inf") if inner == 0 else outer / inner


@dataclasses.dataclass(frozen=True)
class Theorem:
    """The statement a certificate is about: words, LaTeX, assumptions, source."""

    name: str
    statement: str
    latex: str
    assumptions: tuple[str, ...]
    source: str

    def __post_init__(self) -> None:
        require_fields(self)


@dataclasses.dataclass(frozen=True)
class Certificate:
    """A theorem, or an agreement, with its checks, and the machine they ran on."""

    theorem: Theorem
    checks: tuple[Check, ...]
    precision: str
    environment: dict[str, str]
    complete: bool = True

    @property
    def name(self) -> str:
        """The theorem's short name."""
        return self.theorem.name

    @property
    def passed(self) -> bool:
        """Whether it was not interrupted, and every check that ran passed, and at least one ran."""
        verdicts = [check.passed for check in self.checks if check.passed is not None]
        return self.complete and bool(verdicts) and all(verdicts)

    def assert_ok(self) -> None:
        """**Raises:** `AssertionError` naming each failed check, its number and its bound."""
        failed = [check for check in self.checks if check.passed is False]
        if failed or not self.passed:
            lines = [
                f"  {c.name}: measured {format_measured(c)}, bound {format_bound(c)}. {c.note}"
                for c in failed
            ]
            if not self.complete:
                lines.append("  interrupted before its last check")
            raise AssertionError("\n".join([f"{self.name} does not hold:", *lines]))

    def to_dict(self) -> dict[str, object]:
        """Plain data, as written by `tripartite verify --json`."""
        return {
            "name": self.name,
            "statement": self.theorem.statement,
            "source": self.theorem.source,
            "assumptions": list(self.theorem.assumptions),
            "passed": self.passed,
            "complete": self.complete,
            "precision": self.precision,
            "environment": self.environment,
            "checks": [
                {key: _plain(value) for key, value in dataclasses.asdict(check).items()}
                for check in self.checks
            ],
        }

    def to_json(self) -> str:
        """`to_dict` as JSON text; an infinite number or a NaN becomes a string."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)

    def to_markdown(self) -> str:
        """A page: statement, formula, assumptions, and the table of checks."""
        theorem = self.theorem
        rows = [
            f"| {_cell(c.name)} | {c.rung} | {format_measured(c)} | {format_bound(c)} | "
            f"{verdict(c)} | {_cell(f'{c.why}. {c.note}' if c.note else c.why)} |"
            for c in self.checks
        ]
        return "\n".join(
            [
                f"# {theorem.name.replace('_', ' ')}",
                "",
                theorem.statement,
                "",
                f"$$\n{theorem.latex}\n$$",
                "",
                f"Source: {theorem.source}",
                "",
                "Assumptions:",
                "",
                *[f"- {assumption}" for assumption in theorem.assumptions],
                "",
                f"Precision {self.precision}; "
                + ", ".join(f"{k} {v}" for k, v in self.environment.items())
                + ".",
                "",
                "| claim | rung | measured | bound | verdict | why this bound |",
                "|---|---|---|---|---|---|",
                *rows,
                "",
            ]
        )


def _plain(value: object) -> object:
    """JSON has no infinity and no NaN: they become text."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _cell(text: str) -> str:
    """Text that does not end its cell of a Markdown table."""
    return text.replace("|", "\\|")


def format_measured(check: Check) -> str:
    """The measured number to three digits, or a dash where the check did not run."""
    return "-" if check.measured is None else f"{check.measured:.3g}"


def format_bound(check: Check) -> str:
    """The bound with its direction."""
    return f"{'>=' if check.above else '<='} {check.bound:.3g}"


def verdict(check: Check) -> str:
    """`pass`, `FAIL`, or `float64 only`."""
    return {True: "pass", False: "FAIL", None: "float64 only"}[check.passed]


def machine_epsilon() -> float:
    """The spacing of floating-point numbers at 1 in the precision now in force."""
    return float(jnp.finfo(jnp.result_type(float)).eps)


def environment() -> dict[str, str]:
    """Versions, device and processor, as printed with every certificate."""
    device = jax.devices()[0]
    return {
        "device": f"{device.platform} {device.device_kind}",
        "machine": f"{platform.machine()} {platform.system()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        **{name: version(name) for name in PACKAGES},
        "sympy": version("sympy") if find_spec("sympy") else SYMPY_ABSENT,
    }


@checked
def certify(
    theorem: Theorem,
    claims: Callable[[], Iterable[Claim]],
    *,
    precision: str = "float64",
    on_check: Callable[[str, Check], None] | None = None,
) -> Certificate:
    """Runs every claim and gathers the certificate.

    **Arguments:**

    - `claims`: called inside the precision asked for; yields the claims in order.
    - `precision`: `"float64"`, or `"float32"`: there the claims with no meaning in it are
        listed as `float64 only`.
    - `on_check`: called with the theorem's name and each check as it is finished.

    In float64 on a device that has none, the claims run on the host's processor. Interrupted from
    the keyboard, it returns what is finished, as a certificate that is not `complete`.
    """
    if precision not in ("float64", "float32"):
        raise ValueError(f'precision must be "float64" or "float32", got {precision!r}.')
    double = precision == "float64"
    device = jax.devices()[0]
    if double and device.platform not in ("cpu", "gpu", "cuda", "rocm"):
        device = jax.devices("cpu")[0]
    checks: list[Check] = []
    complete = True
    with jax.enable_x64(double), jax.default_device(device):
        try:
            for claim in claims():
                checks.append(_run(claim, double, device.platform))
                if on_check is not None:
                    on_check(theorem.name, checks[-1])
        except KeyboardInterrupt:
            complete = False
    return Certificate(theorem, tuple(checks), precision, environment(), complete)


def _run(claim: Claim, double: bool, device: str) -> Check:
    if claim.float64_only and not double:
        why = f"Not run: has a meaning in float64 only. {claim.why}"
        return Check(claim.name, claim.rung, None, claim.bound, claim.above, None, why, device, 0.0)
    start = time.perf_counter()
    try:
        measured = float(np.asarray(claim.measure()))
        note = claim.note() if claim.note is not None else ""
    except (ValueError, RuntimeError) as error:
        # A solve that fails is a claim that fails: it must not cost the others their turn.
        measured, note = math.nan, f"{type(error).__name__}: {error}"
    seconds = time.perf_counter() - start
    # A NaN compares false, hence fails either way.
    passed = bool(measured >= claim.bound if claim.above else measured <= claim.bound)
    return Check(
        claim.name,
        claim.rung,
        measured,
        claim.bound,
        claim.above,
        passed,
        claim.why,
        device,
        seconds,
        note,
    )
