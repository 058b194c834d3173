"""Checking a network against independent evaluations: onnxruntime for values, ball arithmetic for derivatives."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx

from neuralgebra.arithmetic.balls import Balls
from neuralgebra.calculus.derivatives import hessian, jacobian, jets, value
from neuralgebra.calculus.run import accept
from neuralgebra.code.certificate import Certified, certify_program
from neuralgebra.errors import MissingExtra, PrecisionWarning, shown
from neuralgebra.files import onnx_write
from neuralgebra.network.network import Network

__all__ = ["Check", "Difference", "check"]

_NAMES = ("value", "Jacobian", "Hessian")
_BALL_ROWS = 20
_PROGRAM_ROWS = 3


@dataclass(frozen=True)
class Difference:
    """The largest difference between two evaluations of one quantity.

    Parameters
    ----------
    quantity : str
        "value", "Jacobian" or "Hessian".
    against : str
        The other evaluation, in words.
    rows : int
        At how many points.
    largest : float
        The largest absolute difference of an entry.
    scale : float
        The largest absolute entry.
    eps : float
        The distance from 1 to the next number of the precision that was compared.
    """

    quantity: str
    against: str
    rows: int
    largest: float
    scale: float
    eps: float = float(np.finfo(np.float64).eps)

    def within(self, tolerance: float) -> bool:
        """Return whether the difference is at most tolerance · eps · max(1, largest entry); NaN never is.

        Parameters
        ----------
        tolerance : float
            How many units of rounding are allowed.

        Returns
        -------
        bool
            The verdict.
        """
        return math.isfinite(self.largest) and self.largest <= tolerance * self.eps * max(1.0, self.scale)

    def __str__(self) -> str:
        return (
            f"{self.quantity:9} against {self.against}, {self.rows} point{'s' * (self.rows != 1)}: "
            f"largest difference {self.largest:.2e} (largest entry {self.scale:.3g})"
        )


@dataclass(frozen=True)
class Check:
    """What a check found.

    Parameters
    ----------
    differences : tuple of Difference
        One for each comparison.
    remarks : tuple of str
        What could not be compared as asked, and what was done instead.
    tolerance : float
        Differences up to tolerance · eps · max(1, largest entry) count as rounding.
    program : Certified, optional
        What is certain of the network's program in another language.
    """

    differences: tuple[Difference, ...]
    remarks: tuple[str, ...] = ()
    tolerance: float = 1e4
    program: Certified | None = None

    @property
    def agrees(self) -> bool:
        """Whether every difference is within rounding, and the program is the network."""
        return all(d.within(self.tolerance) for d in self.differences) and (not self.program or self.program.agrees)

    @property
    def verdict(self) -> str:
        """Whether every difference is within rounding, in words."""
        bound = f"{self.tolerance:g} · eps · max(1, largest entry)"
        if self.agrees:
            return f"agree within rounding: every difference is at most {bound}"
        beyond = [f"{d.quantity} against {d.against}" for d in self.differences if not d.within(self.tolerance)]
        if not beyond:
            return "DISAGREE: the program is not the network within its roundings"
        return f"DISAGREE: more than {bound} in {'; '.join(beyond)}"

    def plain(self) -> dict[str, Any]:
        """Return what was found as plain data: agrees, tolerance, differences, remarks."""
        differences = [{**vars(d), "agrees": d.within(self.tolerance)} for d in self.differences]
        found: dict[str, Any] = {"agrees": self.agrees, "tolerance": self.tolerance}
        found |= {"differences": differences, "remarks": list(self.remarks)}
        return found if self.program is None else {**found, "program": self.program.plain()}

    def __str__(self) -> str:
        program = [] if self.program is None else [str(self.program)]
        remarks = [f"note: {r}" for r in self.remarks]
        return "\n".join([*map(str, self.differences), *program, *remarks, self.verdict])


def check(network: Network, x: Any, *, model: bytes | None = None, bits: int = 128, code: str | None = None) -> Check:
    """Compare values with onnxruntime, and value, Jacobian and Hessian with ball arithmetic.

    Parameters
    ----------
    network : Network
        f.
    x : array_like, shape (rows, n)
        Points; balls are run at the first 20.
    model : bytes, optional
        The ONNX file that the network was read from; by default f is written to ONNX first.
    bits : int
        Precision of the balls.
    code : str, optional
        A language, as for `code`: then the program in it is examined too. Its constants must read back to the same
        bits; on 200-bit balls it must overlap the network; and run on this machine, where it can be, it must be off by
        no more than its roundings, in units of u·M, M the majorant of each number.

    Returns
    -------
    Check
        The largest differences.

    Raises
    ------
    ShapeError
        When x has not n columns.

    Examples
    --------
    >>> import neuralgebra as na
    >>> f = na.Network.from_layers([([[0.5, 2.0]], [1.0]), ([[3.0]], None)], "tanh")
    >>> max(d.largest for d in f.check([[0.1, 0.2]]).differences) < 1e-14
    True
    """
    _, points = accept(network, np.asarray(x, dtype=np.float64))
    points = points.reshape(-1, network.input_size)
    exact = _against_balls(network, points[:_BALL_ROWS], bits)
    program = None if code is None else certify_program(network, code, points[:_PROGRAM_ROWS])
    source, remark = _exported(network) if model is None else (model, "")
    try:
        first, note = _against_runtime(network, points, source)
    except MissingExtra as error:
        return Check(exact, (str(error),), program=program)
    return Check((first, *exact), tuple(r for r in (remark, note) if r), program=program)


def _exported(network: Network) -> tuple[bytes, str]:
    """Return the network as ONNX, in float32 where onnxruntime lacks float64 kernels, and a remark that says so."""
    missing = onnx_write.without_kernel(network)
    if not missing:
        return onnx_write.write(network), ""
    return onnx_write.write(network, "float32"), f"onnxruntime has no float64 {', '.join(missing)}: compared in float32"


def _against_balls(network: Network, x: np.ndarray, bits: int) -> tuple[Difference, ...]:
    balls = Balls(bits)
    numbers = value(network, x), jacobian(network, x), hessian(network, x)
    with balls.precision():
        exact = jets(balls, network, balls.weight(x), 2)
        gaps = [_largest(balls, ball, number) for ball, number in zip(exact, numbers, strict=True)]
    return tuple(
        Difference(name, f"{bits}-bit balls", len(x), gap, float(np.abs(number).max(initial=0)), _eps(number.dtype))
        for name, gap, number in zip(_NAMES, gaps, numbers, strict=True)
    )


def _largest(balls: Balls, exact: np.ndarray, numbers: np.ndarray) -> float:
    """Return the largest distance; NaN where a number is NaN, inf where it is infinite and the exact one is not."""
    gaps = [float(gap.upper()) for gap in balls.abs(exact - balls.weight(numbers)).flat]
    return float(np.max(gaps, initial=0.0))


def _against_runtime(network: Network, x: np.ndarray, model: bytes) -> tuple[Difference, str]:
    values, dtype, what, remark = run_onnx(model, x)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PrecisionWarning)
        ours = value(network, x.astype(dtype)).astype(np.float64)
    gap = float(np.abs(ours - values.reshape(ours.shape)).max(initial=0))
    scale = float(np.abs(values).max(initial=0))
    eps = _eps(np.float32 if remark else dtype)  # the reference evaluator has functions of float32 inside
    return Difference("value", f"{what} in {dtype}", len(x), gap, scale, eps), remark


def _eps(dtype: Any) -> float:
    return float(np.finfo(dtype).eps)


def run_onnx(model: bytes, x: np.ndarray) -> tuple[np.ndarray, np.dtype, str, str]:
    """Run an ONNX model with onnxruntime, or with onnx's reference evaluator where there is no kernel.

    Parameters
    ----------
    model : bytes
        A model with one input and one output.
    x : ndarray, shape (rows, n)
        Points.

    Returns
    -------
    values : ndarray
        Its output at all points, one row each.
    dtype : dtype
        The dtype it was run in.
    what : str
        What ran it.
    remark : str
        Why it was not onnxruntime; empty otherwise.

    Raises
    ------
    MissingExtra
        When onnxruntime is not installed.
    """
    try:
        import onnxruntime
    except ImportError:
        raise MissingExtra("values are not compared: onnxruntime is missing; pip install onnxruntime") from None
    from onnx.reference import ReferenceEvaluator

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    what, remark = f"onnxruntime {onnxruntime.__version__}", ""
    try:
        runner = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented as error:
        runner = ReferenceEvaluator(onnx.load_from_string(model))
        what, remark = "onnx's reference evaluator", f"onnxruntime cannot run this model: {shown(error)}"
    return *_run(runner, onnx.load_from_string(model), x), what, remark


@dataclass(frozen=True)
class _Input:
    """One input of a model: batch size (0 is any), shape of a sample, and whether it has no batch axis at all."""

    name: str
    batch: int
    shape: tuple[int, ...]
    single: bool

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def fed(self, rows: np.ndarray) -> np.ndarray:
        return rows.reshape(self.shape if self.single else (len(rows), *self.shape))


def _inputs(model: onnx.ModelProto, columns: int) -> tuple[list[_Input], np.dtype]:
    constants = {tensor.name for tensor in model.graph.initializer}
    puts = [put for put in model.graph.input if put.name not in constants]
    shapes = [tuple(d.dim_value for d in put.type.tensor_type.shape.dim) for put in puts]
    single = sum(math.prod(shape) for shape in shapes) == columns and any(shape[:1] != (1,) for shape in shapes)
    found = [
        _Input(put.name, 1, shape, True) if single else _Input(put.name, shape[0], shape[1:], False)
        for put, shape in zip(puts, shapes, strict=True)
    ]
    return found, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(puts[0].type.tensor_type.elem_type))


def _run(runner: Any, model: onnx.ModelProto, x: np.ndarray) -> tuple[np.ndarray, np.dtype]:
    """Run at all points: inputs take the columns in their order, a fixed batch is filled up with its last row."""
    inputs, dtype = _inputs(model, x.shape[1])
    batch = inputs[0].batch or max(1, len(x))
    cuts = np.cumsum([put.size for put in inputs])[:-1]
    results = [np.zeros((0, 0))]
    for start in range(0, len(x), batch):
        group = x[start : start + batch].astype(dtype)
        filled = np.concatenate([group, np.repeat(group[-1:], batch - len(group), axis=0)])
        feed = {put.name: put.fed(part) for put, part in zip(inputs, np.split(filled, cuts, axis=1), strict=True)}
        outputs = [np.reshape(output, (batch, -1)) for output in runner.run(None, feed)]
        results.append(np.concatenate(outputs, axis=1)[: len(group)].astype(np.float64))
    return np.concatenate(results[1:] or results), dtype
