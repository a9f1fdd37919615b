"""Writes one page per theorem from its certificate: `python docs/generate.py [NAME ...]`.

What the pages say was measured when they were written; nothing in them is typed by hand.
"""

import argparse
from pathlib import Path

import tripartite as tp

PAGES = Path(__file__).parent / "proofs"
THEOREMS = {
    proof.__name__: proof
    for proof in (
        tp.proofs.hh_is_four_lif,
        tp.proofs.astrocytes_are_linear_attention,
        tp.proofs.linear_attention_is_softmax_in_the_limit,
    )
}
NOTICE = "<!-- Written by docs/generate.py from the certificate: edit the proof instead. -->\n\n"


def main() -> None:
    """Proves the theorems named on the command line, or all of them, and writes their pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(THEOREMS))
    names = parser.parse_args().names or list(THEOREMS)
    unknown = [name for name in names if name not in THEOREMS]
    if unknown:
        parser.error(f"unknown theorem {unknown[0]!r}: choose from {', '.join(THEOREMS)}")
    for name in names:
        certificate = THEOREMS[name]()
        certificate.assert_ok()
        (PAGES / f"{name}.md").write_text(NOTICE + certificate.to_markdown())


if __name__ == "__main__":
    main()
