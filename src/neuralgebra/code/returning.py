"""What languages share whose functions return their results: where these are made, and how they are compared."""

from __future__ import annotations

from collections.abc import Sequence

from neuralgebra.code.language import Helper, Language
from neuralgebra.code.program import Function
from neuralgebra.code.selftest import Check
from neuralgebra.code.statements import Buffer

__all__ = ["Returning"]


class Returning(Language):
    """A language in which results are new arrays."""

    function_head: str
    function_tail: str = ""
    result: str
    helper_head: str
    helper_result: str

    def write_helper(self, helper: Helper) -> list[str]:
        """Return the definition of a helper."""
        arguments = ", ".join(self.argument.format(type=self.type, name=name) for name in helper.arguments)
        value = self.express(helper.value)
        return [
            self.helper_head.format(name=helper.name, arguments=arguments, type=self.type),
            *(line for a in helper.body for line in self.assignment(a, (), 1)),
            *(self.indent + line for line in self.helper_result.format(value=value).splitlines()),
            *self._closed(),
        ]

    argument: str = "{name}"

    def write_function(self, function: Function) -> list[str]:
        """Return the definition of a function."""
        made = [self.array.format(type=self.type, name=self.buffer(b), size=b.size) for b in self.arrays(function)]
        return [
            self.opened(function),
            *(self.indent + line for line in [*self.prepared(function), *made]),
            *self.body(function.loops),
            *(self.indent + line for line in self.returned(function)),
            *self._closed(),
        ]

    def arrays(self, function: Function) -> Sequence[Buffer]:
        """Return the arrays that a function makes."""
        return (*function.outputs, *function.locals)

    def opened(self, function: Function) -> str:
        """Return the first line of a function."""
        given = ", ".join(self.buffer(b) for b in function.inputs)
        return self.function_head.format(name=self.function(function), given=given, taken=self.taken(function))

    def prepared(self, function: Function) -> list[str]:
        """Return what a function does first."""
        del function
        return []

    def taken(self, function: Function) -> str:
        """Return the names of the results."""
        return ", ".join(self.buffer(b) for b in function.outputs)

    def returned(self, function: Function) -> list[str]:
        """Return how a function ends."""
        return [self.result.format(taken=self.taken(function))] if self.result else []

    def _closed(self) -> list[str]:
        return [self.function_tail] if self.function_tail else []

    # The self-test: templates with the names of arrays and the numbers of entries --------------------------------

    check_head: str
    check_points: tuple[str, str]
    check_call: str
    check_entries: str
    check_tail: str

    def write_check(self, checks: Sequence[Check]) -> list[str]:
        """Return the function that runs the self-test and counts the entries that are not within their bounds."""
        remark = "How many results of the self-test are further off than rounding can explain: 0."
        lines = [*self.remarks([remark]), *self.check_head.format(name=f"{self.name}_check").splitlines()]
        for check in checks:
            lines += [self.check_points[0].format(count=check.points, last=check.points - 1)]
            lines += [self._call_of(check)]
            for r in check.results:
                words = {
                    "got": self.got(self.buffer(r.result)),
                    "wanted": self.buffer(r.wanted),
                    "bound": self.buffer(r.bounds),
                }
                text = self.check_entries.format(**words, step=r.step, count=r.count, last=r.count - 1)
                lines += text.splitlines()
            lines += [self.check_points[1]] if self.check_points[1] else []
        return [*lines, *self.check_tail.splitlines()]

    def got(self, name: str) -> str:
        """Return a result of a call by its name."""
        return name

    def part(self, array: str, size: int) -> str:
        """Return the argument of one point among those of all."""
        raise NotImplementedError

    def _call_of(self, check: Check) -> str:
        sizes = zip(check.given, check.function.inputs, strict=True)
        given = ", ".join(self.part(self.buffer(g), b.size) for g, b in sizes)
        return self.check_call.format(name=self.function(check.function), given=given, taken=self.taken(check.function))
