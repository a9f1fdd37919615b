"""Every table, one after another: python benchmarks/everything.py [options of the tables]."""

import subprocess
import sys
import time
from pathlib import Path

from write import TABLES

HERE = Path(__file__).parent


def main():
    """Runs each command with the options given here; a table that fails stops none of the rest."""
    failed = []
    for name in TABLES:
        start = time.perf_counter()
        done = subprocess.run([sys.executable, str(HERE / f"{name}.py"), *sys.argv[1:]])
        print(f"{name}: {time.perf_counter() - start:.0f} s\n", flush=True)
        failed += [name] if done.returncode else []
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
