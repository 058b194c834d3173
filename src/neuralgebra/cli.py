"""The command line: neuralgebra show|eval|diff|formula|check MODEL.

Exit codes: 0 ok, 1 our fault, 2 usage, 3 bad input, 4 valid but unsupported, 5 not certified, 6 resource limit,
7 output not writable, 130 interrupted.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from typing import Any

import click

import neuralgebra as na
from neuralgebra.errors import NeuralgebraError

__all__ = ["main"]

_MODEL = click.argument("model", type=click.Path())
_DATA = click.argument("data", type=click.Path(allow_dash=True))
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_OUTPUT = click.option("-o", "--output", type=click.Path(), default="-", help="File to write; - is the terminal.")
_FORCE = click.option("--force", is_flag=True, help="Overwrite the output file.")
_FORMAT = click.option(
    "--format", "kind", type=click.Choice(["csv", "parquet", "json"]), help="By default the ending of OUTPUT, or csv."
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(na.__version__, prog_name="neuralgebra")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """The mathematics of a trained network: its formula, its derivatives, checked."""
    context.obj = debug


@cli.command()
@_MODEL
@_JSON
def show(model: str, as_json: bool) -> None:
    """Print what a network is: layers, parameters, names."""
    network = na.load(model)
    click.echo(_json(na.api.resolve("summary")(network)) if as_json else na.api.resolve("summary_text")(network))


@cli.command(name="eval")
@_MODEL
@_DATA
@_OUTPUT
@_FORMAT
@_FORCE
@_JSON
def evaluate(model: str, data: str, **options: Any) -> None:
    """Evaluate a network at the rows of DATA (CSV, Parquet, or - for CSV on standard input)."""
    network = na.load(model)
    values = network(_rows(network, data))
    _write(dict(zip(network.output_names, values.T, strict=True)), **options)


@cli.command()
@_MODEL
@_DATA
@click.option("--order", type=click.IntRange(1, 2), default=1, show_default=True, help="1: Jacobian; 2: and Hessian.")
@_OUTPUT
@_FORMAT
@_FORCE
@_JSON
def diff(model: str, data: str, order: int, **options: Any) -> None:
    """Differentiate a network by its inputs at the rows of DATA."""
    network = na.load(model)
    x = _rows(network, data)
    columns = _first(network, network.jacobian(x))
    if order == 2:
        columns |= _second(network, network.hessian(x))
    _write(columns, **options)


@cli.command()
@_MODEL
@click.option("--order", type=click.IntRange(0, 4), default=0, show_default=True, help="1: Jacobian; 2: and Hessian.")
@click.option("--digits", type=click.IntRange(1, 17), help="Round the weights; by default every bit is kept.")
@click.option("--notation", type=click.Choice(["text", "latex"]), default="text", show_default=True)
@click.option("--inline", is_flag=True, help="One expression in the inputs alone; refused when too large.")
@click.option("--limit", type=int, default=100_000, show_default=True, help="Largest inlined size, in nodes.")
@_OUTPUT
@_FORCE
@_JSON
def formula(model: str, order: int, digits: int | None, notation: str, **options: Any) -> None:
    """Print the formula of a network, line by line."""
    found = na.load(model).formula(order, digits=digits)
    if options["inline"]:
        text = found.inlined(notation, limit=options["limit"])
    else:
        text = found.latex() if notation == "latex" else found.text()
    if options["as_json"]:
        text = _json({"order": order, "notation": notation, "lines": text.splitlines()})
    if options["output"] == "-":
        click.echo(text)
    else:
        na.api.resolve("write_atomic")(options["output"], (text + "\n").encode(), options["force"])


@cli.command()
@_MODEL
@click.argument("data", type=click.Path(allow_dash=True), required=False)
@click.option("--rows", type=click.IntRange(1), default=100, show_default=True, help="Random rows without DATA.")
@_JSON
def check(model: str, data: str | None, rows: int, as_json: bool) -> None:
    """Compare with onnxruntime (values) and ball arithmetic (derivatives); print the largest differences."""
    import numpy as np

    network = na.load(model)
    points = np.random.default_rng(0).normal(size=(rows, network.input_size)) if data is None else _rows(network, data)
    source = na.api.resolve("read_bytes")(model)
    found = network.check(points, model=source if model.endswith(".onnx") else None)
    if as_json:
        click.echo(_json({"differences": [vars(d) for d in found.differences], "remarks": found.remarks}))
        return
    if data is None:
        click.echo(f"{rows} random points, standard normal; give DATA to check at your own.")
    click.echo(str(found))


def _rows(network: Any, data: str) -> Any:
    return na.api.resolve("read_table")(data, network.input_names)[0]


def _first(network: Any, jacobian: Any) -> dict[str, Any]:
    return {
        f"d{y}/d{x}": jacobian[:, i, j]
        for i, y in enumerate(network.output_names)
        for j, x in enumerate(network.input_names)
    }


def _second(network: Any, hessian: Any) -> dict[str, Any]:
    names = network.input_names
    return {
        f"d2{y}/d{names[j]}d{names[k]}": hessian[:, i, j, k]
        for i, y in enumerate(network.output_names)
        for j in range(len(names))
        for k in range(j, len(names))
    }


def _write(columns: dict[str, Any], output: str, kind: str | None, force: bool, as_json: bool) -> None:
    ending = output.rsplit(".", 1)[-1].lower()
    kind = "json" if as_json else kind or (ending if ending in ("parquet", "json") else "csv")
    na.api.resolve("write_table")(columns, output, kind, force)


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=True)


def _guarded(run: Callable[[], Any]) -> int:
    """Run a command; turn errors into one message of at most three lines and an exit code."""
    try:
        run()
    except NeuralgebraError as error:
        click.echo(f"error: {error}", err=True)
        return error.exit_code
    except click.exceptions.Abort:
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except MemoryError:
        click.echo("error: not enough memory for this result.\nTry fewer rows or a lower order.", err=True)
        return 6
    return 0


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    run = functools.partial(cli.main, arguments, standalone_mode=False)
    try:
        code = _guarded(run)
    except Exception as error:
        if "--debug" in arguments:
            raise
        click.echo(
            f"error: {type(error).__name__}: {error}\nThis is our fault, not yours. neuralgebra --debug … shows where; "
            "please report it.",
            err=True,
        )
        code = 1
    sys.exit(code)
