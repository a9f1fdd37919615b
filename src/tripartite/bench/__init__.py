"""What the library costs on this machine: `tripartite bench`, and what the benchmarks build on."""

from tripartite.bench.numbers import (
    machine,
    markdown_table,
    number,
    spread,
    with_spread,
    worst_spike,
)
from tripartite.bench.tables import TABLES, Table
from tripartite.bench.work import (
    COLD,
    compiled,
    first_gradient,
    once,
    one_cell,
    population,
    small_loops,
    solver,
    temporaries,
    versions,
)

__all__ = [
    "COLD",
    "TABLES",
    "Table",
    "compiled",
    "first_gradient",
    "machine",
    "markdown_table",
    "number",
    "once",
    "one_cell",
    "population",
    "small_loops",
    "solver",
    "spread",
    "temporaries",
    "versions",
    "with_spread",
    "worst_spike",
]
