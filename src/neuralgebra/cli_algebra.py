"""Commands of the algebra: neuralgebra plain|verify|enclose|certify|rewrite MODEL."""

from __future__ import annotations

import itertools
from typing import Any

import click

import neuralgebra as na
from neuralgebra.cli_support import FORCE, JSON, MODEL, as_text, box_of, printed, refuse_outputs
from neuralgebra.errors import UsageError, shown

__all__ = ["COMMANDS", "warn_outside"]

_BOX = click.option(
    "--box", metavar="RANGES", required=True, help="Where: x1=-1:1,x2=0:2, or a table whose ranges are taken."
)
_SHOWN, _WIDE = 5, 2000  # remaining boxes that are listed, and characters of a line


@click.command()
@MODEL
@click.option("--times", type=click.Path(), help="The product with another model, output by output.")
@click.option("--activation", help="By default the only one that the network has.")
@click.option("--box", metavar="RANGES", help="The domain: x1=-1:1,x2=0:2, or a table whose ranges are taken.")
@click.option("--tol", type=float, help="With --box: no error may exceed TOL there, proven for any execution.")
@click.option("--dtype", type=click.Choice(["float64", "float32"]), help="By default that of the network.")
@click.option("-o", "--output", type=click.Path(), help="File to write the plain network to: .onnx, .safetensors.")
@click.option("--certificate", type=click.Path(), help="JSON file to write the certificate to; see verify.")
@FORCE
def plain(model: str, times: str | None, box: str | None, output: str | None, force: bool, **options: Any) -> None:
    """Write a network, or a product of two, as plain layers with one activation, within a proven bound."""
    certificate = options.pop("certificate")
    if certificate is not None and box is None:
        raise UsageError("--certificate without --box received; a certificate is about a box: --box expected.")
    refuse_outputs((output, certificate), (model, times), force)
    network = na.load(model)
    network = network if times is None else network * na.load(times)
    found = network.plain(domain=None if box is None else box_of(network, box), **options)
    if output is not None:
        found.network.save(output, overwrite=force)
    if certificate is not None:
        na.api.resolve("save_certificate")(found, certificate, overwrite=force)
    printed("\n".join([str(found.network), *(str(c) for c in (found.certificate, found.execution) if c is not None)]))


@click.command()
@click.argument("certificate", type=click.Path())
@MODEL
@click.option("--reference", type=click.Path(), help="Compare what MODEL stands for with this model too.")
@click.option("--seconds", type=click.FloatRange(0), default=60, show_default=True, help="For each claim, about.")
@JSON
def verify(certificate: str, model: str, reference: str | None, seconds: float, as_json: bool) -> int:
    """Prove a CERTIFICATE of MODEL again, by a checker that shares nothing with what made it.

    MODEL must have the very numbers of the certificate. The claims about real numbers and about executions are proven
    one by one. The exit code is 0 if all are verified, and 5 otherwise.
    """
    found = na.api.resolve("load_certificate")(certificate)
    found.expect(na.load(model))
    if reference is not None:
        found.expect(na.load(reference), "reference")
    verdicts = found.verify(seconds)
    if as_json:
        printed(as_text([v._asdict() for v in verdicts]))
    else:
        lines = zip(found.certificates, verdicts, strict=True)
        printed("\n".join(shown(f"{c}: {v.state}, {v.found}", _WIDE) for c, v in lines))
    return 0 if all(v.state == "verified" for v in verdicts) else 5


@click.command()
@MODEL
@click.option(
    "--to", type=click.Choice(["additive", "multiplicative", "simplified"]), default="simplified", show_default=True
)
@click.option("--domain", metavar="WHERE", help='What the inputs hold: "R", "R>0" or LOW:HIGH.')
@click.option("--base", type=float, help="Of exponentials and logarithms, with --to multiplicative; e by default.")
@click.option("--absorb", is_flag=True, help="Take ln x and give ln y where the ends are ln and exp, or the other way.")
@click.option("--latex", is_flag=True, help="Print the steps as LaTeX.")
@click.option("--check", is_flag=True, help="Check every step with numbers and, where it is small, with symbols.")
@click.option("-o", "--output", type=click.Path(), help="File to write the network to: .onnx, .safetensors.")
@click.option("--derivation", type=click.Path(), help="JSON file to write the steps to.")
@FORCE
def rewrite(
    model: str, domain: str | None, latex: bool, check: bool, output: str | None, derivation: str | None, **options: Any
) -> None:
    """Change the form of a network by laws: multiplicative layers to additive ones and back, the same weights.

    Each step is printed with its law, its place and its condition.
    """
    force = options.pop("force")
    refuse_outputs((output, derivation), (model,), force)
    ends = domain.split(":") if domain and ":" in domain else domain
    steps = na.load(model).rewrite(domain=ends, **options)
    checked = [str(steps.verify())] if check else []
    if output is not None:
        steps.result.save(output, overwrite=force)
    if derivation is not None:
        na.api.resolve("save_derivation")(steps, derivation, overwrite=force)
    printed("\n".join([steps.latex() if latex else str(steps), *checked, str(steps.result)]))


def warn_outside(network: Any, rows: Any, path: str) -> None:
    """Say on standard error which rows a certificate does not speak of."""
    found = na.api.resolve("load_certificate")(path)
    found.expect(network)
    outside = (~found.certificates[0].contains(rows)).nonzero()[0]
    if len(outside):
        found = f"{len(outside)} of {len(rows)} rows are outside the certified domain, row {outside[0] + 1} first"
        click.echo(f"warning: {found}.", err=True)


@click.command()
@MODEL
@_BOX
@click.option("--order", type=click.IntRange(0, 4), default=0, show_default=True, help="0: values; 1: Jacobian; ….")
@click.option("--boxes", type=click.IntRange(1), default=200, show_default=True, help="Parts of the box, at most.")
@JSON
def enclose(model: str, box: str, order: int, boxes: int, as_json: bool) -> None:
    """Print proven ranges of all outputs on a box, or of all their derivatives of one order."""
    network = na.load(model)
    found = network.enclose(box_of(network, box), order, boxes=boxes)
    ranges = list(zip(_names(network, order), found.low.ravel().tolist(), found.high.ravel().tolist(), strict=True))
    if as_json:
        printed(as_text({"order": order, "ranges": [{"name": n, "low": a, "high": b} for n, a, b in ranges]}))
    else:
        printed("\n".join(f"{low!r} <= {shown(name)} <= {high!r}" for name, low, high in ranges))


def _names(network: Any, order: int) -> list[str]:
    """Return a name for each derivative of an order."""
    inputs = list(itertools.product(network.input_names, repeat=order))
    return [na.api.resolve("derivative_name")(y, x) for y in network.output_names for x in inputs]


@click.command()
@MODEL
@click.argument("claim")
@_BOX
@click.option("--boxes", type=click.IntRange(1), default=2000, show_default=True, help="Parts of the box, at most.")
@JSON
def certify(model: str, claim: str, box: str, boxes: int, as_json: bool) -> int:
    """Prove or refute CLAIM everywhere on a box.

    Claims are "increasing in x1", "convex", "non-negative", "<= 3", "bounded by 5", "lipschitz <= 2" and the like, of
    all outputs, or of the one whose name stands in front: "y1 <= 3". The exit code is 0 if it is proven, and 5 if it is
    refuted or undecided.
    """
    network = na.load(model)
    found = network.certify(claim, box_of(network, box), boxes=boxes)
    remaining = [part.text(network.input_names) for part in found.remaining]
    if as_json:
        kept = {name: getattr(found, name) for name in ("claim", "verdict", "witness", "reason", "boxes")}
        printed(as_text(kept | {"remaining": remaining}))
    else:
        more = [f"and {len(remaining) - _SHOWN} more"] if len(remaining) > _SHOWN else []
        printed("\n".join(shown(line, _WIDE) for line in (str(found), *remaining[:_SHOWN], *more)))
    return 0 if found else 5


COMMANDS = (plain, verify, enclose, certify, rewrite)
"""All of them."""
