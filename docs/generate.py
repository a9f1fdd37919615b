"""Writes one page per certificate: `python docs/generate.py [NAME ...]`.

What the pages say was measured when they were written; nothing in them is typed by hand.
"""

import argparse
from pathlib import Path

import tripartite as tp

PAGES = Path(__file__).parent / "proofs"
CERTIFICATES = {
    "hh_is_four_lif": tp.proofs.hh_is_four_lif,
    "astrocytes_are_linear_attention": tp.proofs.astrocytes_are_linear_attention,
    "linear_attention_is_softmax_in_the_limit": tp.proofs.linear_attention_is_softmax_in_the_limit,
    "models": tp.proofs.published_models,
}
NOTICE = "<!-- Written by docs/generate.py from the certificate: edit the proof instead. -->\n\n"


def main() -> None:
    """Runs the checks named on the command line, or all of them, and writes their pages."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(CERTIFICATES))
    names = parser.parse_args().names or list(CERTIFICATES)
    unknown = [name for name in names if name not in CERTIFICATES]
    if unknown:
        parser.error(f"unknown certificate {unknown[0]!r}: choose from {', '.join(CERTIFICATES)}")
    for name in names:
        certificate = CERTIFICATES[name]()
        certificate.assert_ok()
        (PAGES / f"{name}.md").write_text(NOTICE + certificate.to_markdown())


if __name__ == "__main__":
    main()
