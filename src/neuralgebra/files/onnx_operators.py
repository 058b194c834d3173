"""The table of ONNX operators that can be read: name -> handler."""

from __future__ import annotations

from collections.abc import Mapping

from neuralgebra.files.onnx_activations import ACTIVATIONS
from neuralgebra.files.onnx_arithmetic import ARITHMETIC
from neuralgebra.files.onnx_values import Handler
from neuralgebra.files.onnx_windows import WINDOWS
from neuralgebra.files.onnx_wiring import WIRING

__all__ = ["HANDLERS"]

HANDLERS: Mapping[str, Handler] = {**ARITHMETIC, **WIRING, **WINDOWS, **ACTIVATIONS}
"""Operators of other domains than the standard one are listed as "domain:name"."""
