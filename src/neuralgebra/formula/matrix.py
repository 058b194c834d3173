"""The matrix form of a formula in every notation."""

from __future__ import annotations

from collections.abc import Sequence

from neuralgebra.formula.layered import matrix_form
from neuralgebra.formula.letform import LetForm
from neuralgebra.formula.matrix_notations import MatrixLatex, MatrixMathML, MatrixWolfram
from neuralgebra.formula.matrix_text import MatrixText
from neuralgebra.formula.printers import latex_legend, latex_name, text_expression, text_legend
from neuralgebra.formula.wolfram import comment, wolfram_legend

__all__ = ["matrix_written"]


def matrix_written(form: LetForm, order: int, digits: int | None, notation: str, notes: Sequence[str]) -> str:
    """Return the matrix form of a network and its derivatives.

    Parameters
    ----------
    form : LetForm
        The formula of its value, for names.
    order : int
        Highest order of derivatives.
    digits : int or None
        Significant digits of every number; None keeps all.
    notation : {"text", "latex", "mathml", "mathematica"}
        The notation.
    notes : sequence of str
        What the formula says of itself.
    """
    layers, names = matrix_form(form.network, order), [symbol.name for symbol in form.inputs]
    notes = [note.strip() for note in notes]
    outputs = [line.symbol.name for line in form.lines if line.output is not None and not line.keys]
    said = [f"x: the inputs {', '.join(names)}", f"y: the outputs {', '.join(outputs)}"]
    if notation == "latex":
        head = [*(f"% {note}" for note in notes), *latex_legend(form)]
        return "\n".join([*head, MatrixLatex(layers).document(digits, [latex_name(name) for name in names])])
    if notation == "mathml":
        remarks = [*notes, *(line.removeprefix("# ") for line in text_legend(form)), *said]
        return MatrixMathML(layers).document(digits, remarks)
    if notation == "mathematica":
        head = [*map(comment, notes), *wolfram_legend(form), *map(comment, said)]
        return "\n".join([*head, MatrixWolfram(layers).document(digits, "f")])
    text = MatrixText(layers)
    lines = [*(f"# {note}" for note in notes), *text_legend(form), *text.lines(), "", "where"]
    lines += [f"  {line}" for line in text.definitions(lambda e: text_expression(e, digits))]
    return "\n".join([*lines, *(f"  {line}" for line in said), *text.numbers(digits)])
