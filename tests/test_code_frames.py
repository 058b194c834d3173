"""Frames for finite-element programs: a Fortran driver calls them as the host does, and balls say what is right.

``pytest -s -k uhyper tests/test_code_frames.py`` prints the largest errors.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import neuralgebra as na
from code_oracles import exact, majorants, units
from neuralgebra.code.bounds import roundings
from neuralgebra.code.program import program
from neuralgebra.errors import InputError, UnsupportedError

needs_compiler = pytest.mark.skipif(not shutil.which("gfortran"), reason="gfortran is not installed")

STRICT = ["-std=f2008", "-Wall", "-Wextra", "-Werror", "-Wno-unused-dummy-argument"]  # hosts pass what we do not need
SANITIZED = ["-g", "-fcheck=all,no-array-temps", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]

UHYPER = """
program main
  use, intrinsic :: iso_fortran_env, only: int64
  implicit none
  integer :: flag
  double precision :: a(3), u(2), ui1(3), ui2(6), ui3(6), other(1)
  character(len=80) :: name
  name = 'material'
  other = 0
  read (*, *) flag, a
  call uhyper(a(1), a(2), a(3), u, ui1, ui2, ui3, 0d0, 1, name, flag, 0, other, 0, other, other, 0, other)
  print '(z16.16)', transfer([u, ui1, ui2, ui3], 0_int64, 17)
end program main
"""

UMAT = """
program main
  use, intrinsic :: iso_fortran_env, only: int64
  implicit none
  integer :: ndi, nshr, n
  double precision :: e(6), de(6), s(6), c(6, 6), o(9), energy, step
  character(len=80) :: name
  name = 'material'
  o = 0
  s = 0
  c = 0
  energy = 0
  step = 1
  read (*, *) ndi, nshr, e, de
  n = ndi + nshr
  call umat(s(:n), o, c(:n, :n), energy, o(1), o(1), o(1), o, o, o(1), e(:n), de(:n), o, 1d0, 0d0, 0d0, o, o, name, &
    ndi, nshr, n, 1, o, 1, o, o, step, 1d0, o, o, 1, 1, 1, 1, [1, 0, 0, 0], 1)
  print '(z16.16)', transfer([s, reshape(c, [36]), energy], 0_int64, 43)
end program main
"""

CALCULIX = """
program main
  use, intrinsic :: iso_fortran_env, only: int64
  implicit none
  integer :: icmd, some(3)
  double precision :: e(6), beta(6), s(6), c(21), o(9), step
  character(len=80) :: name
  name = 'material'
  o = 0
  s = 0
  c = 0
  some = 1
  step = -1
  read (*, *) icmd, e, beta
  call umat_user(name, 1, 1, -100, o, e, o, beta, o, 1d0, o, 1d0, some, 0d0, 1d0, 1d0, 0d0, icmd, 0, some, 1, o, o, &
    s, c, 0, o, o, step, some)
  print '(z16.16)', transfer([s, c], 0_int64, 27)
end program main
"""


def build(folder: Path, text: str, driver: str, *flags: str) -> Path:
    (folder / "f.f").write_text(text)
    (folder / "main.f90").write_text(driver)
    subprocess.run(["gfortran", *STRICT, *flags, "f.f", "-c"], cwd=folder, check=True)
    subprocess.run(["gfortran", *flags, "f.o", "main.f90", "-o", "main"], cwd=folder, check=True)
    return folder / "main"


def run(main: Path, *given: object) -> np.ndarray:
    """What a driver prints, bit by bit."""
    text = " ".join(repr(float(g)) if isinstance(g, float) else str(g) for g in given)
    done = subprocess.run([main], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return np.array([int(line, 16) for line in done.stdout.split()], np.uint64).view(np.float64)


def energy(inputs: int, activation: str = "softplus") -> na.Network:
    """An energy of invariants, which takes their differences from those of the undeformed state."""
    rng = np.random.default_rng(inputs)
    first, second = rng.normal(size=(6, inputs)), np.abs(rng.normal(size=(1, 6)))
    rest = np.array([3.0, 3.0, 1.0])[:inputs]
    return na.Network.from_layers([(first, -first @ rest), (second, None)], activation)


def limits(f: na.Network, order: int) -> list[int]:
    """Counted roundings of the derivatives."""
    return [max(4, count) for count in roundings(program(f, order, packed=True, apart=True).functions[-1])]


PAIRS = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
TRIPLES = [(0, 0, 2), (1, 1, 2), (0, 1, 2), (0, 2, 2), (1, 2, 2), (2, 2, 2)]
"""∂²U by I1 I1, I2 I2, J J, I1 I2, I1 J, I2 J, and the derivatives by J that Abaqus asks for, in its order."""


@needs_compiler
@pytest.mark.parametrize("activation", ["softplus", "tanh", "exp"])
@pytest.mark.parametrize("inputs", [2, 3])
def test_uhyper_gives_the_derivatives_in_the_order_of_the_host(tmp_path: Path, inputs: int, activation: str) -> None:
    f = energy(inputs, activation)
    main = build(tmp_path, f.code(interface="uhyper", name="rubber"), UHYPER, *SANITIZED)
    point = [3.25, 3.125, 0.9375]
    got = run(main, int(inputs == 2), *point)
    wanted = exact(f, np.array([point[:inputs]]), 3)
    sizes = majorants(f, np.array([point[:inputs]]), 3)
    parts = np.split(got, [1, 2, 5, 11])
    for level, (part, keys) in enumerate(
        zip([parts[0], *parts[2:]], ([()], [(0,), (1,), (2,)], PAIRS, TRIPLES), strict=True)
    ):
        for value, key in zip(part, keys, strict=True):
            if max(key, default=0) >= inputs:
                assert value == 0
                continue
            error = units(value, wanted[level][(0, 0, *key)], sizes[level][(0, 0, *key)])
            print(f"{activation}, {inputs} inputs, {key}: {error:.2f} u·M of {limits(f, 3)[level]}")
            assert error <= limits(f, 3)[level]
    still = np.array([[*point[:2], 1.0][:inputs]])
    assert units(parts[1][0], exact(f, still, 0)[0][0, 0], majorants(f, still, 0)[0][0, 0]) <= limits(f, 3)[0]


@needs_compiler
def test_an_energy_without_volume_ratio_refuses_compressible_materials(tmp_path: Path) -> None:
    main = build(tmp_path, energy(2).code(interface="uhyper"), UHYPER)
    done = subprocess.run([main], input="0 3.1 3.1 1.0", capture_output=True, text=True)
    assert done.returncode != 0
    assert "without J" in done.stderr


def stresses(outputs: int) -> na.Network:
    rng = np.random.default_rng(outputs)
    layers = [(rng.normal(size=(8, 6)), rng.normal(size=8)), (rng.normal(size=(outputs, 8)), None)]
    return na.Network.from_layers(layers, "tanh")


def stress_and_tangent(f: na.Network, e: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """By their definition: the values and their Jacobian, or the gradient of an energy and its Hessian."""
    levels = exact(f, e[None], 2)
    numbers = [np.array([float(b.mid()) for b in a.flat]).reshape(a.shape)[0] for a in levels]
    return (numbers[0], numbers[1]) if f.output_size == 6 else (numbers[1][0], numbers[2][0])


@needs_compiler
@pytest.mark.parametrize("outputs", [6, 1])
def test_umat_gives_stress_and_tangent(tmp_path: Path, outputs: int) -> None:
    f = stresses(outputs)
    main = build(tmp_path, f.code(interface="umat", name="steel"), UMAT, *SANITIZED)
    rng = np.random.default_rng(3)
    strain, step = rng.normal(size=6) / 8, rng.normal(size=6) / 8
    for count in (6, 4):  # solids, plane strain
        got = run(main, 3, count - 3, *strain, *step)
        e = np.where(np.arange(6) < count, strain + step, 0.0)
        stress, tangent = stress_and_tangent(f, e)
        np.testing.assert_allclose(got[:count], stress[:count], rtol=1e-13)
        assert not got[count:6].any()
        matrix = got[6:42].reshape(6, 6, order="F")
        np.testing.assert_allclose(matrix[:count, :count], tangent[:count, :count], rtol=1e-12, atol=1e-14)
        assert got[42] == pytest.approx(float(f(e)[0]) if outputs == 1 else 0.0, rel=1e-13)


@needs_compiler
def test_umat_refuses_plane_stress(tmp_path: Path) -> None:
    main = build(tmp_path, stresses(6).code(interface="umat"), UMAT)
    done = subprocess.run([main], input="2 1 " + "0.0 " * 12, capture_output=True, text=True)
    assert done.returncode != 0
    assert "three direct stresses" in done.stderr


@needs_compiler
@pytest.mark.parametrize("outputs", [6, 1])
def test_calculix_gives_stress_and_tangent(tmp_path: Path, outputs: int) -> None:
    f = stresses(outputs)
    main = build(tmp_path, f.code(interface="calculix", name="steel"), CALCULIX, *SANITIZED)
    rng = np.random.default_rng(4)
    strain, beta = rng.normal(size=6) / 8, rng.normal(size=6)
    stress, tangent = stress_and_tangent(f, strain * [1, 1, 1, 2, 2, 2])
    upper = [(tangent[i, j] + tangent[j, i]) / 2 for j in range(6) for i in range(j + 1)]
    got = run(main, 0, *strain, *beta)
    np.testing.assert_allclose(got[:6], stress - beta, rtol=1e-12)
    np.testing.assert_allclose(got[6:], upper, rtol=1e-12, atol=1e-14)
    alone = run(main, 3, *strain, *beta)
    np.testing.assert_allclose(alone[:6], stress - beta, rtol=1e-12)
    assert not alone[6:].any()


@pytest.mark.parametrize("interface", ["uhyper", "umat", "calculix"])
def test_columns_and_names(interface: str) -> None:
    f = energy(3) if interface == "uhyper" else stresses(6)
    text = f.code(interface=interface, name="uhyper")
    lines = [line for line in text.splitlines() if not line.startswith("!")]
    assert all(len(line) <= 72 for line in lines)
    heads = [line.split("(")[0].split()[-1] for line in lines if " recursive subroutine " in line]
    assert len(set(heads)) == len(heads) > 1


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        ({"interface": "ansys"}, UnsupportedError, "ansys"),
        ({"interface": "uhyper"}, UnsupportedError, "2 or 3 inputs"),
        ({"interface": "umat", "language": "c"}, UnsupportedError, "fortran-fixed"),
        ({"interface": "umat", "dtype": "float32"}, InputError, "float64"),
        ({"interface": "umat", "dtype": "float16"}, InputError, "float16"),
    ],
)
def test_bad_input(wrong: dict[str, str], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        stresses(6).code(**wrong)
