"""An independent proof of certificates, which needs python-flint alone: ``python checker.py FILE [SECONDS]``.

A file holds networks g and f as exact numbers, and claims |g - f| <= bounds on a box, proven again by Taylor models
(Berz and Makino, Reliable Computing 4, 1998): on a part of the box every value is a polynomial in t, -1 <= t <= 1, with
balls as coefficients; what is cut off, and what |z| is off from a chord, are variables. Other parts are halved. An
execution is g with something added behind each step: it is off by the sum of sup |dg/d(added)| times the most that is
added (Higham, "Accuracy and stability of numerical algorithms", 2002, chapter 3), all values widened by it.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import math
import operator
import struct
import sys
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import flint
from flint import arb, arb_series

__all__ = ["BENT", "FUNCTIONS", "Verdict", "check", "network_of"]

BITS, TINY, FIELD, VARIABLES = 160, arb(2) ** -110, 5, 64  # bits of an exponent; how many variables may have them
ODD, ZERO, ONE, UNIT, HALF = sum(1 << FIELD * i for i in range(VARIABLES)), arb(0), arb(1), arb(0, 1), arb(0.5, 0.5)
FORMATS = {"float64": (53, -1074, 1024), "float32": (24, -149, 128)}  # digits, smallest and largest exponent
Model = tuple[list[dict[int, Any]], dict[Any, Any]]  # by degree, packed exponents -> ball; variable -> what is cut off


class Verdict(NamedTuple):
    """What became of a claim: "verified", "refuted", or "not decided"; what is known of |g - f|; on how many parts."""

    claim: str
    state: str
    found: str
    boxes: int = 0


FUNCTIONS: dict[str, Callable[[Any], Any]] = {
    "identity": lambda z: z, "square": lambda z: z * z, "reciprocal": lambda z: 1 / z,
    "sigmoid": lambda z: 1 / (1 + (-z).exp()), "tanh": lambda z: 1 - 2 / (1 + (2 * z).exp()),
    "softplus": lambda z: (1 + z.exp()).log(), "gelu": lambda z: z * (-z / arb(2).sqrt()).erfc() / 2,
    "gelu_tanh": lambda z: z / (1 + (-(8 / arb.pi()).sqrt() * (z + arb(44715) / 1000000 * z * z * z)).exp()),
    "silu": lambda z: z / (1 + (-z).exp()),
} | {name: operator.methodcaller(name) for name in ("sin", "cos", "exp", "log", "sqrt", "erf")}  # fmt: skip
BENT: dict[str, Callable[[Any], tuple[Any, Any]]] = {"relu": lambda p: (ONE / 2, ONE / 2), "abs": lambda p: (ZERO, ONE)}
BENT |= dict.fromkeys(("leaky_relu", "prelu"), lambda p: ((1 + p["slope"]) / 2, (1 - p["slope"]) / 2))  # a z + b |z|


def series(name: str, order: int, z: Any, length: int) -> list[Any]:
    """Return Taylor coefficients at a ball of the derivative of some order of a function."""
    flint.ctx.cap = length + order  # of series, as arithmetic cuts them
    try:
        found = FUNCTIONS[name](arb_series([z, 1], prec=length + order))
    except ValueError:  # a divisor that may be 0
        return [arb("nan")] * length
    for _ in range(order):
        found = found.derivative()
    return [found[k] for k in range(length)]


def image(model: Model) -> Any:
    """Return a ball that contains all values; a monomial of even exponents lies in [0, 1]."""
    terms = ((UNIT if key & ODD else HALF) * v for part in model[0][1:] for key, v in part.items())
    return sum(terms, model[0][0].get(0, ZERO)) + UNIT * sum(map(abs, model[1].values()), ZERO)


def linear(weights: Sequence[Any], models: Sequence[Model], bias: Any = ZERO) -> Model:
    """Return the sum of weights times models, and a bias."""
    result: Model = [{0: bias}, *({} for _ in range(max((len(m[0]) for m in models), default=1) - 1))], {}
    for weight, model in zip(weights, models, strict=True):
        for terms, into in zip([*model[0], model[1]], [*result[0][: len(model[0])], result[1]], strict=True):
            for key, value in terms.items():
                into[key] = into.get(key, ZERO) + weight * value
    return result


def product(first: Model, second: Model, degree: int) -> Model:
    """Return the product up to a degree, and up to degree 1 of what was cut off before; the rest is bounded."""
    result: list[dict[Any, Any]] = [{} for _ in range(min(len(first[0]) + len(second[0]) - 1, degree + 1))]
    ours, theirs = ([sum(map(abs, t.values()), ZERO) for t in [*m[0], m[1]]] for m in (first, second))
    for i, left in enumerate(first[0]):
        for right, into in zip(second[0], result[i:], strict=False):
            for a, u in left.items():
                for b, v in right.items():
                    into[a + b] = into.get(a + b, ZERO) + u * v
    cut = sum((u * sum(theirs[degree + 1 - i : -1], ZERO) for i, u in enumerate(ours[:-1])), ZERO)
    cut += ours[-1] * sum(theirs[1:], ZERO) + theirs[-1] * sum(ours[1:-1], ZERO)
    faint = linear([first[0][0][0], second[0][0][0]], [([{}], second[1]), ([{}], first[1])])[1]
    return linear([ONE], [(result, faint)], UNIT * cut)


class Part:
    """A part of the box, on which networks are evaluated."""

    def __init__(self, low: Sequence[Fraction], high: Sequence[Fraction]) -> None:
        self.degree = max(4, 14 - 3 * len(low))
        self.known: dict[Any, Any] = {}  # by exact arguments: values of functions, and variables for absolute values
        pairs = [(number((a + b) / 2), number((b - a) / 2)) for a, b in zip(low, high, strict=True)]
        self.inputs: list[Model] = [([{0: m}, {1 << FIELD * i: r}], {}) for i, (m, r) in enumerate(pairs)]

    def run(self, network: dict[str, Any]) -> list[Model]:
        """Return all values."""
        values = list(self.inputs)
        for kind, of, data in network["values"]:
            given = [values[i] for i in of]
            if kind == "sum":
                values.append(linear(data[0], given, data[1]))
            elif kind == "product":
                values.append(product(given[0], given[1], self.degree))
            elif data[0] in BENT and not data[1]:
                values.append(linear(BENT[data[0]](data[2]), [*given, self.absolute(given[0])]))
            else:
                values.append(self.smooth(data[0], data[1], given[0]))
        return values

    def smooth(self, name: str, order: int, model: Model) -> Model:
        """Return a function of a model: its Taylor polynomial at the middle, the remainder by Lagrange."""
        key = name, order, exact(model, ONE)
        if key in self.known and key[2] is not None:
            return self.known[key]  # type: ignore[no-any-return]
        wide, middle = image(model), model[0][0][0].mid()
        bounds, reach = series(name, order, wide, self.degree + 2), wide - middle
        rests = [b * math.prod([reach] * k, start=ONE) for k, b in enumerate(bounds)][1:]
        last = next((k for k, rest in enumerate(rests) if abs(rest) < TINY), self.degree)
        *factors, highest = series(name, order, middle, last + 1)
        result, moved = linear([], [], highest), linear([ONE], [model], -middle)
        for factor in reversed(factors):
            result = linear([ONE], [product(result, moved, self.degree)], factor)
        self.known[key] = linear([ONE, rests[last].rad()], [result, ([{}], {object(): ONE})], rests[last].mid())
        return self.known[key]  # type: ignore[no-any-return]

    def absolute(self, model: Model) -> Model:
        """Return |z|: z, -z, or a chord and a variable of its own, one for the same exact z and -z."""
        wide = image(model)
        if wide >= 0 or wide <= 0:
            return linear([ONE if wide >= 0 else -ONE], [model])
        low, high = -wide.lower(), wide.upper()
        depth, keys = low * high / (low + high), [exact(model, ONE), exact(model, -ONE)]
        key = len(self.known) if None in keys else min(keys)
        place = self.known.setdefault(key, len(self.known) + len(self.inputs))
        variable: Model = ([{}, {1 << FIELD * place: ONE}], {}) if place < VARIABLES else ([{}], {-place: ONE})
        return linear([(high - low) / (low + high), depth], [model, variable], depth)


def exact(model: Model, sign: Any) -> Any:
    """Return what tells z, or -z, from others where all numbers are exact; else None."""
    items = [(k, sign * v) for terms in model[0] for k, v in sorted(terms.items()) if not v.is_zero()]
    if model[1] or not all(v.is_exact() for _, v in items):
        return None
    return tuple((k, *map(int, v.man_exp())) for k, v in items)


def rounding(network: dict[str, Any], models: list[Model], execution: dict[str, Any]) -> list[Any]:
    """Return how far executions may be off, for each output."""
    digits, least, most = FORMATS[execution["dtype"]]
    unit, small, count = arb(2) ** -digits, arb(2) ** least, network["inputs"]
    values, off, added = [image(z) for z in models[:count]], [ZERO] * count, [ZERO] * count
    slopes: list[Any] = [()] * count
    for (kind, of, data), model in zip(network["values"], models[count:], strict=True):
        factors, size, relative, absolute = moves(kind, data, [values[i] for i in of], unit, execution["ulps"])
        added.append((relative * size + absolute * small).upper())
        off.append((added[-1] + sum((abs(s) * off[i] for s, i in zip(factors, of, strict=True)), ZERO)).upper())
        slopes.append(factors)
        values.append(image(model) + UNIT * off[-1])
        if not size + off[-1] < arb(2) ** (most - 1):
            return [arb("inf")] * len(network["outputs"])
    totals = []
    for output in network["outputs"]:  # derivatives of it, backwards
        factors = [ONE if i == output else ZERO for i in range(len(added))]
        for place in range(len(added) - 1, count - 1, -1):
            for i, slope in zip(network["values"][place - count][1], slopes[place], strict=True):
                factors[i] = factors[i] + slope * factors[place]
        totals.append(sum((abs(f) * e for f, e in zip(factors, added, strict=True)), ZERO).upper())
    return totals


def moves(kind: str, data: Any, given: list[Any], unit: Any, ulps: int) -> tuple[Any, Any, Any, int]:
    """Return the derivatives of a step, a size, which part of it is rounded at most, and how many smallest numbers."""
    if kind == "sum":
        terms = len(given) + (not data[1].is_zero())
        size = sum((abs(w * v) for w, v in zip(data[0], given, strict=True)), abs(data[1]))
        return data[0], size, terms * unit / (1 - terms * unit), terms
    if kind == "product":
        return given[::-1], abs(given[0] * given[1]), unit, 1
    (name, order, parameters), (z,) = data, given
    if name in BENT:
        a, b = BENT[name](parameters)
        value, slope = a * z + b * abs(z), a + b * (ONE if z > 0 else -ONE if z < 0 else UNIT)
    else:
        value, slope = series(name, order, z, 2)
    return [slope], abs(value), 2 * ulps * unit, ulps


def distances(document: dict[str, Any], execution: Any, low: Any, high: Any) -> list[tuple[Any, Any]]:
    """Return what |g - f| is on a part of the box, and how far executions of g may be off."""
    part, (g, f) = Part(low, high), (document["network"], document["reference"])
    ours, theirs = part.run(g), part.run(f)
    pairs = zip(g["outputs"], f["outputs"], strict=True)
    apart = [abs(image(linear([ONE, -ONE], [ours[i], theirs[j]]))) for i, j in pairs]
    return list(zip(apart, rounding(g, ours, execution) if execution else [ZERO] * len(apart), strict=True))


def prove(document: dict[str, Any], claim: dict[str, Any], seconds: float) -> Verdict:
    """Return what becomes of a claim: parts of the box are halved, the worst first, until it holds on all."""
    name = f"executions in {claim['execution']['dtype']}" if claim["execution"] else "real numbers"
    end, count, most, waiting = time.monotonic() + seconds, 0, 0.0, list[Any]()
    parts, worst = [(claim["low"], claim["high"])], -math.inf
    while time.monotonic() < end:
        for low, high in parts:
            count += 1
            above = [(d + e).upper() for d, e in distances(document, claim["execution"], low, high)]
            reached = float(max(above)) * (1 + 2**-50) if all(a.is_finite() for a in above) else math.inf
            if all(a <= b for a, b in zip(above, claim["bounds"], strict=True)):
                most = max(most, reached)
            elif point := violation(document, claim, [(a + b) / 2 for a, b in zip(low, high, strict=True)]):
                return Verdict(name, "refuted", f"at {point}", count)
            else:
                heapq.heappush(waiting, (-reached, count, low, high))
        if not waiting:
            return Verdict(name, "verified", f"|g - f| <= {most:.6g}", count)
        worst, _, low, high = heapq.heappop(waiting)
        shares = [(b - a) / (d - c or 1) for a, b, c, d in zip(low, high, claim["low"], claim["high"], strict=True)]
        middle = [(low[i := shares.index(max(shares))] + high[i]) / 2]
        parts = [(low, high[:i] + middle + high[i + 1 :]), (low[:i] + middle + low[i + 1 :], high)]
    return Verdict(name, "not decided", f"|g - f| <= {-worst:.6g}", count)


def violation(document: dict[str, Any], claim: dict[str, Any], middle: list[Fraction]) -> tuple[float, ...] | None:
    """Return a point, of numbers of the dtype, if the claim is wrong there whatever is rounded."""
    code = ("f" if claim["execution"] and claim["execution"]["dtype"] == "float32" else "d") * len(middle)
    point = struct.unpack(code, struct.pack(code, *map(float, middle)))
    at = [Fraction(p) for p in point]
    inside = all(a <= p <= b for a, p, b in zip(claim["low"], at, claim["high"], strict=True))
    pairs = zip(distances(document, claim["execution"], at, at), claim["bounds"], strict=True)
    return point if inside and any(d - e > b for (d, e), b in pairs) else None


def number(value: Fraction | str) -> Any:
    """Return a ball around a number, of radius 0 where it has few bits; texts are hexadecimal or p/q."""
    exactly = Fraction(float.fromhex(value) if isinstance(value, str) and "x" in value else value)
    return arb(flint.fmpq(exactly.numerator, exactly.denominator))


def network_of(section: dict[str, Any]) -> dict[str, Any]:
    """Return a network with balls for numbers, if its hash is that of its content."""
    content = {key: section[key] for key in ("inputs", "values", "outputs")}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    if hashlib.sha256(text.encode()).hexdigest() != section["sha256"]:
        raise ValueError("a network is not the one of its hash")
    values: list[tuple[str, list[int], Any]] = []
    for place, value in enumerate(content["values"], content["inputs"]):
        if not all(0 <= i < place for i in value["of"]):
            raise ValueError(f"value {place} is not made of earlier ones")
        (kind,) = {"sum", "product", "function"} & value.keys()
        data: Any = ([number(w) for w in value["sum"]], number(value["bias"])) if kind == "sum" else ()
        if kind == "function":
            data = value["function"], value["order"], {k: number(v) for k, v in value["parameters"].items()}
        values.append((kind, value["of"], data))
    return content | {"values": values}


def fits(network: dict[str, Any], dtype: str, ulps: int) -> bool:
    """Return whether executions of a network are spoken of: its numbers are of the dtype, as many bits and so large."""
    digits, least, most = FORMATS[dtype]
    factors = [w.man_exp() for kind, _, data in network["values"] if kind == "sum" for w in (*data[0], data[1])]
    spans = [(e + (n := int(m)).bit_length(), n.bit_length(), int(e)) for m, e in factors]
    return type(ulps) is int and ulps >= 0 and all(n <= digits and e >= least and top <= most for top, n, e in spans)


def check(text: str, seconds: float = 60.0) -> list[Verdict]:
    """Return what becomes of each claim of a certificate within some seconds for each."""
    document, verdicts = json.loads(text), []
    if (document["format"], document["version"]) != ("neuralgebra certificate", 1):
        raise ValueError("no certificate of version 1")
    with flint.ctx.workprec(BITS):
        networks = {name: network_of(document[name]) for name in ("network", "reference")}
        for claim in document["certificates"]:
            low, high = ([Fraction(float.fromhex(v)) for v in claim["box"][end]] for end in ("low", "high"))
            if {len(low), len(high)} != {n["inputs"] for n in networks.values()} or len(low) > VARIABLES:
                raise ValueError("a box of as many ranges as inputs, at most 64, expected")
            bounds, sizes = [number(b) for b in claim["bounds"]], {len(n["outputs"]) for n in networks.values()}
            fair = sizes == {len(bounds) or -1} and all(a <= b for a, b in zip(low, high, strict=True))
            if not fair or (claim["execution"] and not fits(networks["network"], **claim["execution"])):
                raise ValueError("a box, a bound for each output, executions in numbers of their dtype expected")
            verdicts.append(prove(networks, claim | {"low": low, "high": high, "bounds": bounds}, seconds))
    return verdicts


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        VERDICTS = check(file.read(), *map(float, sys.argv[2:3]))
    print(*(f"{v.claim}: {v.state}, {v.found} ({v.boxes} parts)" for v in VERDICTS), sep="\n")
    sys.exit(0 if all(v.state == "verified" for v in VERDICTS) else 5)
