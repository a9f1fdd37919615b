"""`python -m tripartite`, the same as the `tripartite` command."""

from tripartite.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
