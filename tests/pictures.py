"""What tests ask of pictures: their elements, read by an XML parser, and whether texts run into each other."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ET

import numpy as np

import neuralgebra as na
from neuralgebra.show.lettering import text_of, width
from neuralgebra.show.scene import Group, Text

SVG = "{http://www.w3.org/2000/svg}"


def chain(*sizes, activation="tanh", bias=True, seed=0, **options):
    """Return a chain with random weights, none of them zero."""
    random = np.random.default_rng(seed)
    pairs = [
        (random.uniform(0.5, 1, (b, a)), random.normal(size=b) if bias else None) for a, b in itertools.pairwise(sizes)
    ]
    return na.Network.from_layers(pairs, activation, **options)


def read(svg):
    """Return the root of an SVG."""
    return ET.fromstring(svg)


def groups(svg, kind):
    """Return the groups of a kind."""
    return [g for g in read(svg).iter(f"{SVG}g") if g.get("class") == kind]


def lines(svg, kind):
    """Return the lines in groups of a kind."""
    return [line for g in groups(svg, kind) for line in g.iter(f"{SVG}line")]


def texts(svg):
    """Return the letters of each text."""
    return ["".join(t.itertext()) for t in read(svg).iter(f"{SVG}text")]


def parts_of(parts, kind):
    """Yield groups of a kind, wherever they are."""
    for part in parts:
        if isinstance(part, Group):
            if part.kind == kind:
                yield part
            yield from parts_of(part.parts, kind)


def extent(text):
    """Return the rectangle that a text covers, a little less than all of it."""
    long = width(text.label, text.size)
    start = {"start": 0.0, "middle": -0.5, "end": -1.0}[text.anchor] * long
    x, y = text.at
    if not text.upright:
        return x - 0.7 * text.size, y - start - long, x, y - start
    return x + start, y - 0.7 * text.size, x + start + long, y


def collisions(scene):
    """Return the pairs of texts that overlap."""
    found = [(text_of(t.label), extent(t)) for t in scene.flat() if isinstance(t, Text)]
    return [
        (a, b)
        for (a, (l1, t1, r1, b1)), (b, (l2, t2, r2, b2)) in itertools.combinations(found, 2)
        if min(r1, r2) - max(l1, l2) > 0.5 and min(b1, b2) - max(t1, t2) > 0.5
    ]


def outside(scene):
    """Return the texts that are not wholly in the picture."""
    found = [(text_of(t.label), extent(t)) for t in scene.flat() if isinstance(t, Text)]
    return [name for name, (a, b, c, d) in found if a < 0 or b < 0 or c > scene.width or d > scene.height]
