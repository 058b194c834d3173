"""Wolfram Language: a package of functions from a list of inputs to values, a matrix of first derivatives, …."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, ClassVar

from neuralgebra.code.language import Helper, Language
from neuralgebra.code.program import Function, Result
from neuralgebra.code.selftest import Check
from neuralgebra.code.statements import Assignment, Buffer, Call, Number, Scalar

__all__ = ["Mathematica"]

_NAMED = "exp log sqrt sin cos tan tanh sinh cosh erf erfc sign arctan arcsin arccos arcsinh arccosh arctanh"


class Mathematica(Language):
    """The Wolfram Language.

    Numbers are written with the shortest decimals that mean the same double, and a backquote: 0.1` is a number of
    machine precision, however many digits there are. Names have no underscore, which is a pattern there.
    """

    key = "mathematica"
    title = "Wolfram Language"
    suffix = ".wl"
    comment = "(* {} *)"
    types: ClassVar = {"float64": "Real"}
    first = 1
    indent = "  "
    loop = ("Do[", "Null, {{{i}, 0, {last}}}];")
    value, assign = "{name} = {value};", "{target} = {value};"
    entry, call = "{array}[[{place}]]", "{name}[{arguments}]"
    functions: ClassVar = {
        **{name: f"{name.replace('arc', 'arc_').title().replace('_', '')}[{{0}}]" for name in _NAMED.split()},
        "absolute": "Abs[{0}]",
        "power": "({0})^({1})",
        "maximum": "Max[{0}, {1}]",
        "largest": "Max[{0}, {1}]",
        "minimum": "Min[{0}, {1}]",
        "select": "If[{0}, {1}, {2}]",
        "isinf": "False",
        "isnan": "False",
        "bitwise_or": "({0} || {1})",
        "bitwise_and": "({0} && {1})",
        "logical_not": "(!({0}))",
    }

    def named(self, thing: Any, wish: str) -> str:
        """Return the name of something, without underscores."""
        return _word(super().named(thing, wish))

    def buffer(self, buffer: Buffer) -> str:
        """Return the name of an array."""
        return _word(super().buffer(buffer))

    def scalar(self, name: str) -> str:
        """Return the name of a scalar."""
        return _word(name)

    def function(self, function: Function) -> str:
        """Return the name of a function: f, fJacobian, …."""
        return _word(super().function(function))

    def number(self, value: float) -> str:
        """Return a number of machine precision."""
        digits, _, exponent = repr(float(value)).partition("e")
        return f"{digits}`*^{int(exponent)}" if exponent else f"{digits}`"

    def _call(self, e: Call, indices: Sequence[str], level: int) -> str:
        if e.function in ("equal", "not_equal") and e.arguments[1] != Number(0.0):
            # Equal numbers may differ in seven bits there; against 0 in none.
            e = Call(e.function, (Call("subtract", e.arguments), Number(0.0)))
        return super()._call(e, indices, level)

    def nest(self, axes: Sequence[tuple[str, int]], inner: list[str], depth: int) -> list[str]:
        """Return lines inside loops over some indices."""
        lines = [self.indent * (depth + i) + self.loop[0] for i in range(len(axes))] + inner
        for i, (index, n) in reversed(list(enumerate(axes))):
            lines.append(self.indent * (depth + i) + self.loop[1].format(i=index, last=n - 1))
        return lines

    def accumulated(self, a: Assignment, indices: Sequence[str], depth: int) -> list[str]:
        """Return a sum or a maximum as one assignment."""
        index = self.index(len(indices))
        domain = f"{{{index}, 0, {a.depth - 1}}}"
        value = self.express(a.value, [*indices, index])
        text = f"Sum[{value}, {domain}]" if a.reduction == "sum" else f"Max[Table[{value}, {domain}]]"
        if a.start is not None:
            text = f"{self.express(a.start, indices)} + {text}"
        target = self.scalar(a.target.name) if isinstance(a.target, Scalar) else self.read(a.target, indices)
        return [self.indent * depth + self.assign.format(target=target, value=text)]

    def head(self) -> list[str]:
        """Return the lines before everything."""
        name = _word(self.name)
        public = [self.function(f) for f in self.program.functions]
        usage = [f'{f}::usage = "see the head of the file";' for f in public]
        usage += [f'{name}Check::usage = "the number of wrong results: 0";'] if self.program.checks else []
        first, *others = (line.replace("arrays are flat, row by row:", "lists of lists:") for line in self.preface())
        remark = [f"(* {first}", *(f"   {line}".rstrip() for line in others), "*)"]
        return [*remark, f'BeginPackage["{name}`"]', *usage, 'Begin["`Private`"]']

    def tail(self) -> list[str]:
        """Return the lines after everything."""
        return ["End[]", "EndPackage[]"]

    def constant(self, buffer: Buffer) -> list[str]:
        """Return the definition of a constant list."""
        return [f"{self.buffer(buffer)} = {{", *self.rows(buffer), "};"]

    def _defined(self, name: str, given: Sequence[str], own: Sequence[str], lines: Sequence[str]) -> list[str]:
        arguments = ", ".join(f"{g}_" for g in given)
        return [f"{name}[{arguments}] := Module[{{{', '.join(own)}}},", *lines, "];"]

    def write_helper(self, helper: Helper) -> list[str]:
        """Return the definition of a helper."""
        own = [self.scalar(a.target.name) for a in helper.body if isinstance(a.target, Scalar)]
        lines = [line for a in helper.body for line in self.assignment(a, (), 1)]
        return self._defined(helper.name, helper.arguments, own, [*lines, self.indent + self.express(helper.value)])

    def write_function(self, function: Function) -> list[str]:
        """Return the definition of a function."""
        arrays = [*function.outputs, *function.locals]
        targets = (a.target for loop in function.loops for a in loop.body)
        scalars = dict.fromkeys(self.scalar(t.name) for t in targets if isinstance(t, Scalar))
        own = [*(f"{self.buffer(b)} = ConstantArray[0., {b.size}]" for b in arrays), *scalars]
        results = [_shaped(self.buffer(b), r) for b, r in zip(function.outputs, function.results, strict=True)]
        given = [self.buffer(b) for b in function.inputs]
        result = results[0] if len(results) == 1 else f"{{{', '.join(results)}}}"
        return self._defined(self.function(function), given, own, [*self.body(function.loops), self.indent + result])

    def write_check(self, checks: Sequence[Check]) -> list[str]:
        """Return the function that runs the self-test and counts the entries that are not within their bounds."""
        lines = ["  Do["]
        for check in checks:
            pairs = zip(check.given, check.function.inputs, strict=True)
            call = ", ".join(f"Partition[{self.buffer(g)}, {b.size}][[point]]" for g, b in pairs)
            text = f"{self.function(check.function)}[{call}]"
            lines.append(f"    got = {text if len(check.results) > 1 else f'{{{text}}}'};")
            for number, r in enumerate(check.results, 1):
                entries = f"Flatten[got[[{number}]]][[1 ;; -1 ;; {r.step}]]"
                wanted = f"Partition[{self.buffer(r.wanted)}, {r.count}][[point]]"
                bound = f"{self.buffer(r.bounds)}[[point]]"
                lines.append(f"    wrong += Count[TrueQ[# <= {bound}] & /@ Abs[{entries} - {wanted}], False];")
        lines += [f"    Null, {{point, 1, {checks[0].points}}}];", "  wrong"]
        return self._defined(f"{_word(self.name)}Check", [], ["wrong = 0", "got"], lines)


def _word(name: str) -> str:
    """Return a name of lower-case letters, digits and underscores without these: fJacobian, z1N2."""
    return re.sub("_+(.?)", lambda m: m[1].upper() if m[1].isalpha() else f"N{m[1]}", name)


def _shaped(name: str, result: Result) -> str:
    """Return a flat list as nested lists; a packed one has a row for each output."""
    sizes = result.shape[1:] if result.entries is None else (result.size // result.shape[0],) * (result.size > 0)
    for size in reversed(sizes):
        name = f"Partition[{name}, {size}]"
    return name
