"""The command line: `tripartite verify`."""

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from os import environ
from pathlib import Path

import jax

from tripartite import proofs
from tripartite.proofs import Certificate, Check
from tripartite.report import closing_table, live_line, write_report

THEOREMS: dict[str, Callable[..., Certificate]] = {
    proof.__name__: proof
    for proof in (
        proofs.hh_is_four_lif,
        proofs.astrocytes_are_linear_attention,
        proofs.linear_attention_is_softmax_in_the_limit,
    )
}
TRANSFORMER = proofs.transformer_runs_on_astrocytes.__name__
REFUSED = 2
INTERRUPTED = 130


def main(argv: list[str] | None = None) -> int:
    """Runs the command line.

    Returns its exit status: 0, 1 if a check failed, 2 if the arguments or the files they name are
    unusable, 130 on Ctrl-C.
    """
    parser = _parser()
    options = parser.parse_args(argv)
    if (options.transformer is None) != (options.text is None):
        parser.error(
            "--transformer DIR and --text FILE go together: the checkpoint and what it should read"
        )
    if options.transformer is None and TRANSFORMER in (options.only or []):
        parser.error(f"--only {TRANSFORMER} needs --transformer DIR and --text FILE")
    _keep_compilations()
    started = time.perf_counter()
    certificates: list[Certificate] = []
    refused = ""
    for prove in _chosen(options):
        try:
            certificates.append(prove(precision=options.precision, on_check=_print_check))
        except (ValueError, ImportError) as error:
            # An unreadable checkpoint or text, or a missing extra: the others' checks are kept.
            refused = f"tripartite verify: error: {error}\n"
            break
        if not certificates[-1].complete:
            break
    sys.stdout.write(closing_table(certificates, time.perf_counter() - started))
    if options.json is not None:
        found = [certificate.to_dict() for certificate in certificates]
        options.json.write_text(json.dumps(found, indent=2, allow_nan=False) + "\n")
    if options.report is not None:
        sys.stdout.write(write_report(certificates, options.report))
    if refused:
        sys.stderr.write(refused)
        return REFUSED
    if not all(certificate.complete for certificate in certificates):
        return INTERRUPTED
    return 0 if all(certificate.passed for certificate in certificates) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tripartite",
        description="Differentiable neurons, astrocytes and tripartite synapses on JAX.",
    )
    parser.add_argument("--version", action="version", version=f"tripartite {_version()}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    verify = commands.add_parser(
        "verify",
        help="prove both theorems on this machine",
        description=(
            "Runs every check of every theorem on this machine, prints each as it finishes and a "
            "closing table, and exits with status 1 if one fails."
        ),
    )
    verify.add_argument(
        "--only",
        action="append",
        choices=sorted([*THEOREMS, TRANSFORMER]),
        metavar="NAME",
        help=f"one theorem (may be repeated): {', '.join(sorted([*THEOREMS, TRANSFORMER]))}",
    )
    verify.add_argument("--json", type=Path, metavar="FILE", help="write every check as JSON")
    verify.add_argument(
        "--report", type=Path, metavar="DIR", help="write a Markdown report with figures"
    )
    verify.add_argument(
        "--precision",
        choices=("float64", "float32"),
        default="float64",
        help="float32 runs what has a meaning there and lists the rest (default: float64)",
    )
    verify.add_argument(
        "--transformer",
        type=Path,
        metavar="DIR",
        help="a BERT-family checkpoint (config.json, model.safetensors, tokenizer.json); "
        "needs the text extra",
    )
    verify.add_argument(
        "--text", type=Path, metavar="FILE", help="what it reads: paragraphs, blank lines between"
    )
    return parser


def _chosen(options: argparse.Namespace) -> list[Callable[..., Certificate]]:
    """The proofs to run, in order."""
    names = options.only or list(THEOREMS)
    chosen = [THEOREMS[name] for name in THEOREMS if name in names]
    if options.transformer is None:
        return chosen
    # First, so that a file which cannot be read is said at once.
    transformer = partial(proofs.transformer_runs_on_astrocytes, options.transformer, options.text)
    return [transformer, *chosen]


def _print_check(theorem: str, check: Check) -> None:
    sys.stdout.write(live_line(theorem, check))
    sys.stdout.flush()


def _version() -> str:
    return version("tripartite")


def _keep_compilations() -> None:
    """A second run finds what the first has compiled."""
    base = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    if "JAX_COMPILATION_CACHE_DIR" not in environ:
        jax.config.update("jax_compilation_cache_dir", str(base / "tripartite" / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


if __name__ == "__main__":
    sys.exit(main())
