"""C that CasADi loads as an external function, and acados with it.

Source: CasADi 3.8, the code that ``Function.generate`` writes, and the names of its ``jacobian()`` and ``reverse(1)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from neuralgebra.code.c import C
from neuralgebra.code.interface import Hosted, Wanted
from neuralgebra.code.program import Function
from neuralgebra.code.statements import Buffer
from neuralgebra.network.network import Network

__all__ = ["Casadi"]

_TYPES = """
#ifndef casadi_real
#define casadi_real double
#endif
#ifndef casadi_int
#define casadi_int long long int
#endif
#ifndef CASADI_SYMBOL_EXPORT
#if defined(_WIN32) || defined(__CYGWIN__)
#define CASADI_SYMBOL_EXPORT __declspec(dllexport)
#else
#define CASADI_SYMBOL_EXPORT
#endif
#endif
"""

_EXPORTS = """
CASADI_SYMBOL_EXPORT void {name}_incref(void) {{}}
CASADI_SYMBOL_EXPORT void {name}_decref(void) {{}}
CASADI_SYMBOL_EXPORT casadi_int {name}_n_in(void) {{ return {n_in}; }}
CASADI_SYMBOL_EXPORT casadi_int {name}_n_out(void) {{ return {n_out}; }}
CASADI_SYMBOL_EXPORT const char *{name}_name_in(casadi_int i) {{
    static const char *const names[] = {{{names_in}}};
    return 0 <= i && i < {n_in} ? names[i] : 0;
}}
CASADI_SYMBOL_EXPORT const char *{name}_name_out(casadi_int i) {{
    static const char *const names[] = {{{names_out}}};
    return 0 <= i && i < {n_out} ? names[i] : 0;
}}
CASADI_SYMBOL_EXPORT const casadi_int *{name}_sparsity_in(casadi_int i) {{
    static const casadi_int *const patterns[] = {{{sparsity_in}}};
    return 0 <= i && i < {n_in} ? patterns[i] : 0;
}}
CASADI_SYMBOL_EXPORT const casadi_int *{name}_sparsity_out(casadi_int i) {{
    static const casadi_int *const patterns[] = {{{sparsity_out}}};
    return 0 <= i && i < {n_out} ? patterns[i] : 0;
}}
CASADI_SYMBOL_EXPORT int {name}_work(casadi_int *sz_arg, casadi_int *sz_res, casadi_int *sz_iw, casadi_int *sz_w) {{
    if (sz_arg) *sz_arg = {n_in};
    if (sz_res) *sz_res = {n_out};
    if (sz_iw) *sz_iw = 0;
    if (sz_w) *sz_w = 0;
    return 0;
}}
"""

_HEAD = """
CASADI_SYMBOL_EXPORT int {name}(const casadi_real **arg, casadi_real **res, casadi_int *iw, casadi_real *rw, int mem) {{
    (void)iw;
    (void)rw;
    (void)mem;"""


@dataclass(frozen=True)
class Argument:
    """A matrix that goes in or out: its name, its shape, and whether it has entries."""

    name: str
    rows: int
    columns: int = 1
    dense: bool = True

    @property
    def pattern(self) -> str:
        """The name of its sparsity pattern."""
        return f"{'dense' if self.dense else 'empty'}_{self.rows}_{self.columns}"

    @property
    def colind(self) -> str:
        """Its sparsity pattern, in compressed columns."""
        numbers = [self.rows, self.columns, *([1] if self.dense else [0] * (self.columns + 1))]
        return ", ".join(map(str, numbers))


@dataclass(frozen=True)
class Export:
    """A function that CasADi looks for.

    Parameters
    ----------
    name : str
        With {} for the name of the program.
    given, taken : tuple of Argument
        What goes in, and comes out.
    calls : tuple of (str, int)
        The suffixes of the functions that compute it, each with the place of the result that it is for.
    lines : tuple of str
        How its results become those that are taken.
    """

    name: str
    given: tuple[Argument, ...]
    taken: tuple[Argument, ...]
    calls: tuple[tuple[str, int], ...]
    lines: tuple[str, ...]


def _exports(m: int, n: int) -> tuple[Export, ...]:
    """Return the functions of a network R^n -> R^m; matrices of CasADi are stored by columns."""
    x, y, out_y, adj_y = Argument("x", n), Argument("y", m), Argument("out_y", m, 1, False), Argument("adj_y", m)
    adj_x, out_adj_x = Argument("adj_x", n), Argument("out_adj_x", n, 1, False)
    columns = f"for (int i = 0; i < {m}; i++) for (int j = 0; j < {n}; j++)"
    jacobian = (f"if (res[0]) {columns} res[0][i + {m}*j] = jac[{n}*i + j];",)
    transposed = f"if (res[2]) {columns} res[2][j + {n}*i] = jac[{n}*i + j];"
    weighted = f"if (res[0]) for (int j = 0; j < {n * n}; j++) res[0][j] = wh[j];"
    second = f"for (int i = 0; i < {m}; i++) for (int j = 0; j < {n}; j++) for (int k = 0; k < {n}; k++)"
    of_adj = (
        Argument("jac_adj_x_x", n, n),
        Argument("jac_adj_x_out_y", n, m, False),
        Argument("jac_adj_x_adj_y", n, m),
    )
    of_jac = (Argument("jac_jac_y_x_x", m * n, n), Argument("jac_jac_y_x_out_y", m * n, m, False))
    return (
        Export("{}", (x,), (y,), (("", 0),), (f"if (res[0]) for (int i = 0; i < {m}; i++) res[0][i] = y[i];",)),
        Export("jac_{}", (x, out_y), (Argument("jac_y_x", m, n),), (("jacobian", 0),), jacobian),
        Export(
            "adj1_{}",
            (x, out_y, adj_y),
            (adj_x,),
            (("vjp", 0),),
            (f"if (res[0]) for (int j = 0; j < {n}; j++) res[0][j] = jtw[j];",),
        ),
        Export(
            "jac_adj1_{}",
            (x, out_y, adj_y, out_adj_x),
            of_adj,
            (("curvature", 0), ("jacobian", 2)),
            (weighted, transposed),
        ),
        Export(
            "jac_jac_{}",
            (x, out_y, Argument("out_jac_y_x", m, n, False)),
            of_jac,
            (("hessian", 0),),
            (f"if (res[0]) {second} res[0][i + {m}*j + {m * n}*k] = hess[{n * n}*i + {n}*j + k];",),
        ),
    )


class Casadi(Hosted, C):
    """C with the functions that CasADi looks for; those that compute are its own."""

    host = "casadi"
    shapes = "any"
    linkage = "static "
    places: ClassVar = {"x": 0, "w": 2}
    """Where arguments of the network stand among those of CasADi."""

    @staticmethod
    def wanted(network: Network) -> Wanted:
        """Return what is needed: values, Jacobian, gradients and Hessians."""
        del network
        return Wanted(2, ("", "jacobian", "hessian", "vjp", "curvature"), ("vjp", "curvature"))

    def function(self, function: Function) -> str:
        """Return the name of a function that computes."""
        return f"{self.name}_core_{function.suffix or 'value'}"

    def tail(self) -> list[str]:
        """Return the functions that CasADi looks for."""
        exports = _exports(*self.program.network.shape)
        arguments = {a.pattern: a for e in exports for a in (*e.given, *e.taken)}
        patterns = [f"static const casadi_int {p}[] = {{{a.colind}}};" for p, a in arguments.items()]
        lines = [*_TYPES.strip().splitlines(), *patterns, *(line for e in exports for line in self._exported(e))]
        return [*lines, *super().tail()]

    def _exported(self, export: Export) -> list[str]:
        """Return one function, and what CasADi asks about it."""
        name = export.name.format(self.name)
        functions = [(f, place) for f in self.program.functions for suffix, place in export.calls if f.suffix == suffix]
        buffers = {b.name: b for f, _ in functions for b in (*f.inputs, *f.outputs)}
        inputs = {b.name: b for f, _ in functions for b in f.inputs}
        facts = {
            "name": name,
            "n_in": len(export.given),
            "n_out": len(export.taken),
            **{f"names_{way}": _listed([f'"{a.name}"' for a in some]) for way, some in _ways(export)},
            **{f"sparsity_{way}": _listed([a.pattern for a in some]) for way, some in _ways(export)},
        }
        declared = [self._declared(b) for b in buffers.values()]
        copied = [f"for (int i = 0; i < {b.size}; i++) {self._given(b)};" for b in inputs.values()]
        calls = [self._called(f, place) for f, place in functions]
        body = [*declared, *copied, *calls, *export.lines, "return 0;"]
        head = _HEAD.format(name=name).strip().splitlines()
        return ["", *head, *(self.indent + line for line in body), "}", *_EXPORTS.format(**facts).strip().splitlines()]

    def _called(self, function: Function, place: int) -> str:
        """Return the call of a function, for one of the results."""
        names = ", ".join(self.buffer(b) for b in (*function.inputs, *function.outputs))
        return f"if (res[{place}]) {self.function(function)}({names});"

    def _declared(self, buffer: Buffer) -> str:
        return self.array.format(type="double", name=self.buffer(buffer), size=buffer.size)

    def _given(self, buffer: Buffer) -> str:
        """Return the assignment of an argument; where CasADi passes none, it is zero."""
        place = self.places[buffer.name]
        return f"{self.buffer(buffer)}[i] = arg[{place}] ? arg[{place}][i] : 0"


def _ways(export: Export) -> tuple[tuple[str, tuple[Argument, ...]], ...]:
    return ("in", export.given), ("out", export.taken)


def _listed(items: Sequence[str]) -> str:
    return ", ".join(items)
