"""What numbers go in and come out: complex where the mathematics allows, half precision when asked."""

from __future__ import annotations

import jax
import numpy as np
import pytest
import torch

import neuralgebra as na

jax.config.update("jax_enable_x64", True)

SMOOTH = [
    name
    for name, row in na.activations().items()
    if not row.kinks and not row.fingerprint and name != "cbrt"  # the real root is no analytic function at negative z
]
KINKED = [name for name, row in na.activations().items() if row.kinks and not row.fingerprint]
STEP = 1e-40  # of the complex step: no cancellation, so it can be as small as one likes


@pytest.mark.parametrize("name", SMOOTH)
def test_complex_step_gives_the_derivatives(name):
    low, high = na.activations()[name].domain
    x = np.array([v for v in (0.1, 0.3, 0.7, -0.4, 2.5) if low < v < high])[:, None]
    f = na.Network.function(name)
    np.testing.assert_allclose(f(x + 1j * STEP).imag / STEP, f.jacobian(x)[..., 0], rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(f.jacobian(x + 1j * STEP).imag / STEP, f.hessian(x)[..., 0], rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", KINKED)
def test_functions_in_pieces_refuse_complex_input(name):
    with pytest.raises(na.errors.DtypeError, match="compared"):
        na.Network.function(name).jacobian(np.array([1 + 1j]))


def network() -> na.Network:
    rng = np.random.default_rng(0)
    sizes = ((5, 3), (4, 5), (3, 4))
    return na.Network.from_layers([(rng.normal(size=s), rng.normal(size=s[0])) for s in sizes], "tanh", "softmax")


@pytest.mark.parametrize("library", [np.asarray, torch.tensor, jax.numpy.asarray])
def test_every_question_along_a_complex_direction(library):
    f, rng = network(), np.random.default_rng(1)
    x, v = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    z = library(x + 1j * STEP * v)
    along = np.einsum("nijk,nk->nij", f.hessian(x), v)
    np.testing.assert_allclose(np.asarray(f.jacobian(z)).imag / STEP, along, rtol=1e-12, atol=1e-14)
    third = f.taylor(x, v, 3)[3]
    np.testing.assert_allclose(
        np.asarray(f.taylor(z, library(v + 0j), 2))[2].imag / STEP, third, rtol=1e-12, atol=1e-13
    )
    derivatives = f.derivatives(x, 5)
    changes = {
        f.hessian: np.einsum("nijkl,nl->nijk", derivatives[3], v),
        f.hessian_diagonal: np.einsum("nijjl,nl->nij", derivatives[3], v),
        f.laplacian: np.einsum("nijjl,nl->ni", derivatives[3], v),
        f.biharmonic: np.einsum("nijjkkl,nl->ni", derivatives[5], v),
    }
    for question, change in changes.items():
        found = question(z)
        assert "complex128" in str(found.dtype)
        np.testing.assert_allclose(np.asarray(found).real, question(x), rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(np.asarray(found).imag / STEP, change, rtol=1e-11, atol=1e-12)


def test_complex_single_precision_stays():
    single = na.Network.from_layers([(np.ones((2, 2), np.float32), None)], output="tanh")
    assert single.jacobian(np.ones(2, np.complex64)).dtype == np.complex64
    assert network()([1j, 0, 0]).dtype == np.complex128


@pytest.mark.parametrize(
    ("x", "name", "digits"),
    [(np.ones(3, np.float16), "float16", 3), (torch.ones(3, dtype=torch.bfloat16), "bfloat16", 2)],
)
def test_half_precision_is_refused_with_the_reason_or_computed_in_single_when_asked(x, name, digits):
    f = network()
    with pytest.raises(na.errors.DtypeError, match=f'{name} received: it holds {digits} digits.*\n.*dtype="float32"'):
        f.hessian(x)
    found = f.hessian(x, dtype="float32")
    assert str(found.dtype).endswith("float32")
    np.testing.assert_allclose(np.asarray(found), f.hessian(np.ones(3)), atol=1e-5)


@pytest.mark.parametrize(
    "question",
    ["__call__", "jacobian", "hessian", "derivatives", "hessian_diagonal", "laplacian", "biharmonic"],
)
def test_every_question_computes_in_the_dtype_asked_for(question):
    found = getattr(network(), question)(np.ones(3, np.float16), dtype="float64")
    found = found[-1] if isinstance(found, list) else found
    assert found.dtype == np.float64


def test_products_compute_in_the_dtype_asked_for():
    f, x = network(), np.ones(3, np.float16)
    ones = [1.0, 1.0, 1.0]
    results = [
        f.jvp(x, ones, dtype="float32"),
        f.vjp(x, ones, dtype="float32"),
        f.hvp(x, ones, dtype="float32"),
        f.taylor(x, ones, 3, dtype="float32"),
        f.derivative(x, (1, 1, 0), dtype="float32"),
        f.operator(x, np.eye(3), dtype="float32"),
        f.operator(x, {(2, 0, 0): 1.0, (1, 0, 0): 2.0, (0, 0, 0): 1.0}, dtype="float32"),
    ]
    assert {r.dtype for r in results} == {np.dtype(np.float32)}
    with pytest.raises(na.errors.DtypeError, match="dtype=int32 received"):
        f(x, dtype="int32")
