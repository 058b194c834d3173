"""What commands share: options, reading of data and boxes, printing and writing."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

import click

import neuralgebra as na
from neuralgebra.errors import InputError, OutputError, UsageError, shown

__all__ = [
    "DATA",
    "FORCE",
    "FORMAT",
    "JSON",
    "MODEL",
    "OUTPUT",
    "as_text",
    "box_of",
    "columns_of",
    "printed",
    "refuse_existing",
    "refuse_outputs",
    "rows_of",
    "stdout",
    "writer",
]

_KINDS = ("csv", "json", "parquet")
MODEL = click.argument("model", type=click.Path())
DATA = click.argument("data", type=click.Path(allow_dash=True))
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
OUTPUT = click.option("-o", "--output", type=click.Path(), default="-", help="File to write; - is the terminal.")
FORCE = click.option("--force", is_flag=True, help="Overwrite the output file.")
FORMAT = click.option(
    "--format", "kind", type=click.Choice(_KINDS), help="By default the ending of OUTPUT; csv on the terminal."
)


def rows_of(network: Any, data: str) -> Any:
    """Return the rows of a table, in the order of the inputs."""
    return na.api.resolve("read_table")(data, network.input_names)[0]


def box_of(network: Any, ranges: str) -> Any:
    """Return the box that a text states, or whose ranges are those of a table."""
    if "=" in ranges and not os.path.exists(ranges):
        return na.api.resolve("box_of_text")(network, ranges)
    return na.api.resolve("box_of_table")(network, rows_of(network, ranges))


def columns_of(named: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return columns by name; two of one name are an error."""
    columns: dict[str, Any] = {}
    for name, values in named:
        if name in columns:
            raise InputError(
                f"two columns would be named {shown(name)!r}; distinct names expected.\n"
                "Rename the inputs or outputs of the network."
            )
        columns[name] = values
    return columns


def writer(output: str, kind: str | None, force: bool, as_json: bool) -> Callable[[dict[str, Any]], None]:
    """Return what writes columns; refuse at once what could not be written at the end."""
    if as_json and kind not in (None, "json"):
        raise UsageError(f"--json and --format {kind} received; one of them expected.")
    kind = "json" if as_json else kind or _ending(output)
    if output != "-":
        refuse_existing(output, force)
    elif stdout().isatty() and kind == "parquet":
        raise UsageError(
            "--format parquet to the terminal: it is no text.\nName a file with -o, or redirect the output."
        )
    return lambda columns: na.api.resolve("write_table")(columns, output, kind, force)


def _ending(output: str) -> str:
    """Return the format that the name of a file says."""
    if output == "-":
        return "csv"
    ending = os.path.splitext(output)[1]
    if ending.lower()[1:] not in _KINDS:
        found = f"ending {shown(ending)!r}" if ending else "no ending"
        raise UsageError(f"{shown(output)}: {found} received; .{', .'.join(_KINDS)}, or --format, expected.")
    return ending.lower()[1:]


def refuse_existing(output: str, force: bool) -> None:
    """Raise an error if a file is there that may not be replaced."""
    if output != "-" and not force and os.path.isfile(output):
        raise OutputError(f"{shown(output)}: the file exists.\nNothing was changed; give --force to replace it.")


def refuse_outputs(outputs: Iterable[str | None], inputs: Iterable[str | None], force: bool) -> None:
    """Raise an error if files could not be written, or would replace each other or what is read."""
    read = {os.path.realpath(path): path for path in inputs if path is not None}
    for path in filter(None, outputs):
        real = os.path.realpath(path)
        if real in read:
            raise UsageError(f"{shown(path)} received for two files; another name for the output expected.")
        read[real] = path
        refuse_existing(path, force)
        folder = os.path.dirname(real)
        if not os.path.isdir(folder):
            raise OutputError(f"{shown(path)}: there is no such folder.\nNothing was changed; make it first.")


def stdout() -> Any:
    """Return standard output; an error if it is closed."""
    if sys.stdout is None:
        raise OutputError("standard output is closed.\nName a file with -o, or redirect the output.")
    return sys.stdout


def printed(text: str) -> None:
    """Print a text."""
    click.echo(text, file=stdout())


def as_text(value: Any) -> str:
    """Return a value as JSON."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=True, allow_nan=False)


def _finite(value: Any) -> Any:
    """Return the value with "nan", "inf" and "-inf" for the numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value
