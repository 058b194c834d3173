"""Polynomials are a commutative ring with a derivation."""

import math
import pickle
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuralgebra.functions.polynomial import Polynomial, variables

NAMES = ("z", "a", "b")
coefficients = st.fractions(-9, 9, max_denominator=6)
monomials = st.dictionaries(st.sampled_from(NAMES), st.integers(1, 3)).map(lambda m: tuple(sorted(m.items())))
polynomials = st.dictionaries(monomials, coefficients, max_size=4).map(Polynomial)
scalars = st.integers(-3, 3) | coefficients
ZERO, ONE = Polynomial({}), Polynomial({(): 1})
z, a, b = variables("z a b")
SLOPES = {"z": ONE, "a": a * b + z, "b": 1 - b * b}


def at(p: Polynomial, point: dict[str, Fraction]) -> Fraction:
    return sum((c * math.prod((point[n] ** e for n, e in m), start=Fraction(1)) for m, c in p), start=Fraction(0))


def derivative(p: Polynomial) -> Polynomial:
    return p.derivative(SLOPES.__getitem__)


@given(polynomials, polynomials, polynomials)
def test_ring_laws(p: Polynomial, q: Polynomial, r: Polynomial) -> None:
    assert p + q == q + p
    assert p * q == q * p
    assert (p + q) + r == p + (q + r)
    assert (p * q) * r == p * (q * r)
    assert p * (q + r) == p * q + p * r
    assert p + ZERO == p == p * ONE
    assert p - p == ZERO == p * ZERO
    assert not p - p


@given(polynomials, polynomials, st.fixed_dictionaries(dict.fromkeys(NAMES, coefficients)), scalars)
def test_arithmetic_is_that_of_the_values(p: Polynomial, q: Polynomial, point: dict, number: Fraction) -> None:
    assert at(p + q, point) == at(p, point) + at(q, point)
    assert at(p * q, point) == at(p, point) * at(q, point)
    assert at(number - p, point) == number - at(p, point)
    assert at(number * p + number, point) == number * at(p, point) + number
    assert at(p / 3, point) == at(p, point) / 3
    assert at(p**3, point) == at(p, point) ** 3


@given(polynomials, polynomials)
def test_derivation(p: Polynomial, q: Polynomial) -> None:
    assert derivative(p + q) == derivative(p) + derivative(q)
    assert derivative(p * q) == derivative(p) * q + p * derivative(q)


@given(polynomials)
def test_equal_polynomials_have_equal_hashes(p: Polynomial) -> None:
    other = Polynomial(dict(reversed(p.terms.items())))
    assert other == p
    assert hash(other) == hash(p)


def test_a_hash_stays_in_its_process() -> None:
    """Texts hash otherwise in another one, where a hash that came along would hide the polynomial from tables."""
    p = z**2 * a + 1
    assert hash(p) == hash(p)
    again = pickle.loads(pickle.dumps(p))
    assert again == p
    assert "_hash" in vars(p)
    assert "_hash" not in vars(again)


def test_known_derivative() -> None:
    assert derivative(z**3 * b) == 3 * z**2 * b + z**3 - z**3 * b**2
    assert derivative(Polynomial({(): 7})) == ZERO


@pytest.mark.parametrize(
    ("p", "text"), [(ZERO, "0"), (ONE, "1"), (2 * z * z - a / 2 + 3, "3 + -1/2*a + 2*z^2"), (a * z, "a*z")], ids=str
)
def test_repr(p: Polynomial, text: str) -> None:
    assert repr(p) == text
