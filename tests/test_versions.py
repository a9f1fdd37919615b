"""What is pinned for the gate is what the project promises."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_oldest_versions_tested_are_the_oldest_allowed():
    lines = (ROOT / ".ci" / "oldest.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lower = dict(re.match(r"([\w-]+)>=([\d.]+)", need).groups() for need in project["dependencies"])
    assert set(pins) == set(lower)
    for name, version in lower.items():
        # 0.10 is 0.10.0.
        assert pins[name].startswith(version) and not pins[name][len(version) :].strip(".0")
