"""The command neuralgebra fit DATA."""

from __future__ import annotations

import shlex
import signal
import sys
import warnings
from typing import Any

import click

import neuralgebra as na
from neuralgebra.cli_support import FORCE, printed, refuse_outputs
from neuralgebra.errors import UsageError, shown

__all__ = ["COMMANDS"]

_LINE = 2000  # characters of a warning


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text.strip() else ()
    except ValueError:
        raise UsageError(f"--hidden {shown(text)} received; sizes such as 20,10 expected.") from None


@click.command()
@click.argument("data", type=click.Path(allow_dash=True))
@click.option("-o", "--output", type=click.Path(), required=True, help="File to write the network to: .onnx, ….")
@click.option("--inputs", metavar="NAMES", help="Columns that are inputs, x1,x2; by default all that are nothing else.")
@click.option("--outputs", metavar="NAMES", help="Columns that are outputs; by default what derivatives are of.")
@click.option("--hidden", metavar="SIZES", default="20,10", show_default=True, help="Sizes of the hidden layers.")
@click.option("--activation", default="tanh", show_default=True)
@click.option("--solver", default="auto", show_default=True, help="lm, lbfgs, adam, swarm or evolution.")
@click.option("--iterations", type=click.IntRange(1), help="Of the solver, at most (epochs of adam).")
@click.option("--validation", type=click.FloatRange(0, 1, max_open=True), default=0.0, help="Part that is held back.")
@click.option("--decay", type=click.FloatRange(0), help="Of the weights; by default lm finds it.")
@click.option("--restarts", type=click.IntRange(1), default=1, show_default=True, help="Random starts.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes that share them.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--seconds", type=click.FloatRange(0, min_open=True), help="Stop after so long.")
@click.option("--folder", type=click.Path(), help="Keep checkpoints here; the same command goes on from them.")
@FORCE
def fit(data: str, output: str, inputs: str | None, outputs: str | None, folder: str | None, **options: Any) -> int:
    """Fit a network to the values and derivatives of a table, CSV or Parquet.

    Long tables have a number a row: the inputs, "value", and where they are needed "derivative" (empty, x1, x1 x2,
    x1^2), "output", "weight" or "sd". Wide ones have a point a row: inputs, y, dy/dx1, d2y/dx1 dx2.
    """
    force = options.pop("force")
    refuse_outputs((output,), (None if data == "-" else data,), force)
    known = na.api.resolve("read_observations")(data, _listed(inputs), _listed(outputs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", na.api.resolve("FitWarning"))  # the report has them
        network = na.fit(known, folder=folder, signals=(signal.SIGINT, signal.SIGTERM), **_of_fit(options))
    report = network.fit_report()
    printed("\n".join(shown(line, _LINE) for line in str(report).split("\n")))
    if report.stopped and report.saved:
        click.echo(f"Go on with: {shlex.join(['neuralgebra', *sys.argv[1:]])}", err=True)
        return 130
    network.save(output, overwrite=force)
    return 130 if report.stopped else 0


def _of_fit(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the command as those of the function."""
    given = {name: value for name, value in options.items() if name not in ("iterations", "seconds", "decay")}
    given["hidden"] = _sizes(options["hidden"])
    given["limit"] = options["seconds"]
    if options["decay"] is not None:
        given["decay"] = options["decay"]
    if options["iterations"] is not None:
        name = {"adam": "epochs", "evolution": "generations"}.get(options["solver"], "iterations")
        given[name] = options["iterations"]
    return given


COMMANDS = (fit,)
"""All of them."""
