"""The command line: neuralgebra show|draw|eval|diff|formula|code|plain|verify|enclose|certify|check MODEL.

Exit codes: 0 ok, 1 our fault, 2 usage, 3 bad input, 4 valid but unsupported, 5 not certified, 6 resource limit,
7 output not writable, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from typing import Any, NoReturn

import click

import neuralgebra as na
from neuralgebra import cli_algebra, cli_fit
from neuralgebra.cli_algebra import warn_outside
from neuralgebra.cli_support import (
    DATA,
    FORCE,
    FORMAT,
    JSON,
    MODEL,
    OUTPUT,
    as_text,
    box_of,
    columns_of,
    printed,
    refuse_existing,
    rows_of,
    stdout,
    writer,
)
from neuralgebra.errors import NeuralgebraError, OutputError, ResourceError, UsageError, shown

__all__ = ["main", "run"]

_NOTATIONS = ("text", "latex", "mathml", "mathematica")


_CODES = """Exit codes: 0 done; 1 our fault; 2 a wrong call; 3 values or files that cannot be read; 4 not covered;
5 what was asked to agree does not; 6 too large for memory; 7 the output cannot be written; 130 interrupted."""


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, epilog=_CODES)
@click.version_option(na.__version__, prog_name="neuralgebra")
@click.option("--debug", is_flag=True, help="Show where a fault of ours is.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """The mathematics of a trained network: its formula, its derivatives, checked."""
    context.obj = debug


@cli.command()
@MODEL
@JSON
def show(model: str, as_json: bool) -> None:
    """Print what a network is: layers, parameters, names."""
    network = na.load(model)
    printed(as_text(na.api.resolve("summary")(network)) if as_json else na.api.resolve("summary_text")(network))


@cli.command()
@MODEL
@click.option("--level", type=click.Choice(["auto", "neurons", "layers"]), default="auto", show_default=True)
@OUTPUT
@FORCE
def draw(model: str, level: str, output: str, force: bool) -> None:
    """Draw a network: neuron by neuron where it is small, else layer by layer.

    The ending of OUTPUT decides on the format: .svg, .png or .pdf; the terminal gets SVG.
    """
    refuse_existing(output, force)
    if output != "-":
        na.api.resolve("picture_ending")(output)
    picture = na.load(model).draw(level=level)
    if output == "-":
        click.echo(picture.svg, file=stdout(), nl=False)
    else:
        picture.save(output, overwrite=force)


@cli.command(name="eval")
@MODEL
@DATA
@click.option("--certificate", type=click.Path(), help="Warn of rows outside the domain of this certificate.")
@OUTPUT
@FORMAT
@FORCE
@JSON
def evaluate(model: str, data: str, certificate: str | None, **options: Any) -> None:
    """Evaluate a network at the rows of DATA (CSV, Parquet, or - for CSV on standard input)."""
    write = writer(**options)
    network = na.load(model)
    rows = rows_of(network, data)
    if certificate is not None:
        warn_outside(network, rows, certificate)
    values = network(rows)
    write(columns_of(zip(network.output_names, values.T, strict=True)))


@cli.command()
@MODEL
@DATA
@click.option("--order", type=click.IntRange(1, 2), default=1, show_default=True, help="1: Jacobian; 2: and Hessian.")
@OUTPUT
@FORMAT
@FORCE
@JSON
def diff(model: str, data: str, order: int, **options: Any) -> None:
    """Differentiate a network by its inputs at the rows of DATA.

    Columns are named dy/da and, of order 2, d2y/da db.
    """
    write = writer(**options)
    network = na.load(model)
    x = rows_of(network, data)
    second = _second(network, network.hessian(x)) if order == 2 else ()
    write(columns_of(itertools.chain(_first(network, network.jacobian(x)), second)))


@cli.command()
@MODEL
@click.option(
    "--order",
    type=click.IntRange(0, 4),
    default=0,
    show_default=True,
    help="0: value; 1: and Jacobian; 2: and Hessian; 3, 4: and all derivatives of that order.",
)
@click.option("--digits", type=click.IntRange(1, 17), help="Round the weights; by default every bit is kept.")
@click.option("--box", metavar="RANGES", help="Simplify on a box: x1=-1:1,x2=0:2, or a table whose ranges are taken.")
@click.option("--tol", type=float, help="With --box: the shortest formula with no error above TOL there, proven.")
@click.option("--notation", type=click.Choice(_NOTATIONS), default="text", show_default=True)
@click.option("--inline", is_flag=True, help="One expression in the inputs alone; refused when too large.")
@click.option("--matrix", is_flag=True, help="Layer by layer in matrices, to order 2, then every number.")
@click.option(
    "--limit", type=click.IntRange(1), default=100_000, show_default=True, help="Largest inlined size, in nodes."
)
@OUTPUT
@FORCE
@JSON
def formula(model: str, order: int, digits: int | None, notation: str, **options: Any) -> None:
    """Print the formula of a network, line by line."""
    refuse_existing(options["output"], options["force"])
    if options["inline"] and options["matrix"]:
        raise UsageError("--inline and --matrix received; one of them expected.")
    network = na.load(model)
    box = None if options["box"] is None else box_of(network, options["box"])
    found = network.formula(order, digits=digits, box=box, tol=options["tol"])
    if options["matrix"]:
        text = found.matrix(notation)
    else:
        text = _inlined(found, notation, options["limit"]) if options["inline"] else found.written(notation)
    if options["as_json"]:
        text = as_text({"order": order, "notation": notation, "lines": text.splitlines()} | _on_box(found))
    if options["output"] == "-":
        printed(text)
    else:
        na.api.resolve("write_atomic")(options["output"], (text + "\n").encode(), options["force"])


@cli.command()
@MODEL
@click.option("-l", "--language", help="By default what the ending of OUTPUT says; an unknown one lists them.")
@click.option("--order", type=click.IntRange(0, 3), default=2, show_default=True, help="Highest order of derivatives.")
@click.option("--name", default="f", show_default=True, help="Name of the functions.")
@click.option("--dtype", type=click.Choice(["float64", "float32"]), help="By default that of the network.")
@click.option("--packed", is_flag=True, help="Of Hessians only the entries i <= j.")
@click.option("--product", "products", multiple=True, type=click.Choice(["jvp", "vjp", "hvp"]), help="Also J v, ….")
@click.option("--unroll", is_flag=True, help="Without loops: for networks of a few units.")
@click.option("--interface", help="The functions that a host calls: casadi, uhyper, umat or calculix.")
@click.option("--no-check", is_flag=True, help="Leave the self-test out.")
@OUTPUT
@FORCE
def code(model: str, language: str | None, output: str, force: bool, no_check: bool, **options: Any) -> None:
    """Write a network and its derivatives as a program in another language."""
    refuse_existing(output, force)
    if language is None:
        language = _language(output, required=options["interface"] is None)
    text = na.load(model).code(language, check=not no_check, **options)
    if output == "-" and isinstance(text, bytes):
        raise UsageError(f"--language {language} to the terminal: it is no text.\nName a file with -o.")
    if output == "-":
        click.echo(text, file=stdout(), nl=False)
    else:
        data = text if isinstance(text, bytes) else text.encode()
        na.api.resolve("write_atomic")(output, data, force)


def _language(output: str, required: bool) -> str | None:
    """Return the language that the ending of a file says; None if it says none and none is required."""
    ending, languages = os.path.splitext(output)[1], na.api.resolve("languages")
    found: list[str] = [key for key, language in languages.items() if language.suffix == ending]
    if not found and not required:
        return None
    if not found:
        raise UsageError(
            f"{shown(output)}: no language is known by its ending; --language {'|'.join(languages)} expected."
        )
    return found[0]


@cli.command()
@MODEL
@click.argument("data", type=click.Path(allow_dash=True), required=False)
@click.option("--rows", type=click.IntRange(1), default=100, show_default=True, help="Random rows without DATA.")
@click.option(
    "--tolerance",
    type=click.FloatRange(0),
    default=1e4,
    show_default=True,
    help="Differences up to TOLERANCE · eps · max(1, largest entry) count as rounding.",
)
@click.option("--code", "language", help="Examine the program in this language too.")
@JSON
def check(model: str, data: str | None, rows: int, tolerance: float, language: str | None, as_json: bool) -> int:
    """Compare with onnxruntime (values) and ball arithmetic (derivatives).

    Prints the largest differences and whether they are within rounding; if not, the exit code is 5.
    """
    import numpy as np

    network = na.load(model)
    points = (
        np.random.default_rng(0).normal(size=(rows, network.input_size)) if data is None else rows_of(network, data)
    )
    source = na.api.resolve("read_bytes")(model)
    found = network.check(points, model=source if model.lower().endswith(".onnx") else None, code=language)
    found = dataclasses.replace(found, tolerance=tolerance)
    if as_json:
        printed(as_text(found.plain()))
        return 0 if found.agrees else 5
    if data is None:
        printed(f"{rows} random points, standard normal; give DATA to check at your own.")
    printed(str(found))
    return 0 if found.agrees else 5


for _command in (*cli_algebra.COMMANDS, *cli_fit.COMMANDS):
    cli.add_command(_command)


def _on_box(found: Any) -> dict[str, Any]:
    """Return the proven bound, and what was removed."""
    if found.simplification is None:
        return {}
    return {"bound": found.bound, "removed": [str(r) for r in found.simplification.restriction.removed]}


def _first(network: Any, jacobian: Any) -> Iterable[tuple[str, Any]]:
    for i, y in enumerate(network.output_names):
        for j, x in enumerate(network.input_names):
            yield f"d{y}/d{x}", jacobian[:, i, j]


def _second(network: Any, hessian: Any) -> Iterable[tuple[str, Any]]:
    names = network.input_names
    for i, y in enumerate(network.output_names):
        for j, k in itertools.combinations_with_replacement(range(len(names)), 2):
            yield f"d2{y}/d{names[j]} d{names[k]}", hessian[:, i, j, k]


def _inlined(found: Any, notation: str, limit: int) -> str:
    """Return the inlined formula; a refusal names the options, not the functions."""
    try:
        return str(found.inlined(notation, limit=limit))
    except ResourceError as error:
        first = str(error).splitlines()[0]
        raise ResourceError(f"{first}\nLeave out --inline, or raise the limit with --limit.") from None


def _guarded(command: Callable[[], Any]) -> int:
    """Run a command; turn errors into one message of at most three lines and an exit code."""
    try:
        return command() or 0
    except NeuralgebraError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        return 130
    except (BrokenPipeError, SystemExit):  # click ends by SystemExit when the reader of a pipe has gone
        return 0
    except MemoryError:
        click.echo("error: not enough memory for this result.\nTry fewer rows or a lower order.", err=True)
        return 6
    except OSError as error:
        if error.filename is not None:
            raise
        return _unwritable(error)


def _unwritable(error: OSError) -> int:
    reason = error.strerror or error
    with contextlib.suppress(OSError):
        click.echo(f"error: standard output: cannot be written ({reason}).\nName a file with -o.", err=True)
    return OutputError.exit_code


def run(arguments: list[str]) -> int:
    """Run the command line.

    Parameters
    ----------
    arguments : list of str
        What follows the name of the program.

    Returns
    -------
    int
        The exit code.
    """
    try:
        return _guarded(functools.partial(cli.main, arguments, standalone_mode=False))
    except Exception as error:
        if "--debug" in arguments:
            raise
        click.echo(
            f"error: {type(error).__name__}: {error}\nThis is our fault, not yours. neuralgebra --debug … shows where; "
            "please report it.",
            err=True,
        )
        return 1


def main() -> NoReturn:
    """Run the command line as a process, and end the process with its code.

    It ends without the clean-up of the interpreter: the threads that pyarrow and polars leave behind sometimes abort
    the process during it.
    """
    try:
        code = run(sys.argv[1:])
    except Exception:
        traceback.print_exc()
        code = 1
    os._exit(_flushed(code))


def _flushed(code: int) -> int:
    """Write out what waits for standard output; return the exit code, that of the failure if this fails."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        return code
    except OSError as error:
        return code or _unwritable(error)
    return code


if __name__ == "__main__":
    main()
