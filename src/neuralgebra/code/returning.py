"""What languages share whose functions return their results: where these are made, and how they are compared."""

from __future__ import annotations

from collections.abc import Sequence

from neuralgebra.code.language import Helper, Language
from neuralgebra.code.program import Function
from neuralgebra.code.selftest import Check, Checked
from neuralgebra.code.statements import Buffer

__all__ = ["Returning"]


class Returning(Language):
    """A language in which results are new arrays."""

    constants: tuple[str, str]
    whole: str = ""
    helper_head: str
    helper_result: str
    argument: str = "{name}"
    function_head: str
    function_tail: str = ""
    expected: str
    result: str = ""

    def constant(self, buffer: Buffer) -> list[str]:
        """Return the definition of a constant array."""
        kind = self.whole if buffer.values is not None and buffer.values.dtype.kind == "i" else self.type
        opening, closing = self.constants
        name = self.buffer(buffer)
        return [opening.format(name=name, type=kind, size=buffer.size), *self.rows(buffer), closing]

    def write_helper(self, helper: Helper) -> list[str]:
        """Return the definition of a helper."""
        arguments = ", ".join(self.argument.format(type=self.type, name=name) for name in helper.arguments)
        value = self.express(helper.value)
        return [
            self.helper_head.format(name=helper.name, arguments=arguments, type=self.type),
            *(line for a in helper.body for line in self.assignment(a, (), 1)),
            self.indent + self.helper_result.format(value=value),
            *self._closed(),
        ]

    def write_function(self, function: Function) -> list[str]:
        """Return the definition of a function."""
        buffers = (*function.outputs, *function.locals)
        return [
            self.opened(function),
            *(self.indent + line for line in [*self.prepared(function), *map(self.made, buffers)]),
            *self.body(function.loops),
            *(self.indent + line for line in self._returned(function)),
            *self._closed(),
        ]

    def made(self, buffer: Buffer) -> str:
        """Return how an array is made."""
        return self.array.format(type=self.type, name=self.buffer(buffer), size=buffer.size)

    def opened(self, function: Function) -> str:
        """Return the first line of a function."""
        given = ", ".join(self.buffer(b) for b in function.inputs)
        return self.function_head.format(name=self.function(function), given=given, taken=self.taken(function))

    def prepared(self, function: Function) -> list[str]:
        """Return what a function does first: it refuses arguments of another size."""
        texts = [self.expected.format(name=self.buffer(b), size=b.size) for b in function.inputs]
        return [line for text in texts for line in text.splitlines()]

    def taken(self, function: Function) -> str:
        """Return the names of the results."""
        return ", ".join(self.buffer(b) for b in function.outputs)

    def _returned(self, function: Function) -> list[str]:
        return [self.result.format(taken=self.taken(function))] if self.result else []

    def _closed(self) -> list[str]:
        return [self.function_tail] if self.function_tail else []

    # The self-test: templates with the names of arrays and the numbers of entries --------------------------------

    checking = "{name}_check()"
    check_head: str
    check_points: tuple[str, str]
    check_call: str
    check_entries: str
    check_tail: str
    part: str
    main: str = ""

    def write_check(self, checks: Sequence[Check]) -> list[str]:
        """Return the function that runs the self-test and counts the entries that are not within their bounds."""
        remark = "How many results of the self-test are further off than rounding can explain: 0."
        lines = [*self.remarks([remark]), *self.check_head.format(name=f"{self.name}_check").splitlines()]
        for check in checks:
            opening, closing = (text.format(count=check.points, last=check.points - 1) for text in self.check_points)
            compared = [line for r in check.results for line in self._compared(r)]
            lines += [opening, self._call_of(check), *compared, *([closing] if closing else [])]
        return [*lines, *self.check_tail.splitlines()]

    def _compared(self, r: Checked) -> list[str]:
        got, wanted, bound = (self.buffer(b) for b in (r.result, r.wanted, r.bounds))
        at = "i" if r.step == 1 else f"{r.step}*i"
        words = {"got": got, "wanted": wanted, "bound": bound, "at": at, "count": r.count, "last": r.count - 1}
        return self.check_entries.format(**words).splitlines()

    def _call_of(self, check: Check) -> str:
        sizes = zip(check.given, check.function.inputs, strict=True)
        given = ", ".join(self.part.format(array=self.buffer(g), size=b.size) for g, b in sizes)
        return self.check_call.format(name=self.function(check.function), given=given, taken=self.taken(check.function))

    def tail(self) -> list[str]:
        """Return the lines after everything."""
        return self.main.format(name=self.name).splitlines() if self.program.checks else []
