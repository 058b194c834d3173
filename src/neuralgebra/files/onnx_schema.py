"""What the operator sets of ONNX say of a node: which attributes it may have, and how many inputs and outputs."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import onnx
from onnx import defs

from neuralgebra.errors import LoadError, UnsupportedError, shown

__all__ = ["check"]


def check(node: Any, opset: int, where: str) -> None:
    """Refuse a node that its operator set does not have.

    Parameters
    ----------
    node : onnx.NodeProto
        The node.
    opset : int
        Version of the operator set that the node belongs to.
    where : str
        Operator and node, for messages.

    Raises
    ------
    UnsupportedError
        For an operator that this version does not have.
    LoadError
        For attributes that it does not have, or of another type, and for too few or too many inputs or outputs.
    """
    schema = _schema(node.op_type, opset, "" if node.domain == "ai.onnx" else node.domain)
    if schema is None:
        raise UnsupportedError(
            f"{where}: operator set {opset} received, which does not have it.\nA later one expected."
        )
    _check_attributes(node, schema, where)
    _check_count("inputs", len(node.input), schema.min_input, schema.max_input, where)
    _check_count("outputs", len(node.output), schema.min_output, schema.max_output, where)
    _check_holes(node, schema, where)


@lru_cache(1024)
def _schema(op: str, opset: int, domain: str) -> Any:
    """Return what an operator set says of an operator, or None."""
    try:
        schema = defs.get_schema(op, opset, domain)
    except (defs.SchemaError, TypeError):  # TypeError: a version beyond 32 bits
        return None
    return None if schema.deprecated else schema


@lru_cache(1024)
def _attributes(op: str, opset: int, domain: str) -> dict[str, tuple[str, bool]]:
    """Return the type of each attribute and whether it must be there."""
    schema = _schema(op, opset, domain)
    return {name: (str(a.type).rpartition(".")[2], bool(a.required)) for name, a in schema.attributes.items()}


def _check_attributes(node: Any, schema: Any, where: str) -> None:
    known = _attributes(schema.name, schema.since_version, schema.domain)
    names: set[str] = set()
    for given in node.attribute:
        name = shown(given.name)
        if given.name not in known:
            expected = shown(", ".join(sorted(known)) or "none", 300)
            raise LoadError(f"{where}: attribute {name!r} received, which it does not have.\nKnown: {expected}.")
        if given.name in names:
            raise LoadError(f"{where}: attribute {name!r} received twice; once expected.")
        if (kind := _type(given)) != known[given.name][0]:
            raise LoadError(f"{where}: attribute {name!r} of type {kind} received; {known[given.name][0]} expected.")
        names.add(given.name)
    missing = sorted(name for name, (_, required) in known.items() if required and name not in names)
    if missing:
        raise LoadError(f"{where}: no attribute {missing[0]} received; it is expected.")


def _type(attribute: Any) -> str:
    """Return the type of an attribute; one that refers to a function's has none."""
    kinds = onnx.AttributeProto.AttributeType
    known = not attribute.ref_attr_name and attribute.type in kinds.values()
    return str(kinds.Name(attribute.type)) if known else "UNDEFINED"


def _check_count(what: str, count: int, least: int, most: int, where: str) -> None:
    if not least <= count <= most:
        expected = str(least) if least == most else f"{least} or more" if most >= 2**31 - 1 else f"{least} to {most}"
        raise LoadError(f"{where}: {count} {what} received; {expected} expected.")


def _check_holes(node: Any, schema: Any, where: str) -> None:
    """Refuse a name left out where only an optional input may be."""
    optional = defs.OpSchema.FormalParameterOption.Optional
    for position, name in enumerate(node.input):
        formal = schema.inputs[min(position, len(schema.inputs) - 1)]
        if not name and formal.option != optional:
            raise LoadError(f"{where}: input {position + 1} left out; a value expected.")
