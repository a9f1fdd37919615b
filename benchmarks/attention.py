"""Attention by circuits at their fixed point beside softmax attention: time, memory, decoding.

python benchmarks/attention.py
"""

import argparse

from fleet import Row, add_options, chosen, fleet, rounds, settled, stopped
from lengths import crossover, exponent
from write import failures, save, table, why_not

from tripartite.bench import number, with_spread

SIZES = (256, 512, 1024, 2048, 4096, 8192, 16_384)
QUICK, FEW = (256, 1024), 2
HEADS, D_HEAD, FEATURES = 8, 64, 128
# What a run may take of the machine's memory; beyond, it is compiled and not run.
LIMIT = 4 * 2**30
OURS, SOFTMAX = "tripartite", "jax.nn"
FORMS, PASSES = ("whole", "causal"), ("forward", "gradient")


def rows_of():
    for form in FORMS:
        for which in PASSES:
            for who, kind in ((OURS, "circuit"), (SOFTMAX, "softmax")):
                request = {"kind": kind, "form": form, "gradient": which == "gradient"}
                yield Row(who, f"{form}, {which}", "run_attention", request)
    yield Row(OURS, "decoding", "run_attention", {"do": "decode"})


def softmax_bytes(request, tokens):
    """About what the scores and their like take: 2 arrays of every pair, 4 in a gradient."""
    arrays = 4 if request["gradient"] else 2
    return arrays * HEADS * tokens**2 * 4 if request["kind"] == "softmax" else 0


def measure(options):
    rows = chosen(rows_of(), options)
    sizes = QUICK if options.quick else SIZES
    repeat = min(FEW, options.rounds) if options.quick else options.rounds
    # A token is decoded in microseconds: its rounds wait until no softmax is there any more, whose
    # gigabytes, given back to the system between its turns, were seen to double that time.
    for group in (
        [row for row in rows if row.setting != "decoding"],
        [row for row in rows if row.setting == "decoding"],
    ):
        with fleet(group, options) as line:
            for tokens in sizes:
                found = rounds(
                    group, line, lambda row, n=tokens: request_of(row, n), repeat, scale=1e3
                )
                for row in group:
                    if row.name in found:
                        row.found.setdefault("times", {})[str(tokens)] = found[row.name]
            for row in group:
                if row.setting != "decoding":
                    measure_memory(row, line, sizes)
    return rows


def measure_memory(row, line, sizes):
    """The bytes of temporaries at each size, of what was timed and what was not."""
    for tokens in sizes:
        known = row.found.get("times", {}).get(str(tokens))
        ask = row.request | {"do": "memory", "tokens": tokens}
        answer = known or ({} if stopped(row) else line[row.name].ask(ask))
        if answer and (known or settled(row, answer)):
            row.found.setdefault("bytes", {})[str(tokens)] = answer["bytes"]


def request_of(row, tokens):
    """What is timed, or `None` where it would not fit."""
    if row.setting == "decoding":
        return row.request | {"tokens": tokens}
    if softmax_bytes(row.request, tokens) > LIMIT:
        return None
    return row.request | {"do": "time", "tokens": tokens}


def median(row, tokens):
    """ms, if measured."""
    return row.found.get("times", {}).get(str(tokens), {}).get("median")


def times_table(rows):
    lines = []
    for row in rows:
        if row.setting == "decoding":
            continue
        times = row.found.get("times", {})
        cells = [with_spread(times.get(str(n))) for n in SIZES]
        grows = exponent(times)
        shown = [why_not(row)] * len(cells) if stopped(row) else cells
        lines.append([row.name, *shown, number(grows)])
    return table(["ms", *(f"{n:,}" for n in SIZES), "slope"], lines)


def memory_table(rows):
    queries = HEADS * D_HEAD * 4
    lines = []
    for row in rows:
        if row.setting != "decoding" and not stopped(row):
            sizes = row.found.get("bytes", {})
            cells = [
                number(sizes[str(n)] / (n * queries)) if str(n) in sizes else "-" for n in SIZES
            ]
            lines.append([row.name, *cells])
    return table(["temporaries / queries", *(f"{n:,}" for n in SIZES)], lines)


def crossovers(rows):
    """A sentence for each form and pass."""
    by_name = {row.name: row.found.get("times", {}) for row in rows}
    said = []
    for form in FORMS:
        for which in PASSES:
            pair = [by_name.get(f"{who}, {form}, {which}", {}) for who in (OURS, SOFTMAX)]
            at = crossover(*pair)
            words = "nowhere" if at is None else f"from {at:,} tokens on"
            said.append(f"{form}, {which}: {words}")
    return "\nFaster than softmax attention, of the sizes measured: " + "; ".join(said) + ".\n"


def decoding(rows):
    row = next((row for row in rows if row.setting == "decoding"), None)
    if row is None or stopped(row):
        return failures([row]) if row is not None else ""
    times = row.found["times"]
    cells = [with_spread(scaled(times[str(n)])) for n in SIZES if str(n) in times]
    header = ["tokens written before", *(f"{int(n):,}" for n in times)]
    return (
        "\n### Decoding\n\nOne token more, projections included: us for each (median, "
        "least-most). The state is "
        f" {next(iter(times.values()))['bytes'] / 2**10:.0f} KiB at every length.\n"
        + table(header, [["us for each token", *cells]])
    )


def scaled(found):
    """Of ms, us."""
    return {k: 1e3 * found[k] for k in ("median", "least", "most")}


def text(rows):
    """The page's section."""
    return (
        "## Attention\n\n"
        f"{HEADS} heads of size {D_HEAD}, float32, q, k and v given: the circuits' fixed point "
        f"with {FEATURES} trainable features for each head, beside `jax.nn.dot_product_attention`. "
        "ms (median, least-most); the slope is the exponent in the number of tokens from 1,024 on. "
        "The gradient is with respect to q, k and v. A run that would need more than "
        f"{LIMIT // 2**30} GiB is compiled and not run. The two compute different attentions, "
        "as [the page on attention](attention.md) explains.\n"
        + times_table(rows)
        + crossovers(rows)
        + "\nTemporaries by XLA's own account (`memory_analysis`), as multiples of the queries:\n"
        + memory_table(rows)
        + decoding(rows)
        + failures(rows)
    )


def main():
    """Measures, prints and writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_options(parser)
    options = parser.parse_args()
    rows = measure(options)
    sizes = {"heads": HEADS, "d_head": D_HEAD, "features": FEATURES}
    save("attention", sizes, rows, text(rows), options)


if __name__ == "__main__":
    main()
