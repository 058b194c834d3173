"""ONNX operators that only move numbers: reshaping, slicing, joining, and those that make or describe constants.

One function on arrays serves constants, and tensors through their coordinate numbers.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from neuralgebra.errors import shown
from neuralgebra.files.onnx_values import Call, Handler, Tensor, Value

__all__ = ["WIRING"]

Rearrange = Callable[[Call, np.ndarray, int], np.ndarray]
"""(call, array, number of leading batch axes) -> array."""


def _wired(rearrange: Rearrange) -> Handler:
    def handler(call: Call) -> Value:
        x = call.value(0)
        if isinstance(x, Tensor):
            return call.selected(x, rearrange(call, x.positions, x.lead))
        return _tidy(np.asarray(rearrange(call, x, 0), x.dtype))

    return handler


def _axis(call: Call, axis: int, x: np.ndarray, lead: int) -> int:
    """Return a position among the axes; the batch axis is refused."""
    position = call.axis(axis, x.ndim)
    if position < lead:
        raise call.batch()
    return position


def _transpose(call: Call, x: np.ndarray, lead: int) -> np.ndarray:
    order = call.attributes.get("perm", list(range(x.ndim))[::-1])
    if sorted(order) != list(range(x.ndim)):
        raise call.damaged(f"perm = {shown(order)} for {x.ndim} axes", "Each axis once")
    if lead and order[0] != 0:
        raise call.batch()
    return x.transpose(order)


def _gather(call: Call, x: np.ndarray, lead: int) -> np.ndarray:
    axis = _axis(call, call.integer("axis", 0), x, lead)
    indices = call.constant(1)
    if indices is None or indices.dtype.kind not in "iu":
        raise call.unsupported("indices that are not constant integers", "Constant integers")
    length = x.shape[axis]
    if indices.size and not (-length <= indices.min() and indices.max() < length):
        raise call.damaged(f"indices {indices.min()} to {indices.max()} of {length}", "Indices in the range")
    call.sized((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))
    return np.take(x, indices, axis)


def _slice(call: Call, x: np.ndarray, lead: int) -> np.ndarray:
    starts, ends = call.integers(1, "starts"), call.integers(2, "ends")
    if starts is None or ends is None:
        raise call.damaged("a slice without starts or ends", "Both")
    axes = call.integers(3, "axes") or range(len(starts))
    steps = call.integers(4, "steps") or [1] * len(starts)
    cuts = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        position = call.axis(axis, x.ndim)
        if position < lead:
            _refuse_unless_whole(call, start, end, step)
        cuts[position] = _cut(start, end, step, x.shape[position])
    return x[tuple(cuts)]


def _cut(start: int, end: int, step: int, length: int) -> slice:
    """Return a slice as Python has it: an end before the first element is None."""
    if step < 0 and end < -length:
        return slice(start, None, step)
    return slice(start, end, step)


def _refuse_unless_whole(call: Call, start: int, end: int, step: int) -> None:
    if (start, step) != (0, 1) or end < 2**31 - 1:
        raise call.batch()


def _unsqueeze(call: Call, x: np.ndarray, lead: int) -> np.ndarray:
    axes = call.integers(1, "axes") or []
    rank = x.ndim + len(axes)
    chosen = sorted(call.axis(a, rank) for a in axes)
    if lead and 0 in chosen:
        raise call.batch()
    return np.expand_dims(x, tuple(chosen))


def _squeeze(call: Call) -> Value:
    x, axes = call.value(0), call.integers(1, "axes")
    if not isinstance(x, Tensor):
        return np.squeeze(x, None if axes is None else tuple(axes))
    full = x.positions.shape
    ones = range(x.lead, len(full)) if not call.single else range(len(full))
    chosen = [a for a in ones if full[a] == 1] if axes is None else [call.axis(a, x.rank) for a in axes]
    lead = x.lead - (x.lead and 0 in chosen)
    if lead < x.lead and not call.single:
        raise call.batch()
    return Tensor(x.place, np.empty(full).squeeze(tuple(chosen)).shape[lead:], lead)


def _reshape(call: Call) -> Value:
    target = call.constant(1)
    if target is None:
        raise call.damaged("no shape", "A shape")
    return _reshaped(call, call.value(0), target.ravel().tolist())


def _reshaped(call: Call, x: Value, target: Sequence[int | None]) -> Value:
    """Return a value in another shape; None stands for the number of samples, 0 copies, -1 is inferred."""
    full: tuple[int | None, ...] = (*(None,) * x.lead, *x.shape) if isinstance(x, Tensor) else x.shape
    if not call.attributes.get("allowzero"):
        if any(n == 0 and i >= len(full) for i, n in enumerate(target)):
            raise call.damaged(f"shape {shown(list(target))} for {len(full)} axes", "No 0 beyond them")
        target = [full[i] if n == 0 else n for i, n in enumerate(target)]
    if not isinstance(x, Tensor):
        return x.reshape(_filled(call, target, x.size))
    if not x.lead and not (call.single and target[:1] == [1]):
        return Tensor(x.place, _filled(call, target, x.size), 0)
    if x.lead and not _keeps_batch(call, x, target):
        return Tensor(x.place, _without_batch(call, x, target), 0)
    return Tensor(x.place, _filled(call, target[1:], x.size), 1)


def _keeps_batch(call: Call, x: Tensor, target: Sequence[int | None]) -> bool:
    """Return whether the first length of a target is, or can be, the number of samples."""
    if not target:
        return False
    first, rest = target[0], target[1:]
    fits = None not in rest and -1 not in rest and math.prod(n or 0 for n in rest) == x.size
    return first is None or fits or (call.single and first == 1 and -1 in rest)


def _without_batch(call: Call, x: Tensor, target: Sequence[int | None]) -> tuple[int, ...]:
    if not call.single:
        raise call.batch()
    return _filled(call, target, x.size)


def _filled(call: Call, target: Sequence[int | None], size: int) -> tuple[int, ...]:
    """Return a shape with the length -1 inferred."""
    if None in target or list(target).count(-1) > 1 or any(n is not None and n < -1 for n in target):
        raise call.unsupported(f"shape {shown(list(target))}", "The number of samples first, or one length -1")
    known = math.prod(n for n in target if n is not None and n != -1)
    shape = tuple((size // known if known else 0) if n == -1 else int(n or 0) for n in target)
    if math.prod(shape) != size:
        raise call.damaged(f"shape {shown(list(target))} for {size} elements", f"A product of {size}")
    return shape


def _flatten(call: Call) -> Value:
    x, axis = call.value(0), call.integer("axis", 1)
    rank = x.rank if isinstance(x, Tensor) else x.ndim
    if not -rank <= axis <= rank:
        raise call.damaged(f"axis {axis} of {rank}", f"{-rank} to {rank}")
    axis = axis + rank if axis < 0 else axis
    if not isinstance(x, Tensor):
        return x.reshape(math.prod(x.shape[:axis]), -1)
    kept = math.prod(x.shape[: axis - x.lead]) if axis >= x.lead else 0
    if x.lead and axis and kept == 1:
        return Tensor(x.place, (x.size,))
    if x.lead and not call.single:
        raise call.batch()
    rows = max(kept, 1)
    return Tensor(x.place, (rows, x.size // rows), 0)


def _concat(call: Call) -> Value:
    values = [v for v in call.arguments if v is not None]
    axis = call.integer("axis", 1 if call.opset < 4 else None)
    if not values:
        raise call.damaged("no inputs", "At least one")
    if all(isinstance(v, np.ndarray) for v in values):
        return _concatenated(call, [np.asarray(v) for v in values], axis)
    tensors = _with_batch(call, values)
    sizes = itertools.accumulate((x.size for x in tensors[:-1]), initial=0)
    numbers = [x.positions + start for x, start in zip(tensors, sizes, strict=True)]
    _axis(call, axis, numbers[0], tensors[0].lead)
    return call.selected(call.joined(tensors), _concatenated(call, numbers, axis), tensors[0].lead)


def _concatenated(call: Call, arrays: list[np.ndarray], axis: int) -> np.ndarray:
    if len({a.ndim for a in arrays}) > 1 or not arrays[0].ndim:
        raise call.damaged(f"shapes {shown([a.shape for a in arrays])}", "Equal numbers of axes, at least one")
    call.axis(axis, arrays[0].ndim)
    call.sized((sum(a.size for a in arrays),))
    return np.concatenate(arrays, axis)


def _with_batch(call: Call, values: Sequence[Value]) -> list[Tensor]:
    """Return all values as tensors; a constant must have a batch axis of length 1 where the model has."""
    lead = max(v.lead for v in values if isinstance(v, Tensor))
    result = []
    for value in values:
        x = value if isinstance(value, Tensor) else call.promoted(value)
        if x.lead < lead:
            if not call.single or x.shape[:1] != (1,):
                raise call.batch()
            x = Tensor(x.place, x.shape[1:], 1)
        result.append(x)
    return result


def _split(call: Call) -> list[Value]:
    x = call.value(0)
    numbers = x.positions if isinstance(x, Tensor) else x
    axis = _axis(call, call.integer("axis", 0), numbers, x.lead if isinstance(x, Tensor) else 0)
    length = numbers.shape[axis]
    parts = call.integers(1, "split") or _equal_parts(call, length)
    if len(parts) != call.places:
        raise call.damaged(f"{len(parts)} parts", f"{call.places}, as many as outputs,")
    if sum(parts) != length or min(parts) < 0:
        raise call.damaged(f"parts {shown(parts)} of {length}", f"Lengths that add up to {length}")
    pieces = np.split(numbers, list(itertools.accumulate(parts[:-1])), axis)
    return [call.selected(x, piece) if isinstance(x, Tensor) else piece for piece in pieces]


def _equal_parts(call: Call, length: int) -> list[int]:
    """Return lengths of equal parts; the last may be shorter from opset 18 on, which says how many there are."""
    count = call.integer("num_outputs", call.places if call.opset < 18 else 0)
    if not 0 < count <= length or (call.opset < 18 and length % count):
        raise call.damaged(f"{count} equal parts of {length}", f"1 to {length}, which divide it before opset 18,")
    size = -(-length // count)
    return [max(0, min(size, length - i * size)) for i in range(count)]


def _expand(call: Call) -> Value:
    x, target = call.value(0), call.constant(1)
    if target is None:
        raise call.damaged("no shape", "A shape")
    lengths = target.ravel().tolist()
    if isinstance(x, Tensor):
        return _expanded(call, x, lengths)
    if lengths[:1] == [None] and None not in lengths[1:]:
        spread = np.broadcast_to(x, call.sized(np.broadcast_shapes(x.shape, (1, *lengths[1:]))))
        return Tensor(call.promoted(spread).place, spread.shape[1:], 1) if spread.shape[0] == 1 else _nothing(call)
    return np.broadcast_to(x, call.sized(np.broadcast_shapes(x.shape, _filled(call, lengths, math.prod(lengths)))))


def _nothing(call: Call) -> Value:
    raise call.batch()


def _expanded(call: Call, x: Tensor, given: list[int | None]) -> Value:
    """Return a tensor repeated along its axes."""
    lengths: list[int | None] = [*[1] * (x.rank - len(given)), *given]
    if len(lengths) != x.rank or (x.lead and lengths[0] not in (None, 1)) or None in lengths[x.lead :]:
        raise call.batch()
    shape = call.sized(np.broadcast_shapes((1,) * x.lead + x.shape, [n or 1 for n in lengths]))
    return call.selected(x, np.broadcast_to(x.positions, shape))


_PADDINGS: Mapping[str, int] = {"constant": 2, "reflect": 2, "edge": 2, "wrap": 19}
"""How to pad -> first opset that has it."""


def _pad(call: Call) -> Value:
    """Surround each sample with a constant."""
    x, mode = call.tensor(), call.attributes.get("mode", "constant")
    if call.opset < _PADDINGS.get(mode, sys.maxsize):
        raise call.damaged(
            f"mode = {shown(mode)}", ", ".join(m for m, since in _PADDINGS.items() if since <= call.opset)
        )
    widths = _widths(call, x)
    if mode != "constant":
        return call.selected(x, np.pad(x.positions, widths, mode=mode))
    fill = call.constant(2) if call.opset >= 11 else np.array(call.number("value", 0.0), call.dtype)
    fill = np.zeros(1, call.dtype) if fill is None else fill.reshape(1)
    both = call.joined([x, call.promoted(fill)])
    return call.selected(both, np.pad(x.positions, widths, constant_values=x.size), x.lead)


def _widths(call: Call, x: Tensor) -> list[tuple[int, int]]:
    pads, axes = call.integers(1, "pads") or [], call.integers(3, "axes") or range(x.rank)
    if len(pads) != 2 * len(axes):
        raise call.damaged(f"{len(pads)} pads for {len(axes)} axes", "Two for each")
    widths = [(0, 0)] * x.rank
    for axis, before, after in zip(axes, pads, pads[len(axes) :], strict=False):
        widths[call.axis(axis, x.rank)] = (before, after)
    if min(min(w) for w in widths) < 0 or (x.lead and widths[0] != (0, 0)):
        raise call.unsupported(f"pads {shown(pads)}", "Numbers from 0 up, and 0 on the batch axis")
    call.sized([n + a + b for n, (a, b) in zip(x.positions.shape, widths, strict=True)])
    return widths


# Constants --------------------------------------------------------------------------------------------------------

_CONSTANTS: Mapping[str, type | None] = {
    "value": None,
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}


def _constant(call: Call) -> np.ndarray:
    for name, dtype in _CONSTANTS.items():
        if name in call.attributes:
            return np.asarray(call.attributes[name], dtype)
    raise call.unsupported(f"attributes {shown(sorted(call.attributes))}", "A tensor or numbers")


def _constant_of_shape(call: Call) -> Value:
    lengths = call.constant(0)
    value = np.asarray(call.attributes.get("value", np.zeros(1, np.float32))).reshape(-1)[:1]
    if lengths is None or not value.size:
        raise call.damaged("no shape or value", "Both")
    shape = lengths.ravel().tolist()
    if shape[:1] == [None]:
        filled = np.broadcast_to(value, call.sized(_filled(call, shape[1:], math.prod(n or 0 for n in shape[1:]))))
        return Tensor(call.promoted(filled).place, filled.shape, 1)
    return np.broadcast_to(value, call.sized(_filled(call, shape, math.prod(n or 0 for n in shape))))


def _shape(call: Call) -> np.ndarray:
    """Return the lengths of the axes; the number of samples is None."""
    x = call.value(0)
    lengths: list[Any] = [*(None,) * x.lead, *x.shape] if isinstance(x, Tensor) else list(x.shape)
    cut = slice(call.integer("start", 0), call.attributes.get("end"))
    return _tidy(np.array(lengths, object)[cut])


def _tidy(lengths: np.ndarray) -> np.ndarray:
    """Return lengths as integers where all are known; other arrays as they are."""
    settled = lengths.dtype != object or any(n is None for n in lengths.ravel())
    return lengths if settled else lengths.astype(np.int64)


def _cast(call: Call) -> Value:
    """Round a constant; what depends on the input stays, and may not become narrower than the input."""
    x, kind = call.value(0), call.integer("to")
    if kind not in _TYPES:
        raise call.unsupported(f"a cast to data type {kind}", "Floating numbers, or integers of constants")
    name, narrow = _TYPES[kind]
    if isinstance(x, np.ndarray) and x.dtype != object:
        return narrow(x) if narrow else x.astype(name)
    fits = all(kind in _HOLDS[k] for k in call.kinds) if isinstance(x, Tensor) else "int" in name
    if not fits:
        raise call.unsupported(f"a cast to {name}", "A type that holds every number of the input")
    return x


def _half(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float16).astype(np.float32)


def _brain(x: np.ndarray) -> np.ndarray:
    """Round to the upper 16 bits of float32, to even on a tie; NaN and infinities stay."""
    wide = np.array(x, np.float32, ndmin=1)
    bits = wide.view(np.uint32)
    rounded = (bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))) & np.uint32(0xFFFF0000)
    return np.where(np.isfinite(wide), rounded.view(np.float32), wide).reshape(x.shape)


# Data types by number: name, and how constants are rounded to a type that is kept as float32.
_TYPES: Mapping[int, tuple[str, Callable[[np.ndarray], np.ndarray] | None]] = {
    1: ("float32", None), 11: ("float64", None), 10: ("float16", _half), 16: ("bfloat16", _brain),
    6: ("int32", None), 7: ("int64", None), 12: ("uint32", None), 13: ("uint64", None),
}  # fmt: skip
# Data type -> those that hold all of its numbers.
_HOLDS: Mapping[int, frozenset[int]] = {
    1: frozenset({1, 11}), 11: frozenset({11}), 10: frozenset({10, 1, 11}), 16: frozenset({16, 1, 11}),
}  # fmt: skip


def _range(call: Call) -> np.ndarray:
    start, stop, step = (call.constant(i) for i in range(3))
    if any(a is None or a.size != 1 or a.dtype.kind != "i" for a in (start, stop, step)):
        raise call.unsupported("a range that is not of constant integers", "Constant integers")
    first, last, by = (int(a.item()) for a in (start, stop, step) if a is not None)
    if not by:
        raise call.damaged("step 0", "Another step")
    call.sized((len(range(first, last, by)),))
    return np.arange(first, last, by)


def _dropout(call: Call) -> Value:
    training = call.constant(2)
    if training is not None and training.any():
        raise call.unsupported("training_mode = true", "Inference")
    if call.outputs > 1:
        raise call.unsupported("use of the mask", "One output")
    return call.value(0)


WIRING: Mapping[str, Handler] = {
    "Cast": _cast,
    "Concat": _concat,
    "Constant": _constant,
    "ConstantOfShape": _constant_of_shape,
    "Dropout": _dropout,
    "Expand": _expand,
    "Flatten": _flatten,
    "Gather": _wired(_gather),
    "Identity": lambda call: call.value(0),
    "Pad": _pad,
    "Range": _range,
    "Reshape": _reshape,
    "Shape": _shape,
    "Slice": _wired(_slice),
    "Split": _split,
    "Squeeze": _squeeze,
    "Transpose": _wired(_transpose),
    "Unsqueeze": _wired(_unsqueeze),
}
