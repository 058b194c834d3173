"""Subroutines that finite-element programs call: hyperelastic energies, and stresses with their tangents.

Sources: Abaqus User Subroutines Reference Guide, UHYPER and UMAT; CalculiX CrunchiX User's Manual, umat_user.
"""

from __future__ import annotations

import itertools

from neuralgebra.code.fortran import Fixed
from neuralgebra.code.interface import Hosted, Wanted
from neuralgebra.network.network import Network

__all__ = ["Calculix", "Uhyper", "Umat"]

# The derivatives by (I1, I2, J) in the order of Abaqus; those of third order are the derivatives by J of UI2.
_UI1 = [(0,), (1,), (2,)]
_UI2 = [(0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)]
_UI3 = [(*pair, 2) for pair in ((0, 0), (1, 1), (0, 1), (0, 2), (1, 2), (2, 2))]

_UHYPER = """
recursive subroutine uhyper(bi1, bi2, aj, u, ui1, ui2, ui3, temp, noel, cmname, incmpflag, numstatev, statev, \
numfieldv, fieldv, fieldvinc, numprops, props)
  implicit none
  integer :: noel, incmpflag, numstatev, numfieldv, numprops
  character(len=80) :: cmname
  double precision :: bi1, bi2, aj, temp, u(2), ui1(3), ui2(6), ui3(6)
  double precision :: statev(*), fieldv(*), fieldvinc(*), props(*)
"""

_UMAT = """
recursive subroutine umat(stress, statev, ddsdde, sse, spd, scd, rpl, ddsddt, drplde, drpldt, stran, dstran, time, \
dtime, temp, dtemp, predef, dpred, cmname, ndi, nshr, ntens, nstatv, props, nprops, coords, drot, pnewdt, celent, \
dfgrd0, dfgrd1, noel, npt, layer, kspt, jstep, kinc)
  implicit none
  integer :: ndi, nshr, ntens, nstatv, nprops, noel, npt, layer
  integer :: kspt, jstep(4), kinc
  character(len=80) :: cmname
  double precision :: stress(ntens), statev(nstatv), sse, spd, scd
  double precision :: ddsdde(ntens, ntens), rpl, ddsddt(ntens)
  double precision :: drplde(ntens), drpldt, stran(ntens), dtime
  double precision :: dstran(ntens), time(2), temp, dtemp, predef(*)
  double precision :: dpred(*), props(nprops), coords(3), drot(3, 3)
  double precision :: pnewdt, celent, dfgrd0(3, 3), dfgrd1(3, 3)
"""

_CALCULIX = """
recursive subroutine umat_user(amat, iel, iint, kode, elconloc, emec, emec0, beta, xokl, voj, xkl, vj, ithermal, t1l, \
dtime, time, ttime, icmd, ielas, mi, nstate_, xstateini, xstate, stre, stiff, iorien, pgauss, orab, pnewdt, ipkon)
  implicit none
  character(len=80) :: amat
  integer :: ithermal(*), icmd, kode, ielas, iel, iint, nstate_
  integer :: mi(*), iorien, ipkon(*)
  double precision :: elconloc(*), stiff(21), emec(6), emec0(6)
  double precision :: beta(6), stre(6), vj, t1l, dtime, xkl(3, 3)
  double precision :: xokl(3, 3), voj, pgauss(3), orab(7, *)
  double precision :: time, ttime, pnewdt
  double precision :: xstate(nstate_, mi(1), *)
  double precision :: xstateini(nstate_, mi(1), *)
"""


class Frame(Hosted, Fixed):
    """Fortran with a subroutine that a host calls."""

    reserved = frozenset({*Fixed.reserved, "uhyper", "umat", "umat_user"})
    remark: str
    head_of_host: str

    def frame(self) -> list[list[str]]:
        """Return the subroutine that the host calls."""
        sizes = {b.name: b.size for f in self.program.functions for b in (*f.inputs, *f.outputs)}
        arrays = [f"{self.host_array(name)}(0:{size - 1})" for name, size in sizes.items()]
        lines = [*self.head_of_host.strip().splitlines(), *(f"  {line}" for line in self.declared(self.type, arrays))]
        name = self.head_of_host.split("(")[0].split()[-1]
        return [[*self.remarks(self.remark.splitlines()), *lines, *self.inside(), f"end subroutine {name}"]]

    @staticmethod
    def host_array(name: str) -> str:
        """Return what an argument of the network is called in the host's subroutine."""
        return f"n_{name}"

    def called(self, suffix: str) -> str:
        """Return the call of a function of the network."""
        (function,) = (f for f in self.program.functions if f.suffix == suffix)
        names = ", ".join(self.host_array(b.name) for b in (*function.inputs, *function.outputs))
        return f"  call {self.function(function)}({names})"

    def inside(self) -> list[str]:
        """Return the statements of the subroutine."""
        raise NotImplementedError


class Uhyper(Frame):
    """An energy U(I1, I2) or U(I1, I2, J) for Abaqus/Standard."""

    host = "uhyper"
    shapes = "an energy: one output, and 2 or 3 inputs, the invariants I1 and I2 and the volume ratio J"
    head_of_host = _UHYPER
    remark = """For *HYPERELASTIC, USER: the energy is a function of the invariants of the deviatoric strain and of J.
U(2), for the Mullins effect, is the energy at J = 1: the deviatoric part of V(I1, I2) + W(J) with W(1) = 0."""

    @staticmethod
    def wanted(network: Network) -> Wanted | None:
        """Return what is needed: third derivatives."""
        m, n = network.shape
        return Wanted(3, ("", "third"), packed=True) if m == 1 and n in (2, 3) else None

    def inside(self) -> list[str]:
        """Return the statements of the subroutine."""
        solid = self.program.network.input_size == 3
        volume = "  n_x(2) = aj" if solid else "  if (incmpflag == 0) error stop 'uhyper: an energy without J'"
        lines = ["  n_x(0) = bi1", "  n_x(1) = bi2", volume, self.called("third"), "  u(1) = n_y(0)"]
        for name, target, keys in (("jac", "ui1", _UI1), ("hess", "ui2", _UI2), ("third", "ui3", _UI3)):
            lines += [f"  {target}({i}) = {self._entry(name, key)}" for i, key in enumerate(keys, 1)]
        return [*lines, *(["  n_x(2) = 1", self.called("")] if solid else []), "  u(2) = n_y(0)"]

    def _entry(self, name: str, key: tuple[int, ...]) -> str:
        """Return a derivative; those by J of an energy without J are zero."""
        n = self.program.network.input_size
        keys = list(itertools.combinations_with_replacement(range(n), len(key)))
        return f"n_{name}({keys.index(tuple(sorted(key)))})" if max(key) < n else self.number(0.0)


class Stress(Frame):
    """A stress as a function of a strain, or an energy of which it is the gradient."""

    shapes = "6 strains, and 6 stresses or one energy"

    @staticmethod
    def wanted(network: Network) -> Wanted | None:
        """Return what is needed: the tangent."""
        if network.input_size != 6 or network.output_size not in (1, 6):
            return None
        return Wanted(1, ("", "jacobian")) if network.output_size == 6 else Wanted(2, ("jacobian", "hessian"))

    @property
    def names(self) -> tuple[str, str, str, str]:
        """The functions of the stress and of the tangent, and the names of these."""
        if self.program.network.output_size == 6:
            return "", "jacobian", "n_y", "n_jac"
        return "jacobian", "hessian", "n_jac", "n_hess"


class Umat(Stress):
    """A stress and its tangent for Abaqus/Standard."""

    host = "umat"
    head_of_host = _UMAT
    remark = """For *USER MATERIAL: the network takes the strains 11, 22, 33, 12, 13, 23, shear as engineering strain,
at the end of the increment, and gives the stresses in that order. Plane stress is refused."""

    def inside(self) -> list[str]:
        """Return the statements of the subroutine."""
        _, tangent, stress, matrix = self.names
        energy = ["  sse = n_y(0)"] if self.program.network.output_size == 1 else []
        return [
            "  integer :: i, j",
            "  if (ndi /= 3) error stop 'umat: three direct stresses expected'",
            "  n_x = 0",
            "  do i = 1, ntens",
            "    n_x(i - 1) = stran(i) + dstran(i)",
            "  end do",
            self.called(tangent),
            *energy,
            "  do j = 1, ntens",
            f"    stress(j) = {stress}(j - 1)",
            "    do i = 1, ntens",
            f"      ddsdde(i, j) = {matrix}(6*(i - 1) + j - 1)",
            "    end do",
            "  end do",
        ]


class Calculix(Stress):
    """A stress and its tangent for CalculiX."""

    host = "calculix"
    head_of_host = _CALCULIX
    remark = """For *USER MATERIAL: the network takes the Lagrange strains 11, 22, 33, 12, 13, 23, shear as engineering
strain, and gives the second Piola-Kirchhoff stresses in that order. The tangent is made symmetric."""

    def inside(self) -> list[str]:
        """Return the statements of the subroutine."""
        value, tangent, stress, matrix = self.names
        return [
            "  integer :: i, j",
            "  n_x(0:2) = emec(1:3)",
            "  n_x(3:5) = 2*emec(4:6)",
            "  if (icmd == 3) then",
            f"  {self.called(value)}",
            "  else",
            f"  {self.called(tangent)}",
            "    do j = 0, 5",
            "      do i = 0, j",
            "        stiff(j*(j + 1)/2 + i + 1) =" + f" 0.5d0*({matrix}(6*i + j) + {matrix}(6*j + i))",
            "      end do",
            "    end do",
            "  end if",
            f"  stre = {stress} - beta",
        ]
