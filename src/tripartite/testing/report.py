"""What a conformance check found."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Report:
    """The result of `tripartite.testing.check`.

    - `problems`: what is wrong, one sentence each; empty if the model conforms.
    - `notes`: what is worth knowing: what could not be tested, and which coefficients contain
        their own state.
    """

    model: str
    problems: tuple[str, ...]
    notes: tuple[str, ...]

    def assert_ok(self) -> None:
        """**Raises:** `AssertionError` listing every problem."""
        if self.problems:
            raise AssertionError(str(self))

    def __str__(self) -> str:
        verdict = "conforms" if not self.problems else f"has {len(self.problems)} problem(s)"
        lines = [f"{self.model} {verdict}"]
        lines += [f"  problem: {problem}" for problem in self.problems]
        lines += [f"  note: {note}" for note in self.notes]
        return "\n".join(lines)
