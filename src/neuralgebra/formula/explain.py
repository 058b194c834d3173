"""The chain rule of one network, written out: in matrix form with shapes, and in index form."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from neuralgebra.errors import InputError, UnsupportedError, shown
from neuralgebra.formula.explain_hessian import HessianExplanation, aligned
from neuralgebra.formula.layered import matrix_form
from neuralgebra.functions.row import parsed
from neuralgebra.network.layers import Affine, Elementwise, Layer
from neuralgebra.network.network import Network

__all__ = ["Explanation", "explain"]

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def _index_names() -> Iterator[str]:
    """Yield i, j, l, … and, when the letters end, i1, i2, …."""
    yield from "ijlmpqrstuvw"
    yield from (f"i{n}" for n in itertools.count(1))


@dataclass(frozen=True)
class _Step:
    """One factor of the chain rule: the matrix W_number, or the diagonal of a function's slope at its argument."""

    number: int
    argument: str
    function: str | None
    slope: str
    rows: int
    columns: int
    bias: bool


@dataclass(frozen=True)
class Explanation:
    """The chain rule of a network, ready to print.

    Parameters
    ----------
    steps : tuple of _Step
        The factors, from the output back to the input.
    outputs, inputs : int
        Shape of the Jacobian.
    """

    steps: tuple[_Step, ...]
    outputs: int
    inputs: int

    def __str__(self) -> str:
        return self.text()

    def _repr_latex_(self) -> str:
        return self.latex()

    def text(self) -> str:
        """Return definitions, matrix form with a shape under every factor, and index form, as text."""
        factors = [_matrix_factor(step) for step in self.steps]
        shapes = [f"{step.rows}×{step.columns}" for step in self.steps]
        widths = [max(len(f), len(s)) for f, s in zip(factors, shapes, strict=True)]
        left = ["∂y/∂x", f"{self.outputs}×{self.inputs}"]
        first = " · ".join(f.center(w) for f, w in zip(factors, widths, strict=True))
        second = "   ".join(s.center(w) for s, w in zip(shapes, widths, strict=True))
        return "\n".join(
            [
                *self.definitions(),
                "",
                "matrix form",
                f"  {left[0]} = {first}".rstrip(),
                f"  {left[1]:^5}   {second}".rstrip(),
                "",
                "index form",
                f"  {self._index_form()}",
            ]
        )

    def definitions(self) -> list[str]:
        """Return z₁ = W₁ x + b₁ and so on, one line each."""
        lines, inner = [], "x"
        for step in reversed(self.steps):
            number = _sub(step.number)
            if step.function is None:
                lines.append(f"z{number} = W{number} {inner}" + (f" + b{number}" if step.bias else ""))
                inner = f"z{number}"
            else:
                lines.append(f"a{number} = {step.function}({_sub(step.argument)})   element by element")
                inner = f"a{number}"
        return [*lines, f"y  = {inner}"]

    def _index_form(self) -> str:
        text = "∂y[o]/∂x[k] =" if self.outputs > 1 else "∂y/∂x[k] ="
        for step, row, column in self._indexed():
            number = _sub(step.number)
            if step.function is not None:
                text += f" {step.slope}({_sub(step.argument)}{f'[{row}]' if row else ''})"
            else:
                text += "" if column == "k" else f" Σ_{{{column}=1..{step.columns}}}"
                text += f" W{number}[{row and row + ','}{column}]"
        return text

    def _indexed(self) -> Iterator[tuple[_Step, str, str]]:
        """Yield each factor with the names of its row and column; a lone output has no row, inputs are k."""
        names, row = _index_names(), "o" if self.outputs > 1 else ""
        for step in self.steps:
            column = row if step.function is not None else "k" if step is self.steps[-1] else next(names)
            yield step, row, column
            row = column

    def latex(self) -> str:
        r"""Return definitions, matrix form with a shape under every factor, and index form as LaTeX."""
        factors = [rf"\underbrace{{{_latex_factor(s)}}}_{{{s.rows}\times{s.columns}}}" for s in self.steps]
        matrix = r"\frac{\partial y}{\partial x} &= " + r"\,".join(factors)
        return aligned([*self.latex_definitions(), matrix, self._latex_index()])

    def latex_definitions(self) -> list[str]:
        r"""Return z^{(1)} &= W^{(1)} x + b^{(1)} and so on, one line each."""
        lines, inner = [], "x"
        for step in reversed(self.steps):
            above = f"^{{({step.number})}}"
            if step.function is None:
                lines.append(f"z{above} &= W{above} {inner}" + (f" + b{above}" if step.bias else ""))
                inner = f"z{above}"
            else:
                lines.append(rf"a{above} &= {_latex_function(step.function)}\!\left({inner}\right)")
                inner = f"a{above}"
        return [*lines, f"y &= {inner}"]

    def _latex_index(self) -> str:
        text = rf"\frac{{\partial {'y_{o}' if self.outputs > 1 else 'y'}}}{{\partial x_{{k}}}} &="
        for step, row, column in self._indexed():
            if step.function is not None:
                index = f"_{{{row}}}" if row else ""
                text += rf" {_latex_function(step.slope)}\!\left({_latex_name(step.argument)}{index}\right)"
            else:
                text += "" if column == "k" else rf" \sum_{{{column}=1}}^{{{step.columns}}}"
                text += rf" W^{{({step.number})}}_{{{row}{column}}}"
        return text


def explain(network: Network, question: str = "jacobian") -> Explanation | HessianExplanation:
    """Write the chain rule of a network out, step by step, in matrix form with shapes and in index form.

    ∂y/∂x = W_L · diag(σ'(z_{L-1})) · W_{L-1} · … · diag(σ'(z₁)) · W₁

    and of second order, a sum over the activations a_l = σ(z_l) with J_l = ∂z_l/∂x and λ_l = ∂y/∂a_l,

    ∂²y/∂x² = Σ_l J_lᵀ · diag(λ_l ∘ σ''(z_l)) · J_l

    Parameters
    ----------
    network : Network
        A chain of affine layers and activations.
    question : {"jacobian", "hessian"}
        What to explain.

    Returns
    -------
    Explanation or HessianExplanation
        With ``.text()`` and ``.latex()``.

    Raises
    ------
    UnsupportedError
        When the network is not such a chain.
    InputError
        For another question.

    Examples
    --------
    >>> import neuralgebra as na, numpy as np
    >>> f = na.Network.from_layers([(np.ones((20, 52)), None), (np.ones((10, 20)), None), (np.ones((1, 10)), None)])
    >>> print(f.explain("jacobian"))
    z₁ = W₁ x
    a₁ = tanh(z₁)   element by element
    z₂ = W₂ a₁
    a₂ = tanh(z₂)   element by element
    z₃ = W₃ a₂
    y  = z₃
    <BLANKLINE>
    matrix form
      ∂y/∂x =  W₃  · diag(tanh'(z₂)) ·   W₂  · diag(tanh'(z₁)) ·   W₁
      1×52    1×10        10×10        10×20        20×20        20×52
    <BLANKLINE>
    index form
      ∂y/∂x[k] = Σ_{i=1..10} W₃[i] tanh'(z₂[i]) Σ_{j=1..20} W₂[i,j] tanh'(z₁[j]) W₁[j,k]
    """
    if question not in ("jacobian", "hessian"):
        raise InputError(f'question {shown(question)!r} received; "jacobian" or "hessian" expected.')
    _check_chain(network)
    found = Explanation(tuple(reversed(_steps(network))), network.output_size, network.input_size)
    return found if question == "jacobian" else HessianExplanation(matrix_form(network, 2), found)


def _steps(network: Network) -> list[_Step]:
    """Return the steps of a chain, from the input on; each kind is counted by itself."""
    steps, count, argument = [], {"z": 0, "a": 0}, "x"
    for place, node in enumerate(network.nodes, 1):
        layer, letter = node.layer, "z" if isinstance(node.layer, Affine) else "a"
        count[letter] += 1
        row = layer.only.row if isinstance(layer, Elementwise) and layer.only else None
        function, slope = (row.name, row.derivative_name(1)) if row else (None, "")
        sizes = network.sizes[place], network.sizes[place - 1]
        steps.append(_Step(count[letter], argument, function, slope, *sizes, _has_bias(layer)))
        argument = f"{letter}{count[letter]}"
    return steps


def _check_chain(network: Network) -> None:
    """Raise UnsupportedError at the first place that is no step of a chain."""
    obstacles = ((place, _obstacle(network, place)) for place in range(1, len(network.nodes) + 1))
    found = next((f"place {place} {text}" for place, text in obstacles if text), "")
    if not network.nodes:
        found = "the network has no layers"
    if not network.nodes or found:
        raise UnsupportedError(f"{found}; a chain of affine layers, then activations, expected. See f.nodes.")


def _obstacle(network: Network, place: int) -> str:
    """Return what keeps a place from being a step of a chain; "" if nothing does."""
    layer, inputs = network.nodes[place - 1].layer, network.nodes[place - 1].inputs
    if len(inputs) != 1:
        return f"takes {'two' if len(inputs) == 2 else len(inputs)} arguments"
    if inputs != (place - 1,):
        return f"takes place {inputs[0]}, not the place before" if inputs[0] else "takes the inputs, a second branch"
    if isinstance(layer, Elementwise) and layer.only:
        return "" if isinstance(network.nodes[0].layer, Affine) else f"is {layer}, before any affine layer"
    return "" if isinstance(layer, Affine) else f"is {layer}"


def _has_bias(layer: Layer) -> bool:
    return isinstance(layer, Affine) and layer.bias is not None


def _sub(number: int | str) -> str:
    return str(number).translate(_SUBSCRIPTS)


def _latex_name(word: str) -> str:
    return f"{word[0]}^{{({word[1:]})}}"


def _matrix_factor(step: _Step) -> str:
    return f"W{_sub(step.number)}" if step.function is None else f"diag({step.slope}({_sub(step.argument)}))"


def _latex_function(name: str) -> str:
    base, order = parsed(name)
    marks = "'" * order if order <= 2 else f"^{{({order})}}"
    return (r"\sigma" if base == "sigmoid" else r"\mathrm{" + base.replace("_", r"\_") + "}") + marks


def _latex_factor(step: _Step) -> str:
    if step.function is None:
        return f"W^{{({step.number})}}"
    return rf"\operatorname{{diag}}\!\left({_latex_function(step.slope)}({_latex_name(step.argument)})\right)"
