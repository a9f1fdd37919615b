"""The command line: `tripartite verify` and `tripartite bench`."""

import argparse
import json
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from os import environ
from pathlib import Path
from typing import Any

import jax

from tripartite import bench, proofs
from tripartite.attention import AbstractFeatureMap, load_feature_maps
from tripartite.core.progress import Waiting
from tripartite.proofs import Certificate, Check
from tripartite.report import NO_FIGURES, closing_table, live_line, write_report

SECTIONS: dict[str, Callable[..., Certificate]] = {
    **{
        proof.__name__: proof
        for proof in (
            proofs.hh_is_four_lif,
            proofs.astrocytes_are_linear_attention,
            proofs.linear_attention_is_softmax_in_the_limit,
        )
    },
    "models": proofs.published_models,
}
_ATTENTION = "transformer_runs_on_astrocytes_attention.png"
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
    return options.run(parser, options)


def _verify(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    if (options.transformer is None) != (options.text is None):
        parser.error(
            "--transformer DIR and --text FILE go together: the checkpoint and what it should read"
        )
    for name in ("figure", "maps"):
        if options.transformer is None and getattr(options, name) is not None:
            parser.error(f"--{name} FILE is of the attention of --transformer DIR: give both")
    if options.transformer is None and TRANSFORMER in (options.only or []):
        parser.error(f"--only {TRANSFORMER} needs --transformer DIR and --text FILE")
    _keep_compilations()
    started = time.perf_counter()
    certificates: list[Certificate] = []
    refused = ""
    with Waiting("the first check is running", options.progress) as line:
        told = partial(_print_check, line)
        for prove in _chosen(options):
            try:
                certificates.append(prove(precision=options.precision, on_check=told))
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
    pictures = {} if refused else _draw_attention(options)
    if options.report is not None:
        sys.stdout.write(write_report(certificates, options.report, pictures))
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
    _add_verify(commands)
    _add_bench(commands)
    return parser


def _add_verify(commands: Any) -> None:
    verify = commands.add_parser(
        "verify",
        help="prove the theorems and check the models on this machine",
        description=(
            "Runs every check of every theorem, and holds the models against published numbers, on "
            "this machine; prints each check as it finishes and a closing table, and exits with "
            "status 1 if one fails."
        ),
    )
    verify.add_argument(
        "--only",
        action="append",
        choices=sorted([*SECTIONS, TRANSFORMER]),
        metavar="NAME",
        help=f"one section (may be repeated): {', '.join(sorted([*SECTIONS, TRANSFORMER]))}",
    )
    verify.add_argument("--json", type=Path, metavar="FILE", help="write every check as JSON")
    verify.add_argument(
        "--report",
        type=Path,
        metavar="DIR",
        help="write a report with figures, in HTML and Markdown",
    )
    verify.add_argument(
        "--precision",
        choices=("float64", "float32"),
        default="float64",
        help="float32 runs what has a meaning there and lists the rest (default: float64)",
    )
    verify.add_argument(
        "--transformer",
        metavar="DIR",
        help="a BERT-family checkpoint (a folder with config.json, model.safetensors and "
        "tokenizer.json, or a Hugging Face Hub id, owner/name, which is fetched); "
        "needs the text extra",
    )
    verify.add_argument(
        "--text", type=Path, metavar="FILE", help="what it reads: paragraphs, blank lines between"
    )
    verify.add_argument(
        "--maps",
        type=Path,
        metavar="FILE",
        help="feature maps learned for that checkpoint, as save_feature_maps writes them: compared "
        "with as many random features",
    )
    verify.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="draw attention maps of that text side by side (with --report they are in it anyway)",
    )
    _add_progress(verify)
    verify.set_defaults(run=_verify)


def _add_bench(commands: Any) -> None:
    timing = commands.add_parser(
        "bench",
        help="time this library on this machine",
        description=(
            "Prints the tables that need no other simulator: time of a step, time against error, "
            "gradients, their memory, and the cold start. About two minutes."
        ),
    )
    timing.add_argument(
        "--only",
        action="append",
        choices=sorted(bench.TABLES),
        metavar="NAME",
        help=f"one table (may be repeated): {', '.join(bench.TABLES)}",
    )
    timing.add_argument(
        "--full", action="store_true", help="the sizes of the project's own page (minutes more)"
    )
    timing.add_argument(
        "--rounds", type=_positive, default=5, metavar="N", help="repetitions (default: 5)"
    )
    timing.add_argument("--json", type=Path, metavar="FILE", help="write every table as JSON")
    _add_progress(timing)
    timing.set_defaults(run=_bench)


def _add_progress(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--no-progress",
        dest="progress",
        action="store_const",
        const=False,
        help="no line on a terminal of what is running and for how long",
    )


def _positive(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"give a whole number of at least 1, got {text!r}")
    return number


def _bench(parser: argparse.ArgumentParser, options: argparse.Namespace) -> int:
    tables, status = [], 0
    try:
        for name, measure in bench.TABLES.items():
            if name not in (options.only or bench.TABLES):
                continue
            with Waiting(f"measuring {name}", options.progress):
                table = measure(options.full, options.rounds)
            rows = bench.markdown_table(table.header, table.lines)
            sys.stdout.write(f"\n{table.title}\n{textwrap.fill(table.note, 100)}\n\n{rows}")
            sys.stdout.flush()
            tables.append(asdict(table))
    except KeyboardInterrupt:
        status = INTERRUPTED
    where = bench.machine() | bench.versions()
    sys.stdout.write("\n" + textwrap.fill(", ".join(f"{k} {v}" for k, v in where.items()), 100))
    sys.stdout.write("\n")
    if options.json is not None:
        found = {"environment": where, "tables": tables}
        options.json.write_text(json.dumps(found, indent=2) + "\n")
    return status


def _chosen(options: argparse.Namespace) -> list[Callable[..., Certificate]]:
    """The sections to run, in order."""
    names = options.only or list(SECTIONS)
    chosen = [SECTIONS[name] for name in SECTIONS if name in names]
    if options.transformer is None:
        return chosen
    # First, so that a file which cannot be read is said at once.
    return [partial(_transformer, options), *chosen]


def _transformer(options: argparse.Namespace, **settings: Any) -> Certificate:
    return proofs.transformer_runs_on_astrocytes(
        options.transformer, options.text, maps=_learned(options), **settings
    )


def _learned(options: argparse.Namespace) -> tuple[AbstractFeatureMap, ...] | None:
    return None if options.maps is None else load_feature_maps(options.maps)


def _draw_attention(options: argparse.Namespace) -> dict[str, str]:
    """Draws attention maps where asked, or beside the report: file name there to caption."""
    place = options.figure
    if place is None and options.report is not None and options.transformer is not None:
        place = options.report / _ATTENTION
    if place is None or options.transformer is None:
        return {}
    if find_spec("matplotlib") is None:
        sys.stdout.write(NO_FIGURES)
        return {}
    from tripartite.plots import attention_maps

    found = proofs.attention_by_map(options.transformer, options.text, maps=_learned(options))
    axes = attention_maps(found.weights, found.tokens)
    place.parent.mkdir(parents=True, exist_ok=True)
    figure: Any = axes[0].get_figure()
    figure.savefig(place, dpi=150)
    sys.stdout.write(f"attention maps: {place}\n")
    caption = (
        f"Attention of head {found.head} of layer {found.layer} (counted from 0): the checkpoint's "
        "own, and the circuit's with each feature map"
    )
    return {place.name: caption} if options.report == place.parent else {}


def _print_check(line: Waiting, theorem: str, check: Check) -> None:
    line.again("the next check is running")
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
