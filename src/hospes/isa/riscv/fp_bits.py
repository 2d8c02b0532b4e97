"""Floating point that is integer work on bits: boxing, legality, minimum, maximum, classes."""

from typing import Final

from hospes.base.bits import U32_MAX, U64_MAX
from hospes.base.ieee import NV, RMM
from hospes.isa.riscv.encoding import FS_DIRTY
from hospes.isa.riscv.hart import Hart
from hospes.isa.subset import Illegal, inline

RM_DYN: Final = 7
FS_OFF: Final = 0

SIGN32: Final = 1 << 31
INFINITY32: Final = 0x7F80_0000
NAN32: Final = 0x7FC0_0000
FRACTION32: Final = 0x007F_FFFF
SIGN64: Final = 1 << 63
INFINITY64: Final = 0x7FF0_0000_0000_0000
NAN64: Final = 0x7FF8_0000_0000_0000
FRACTION64: Final = 0x000F_FFFF_FFFF_FFFF
BOX: Final = 0xFFFF_FFFF_0000_0000


@inline
def require_fp(h: Hart) -> None:
    """Illegal while mstatus.FS is Off."""
    if h.fs == FS_OFF:
        raise Illegal()


@inline
def dirty_fp(h: Hart) -> None:
    """Note that f registers or flags may have changed. An instruction that can raise flags calls
    this whether it does or not: FS may be Dirty imprecisely (Privileged ISA, "Extension Context
    Status in mstatus Register"), and the host's flags are read late."""
    h.fs = FS_DIRTY


@inline
def rounding_mode(h: Hart, rm: int) -> int:
    """The rounding mode of an instruction's rm field; illegal if reserved or FS is Off."""
    mode = h.frm if rm == RM_DYN else rm
    if h.fs == FS_OFF or mode > RMM:
        raise Illegal()
    return mode


@inline
def unbox32(bits: int) -> int:
    """The f32 in an f register; the canonical NaN if it is not boxed (Unprivileged ISA, "NaN
    Boxing of Narrower Values")."""
    return bits & U32_MAX if bits >= BOX else NAN32


@inline
def box32(bits: int) -> int:
    """An f32 as an f register holds it."""
    return bits | BOX


def f32_min(h: Hart, a: int, b: int) -> int:
    """minimumNumber: a NaN loses to a number, -0 is below +0, a signalling NaN is invalid."""
    return _lesser(h, a, b, SIGN32, INFINITY32, NAN32, 0)


def f32_max(h: Hart, a: int, b: int) -> int:
    """maximumNumber: a NaN loses to a number, +0 is above -0, a signalling NaN is invalid."""
    return _lesser(h, a, b, SIGN32, INFINITY32, NAN32, U32_MAX)


def f64_min(h: Hart, a: int, b: int) -> int:
    """minimumNumber: a NaN loses to a number, -0 is below +0, a signalling NaN is invalid."""
    return _lesser(h, a, b, SIGN64, INFINITY64, NAN64, 0)


def f64_max(h: Hart, a: int, b: int) -> int:
    """maximumNumber: a NaN loses to a number, +0 is above -0, a signalling NaN is invalid."""
    return _lesser(h, a, b, SIGN64, INFINITY64, NAN64, U64_MAX)


@inline
def _lesser(h: Hart, a: int, b: int, sign: int, infinity: int, nan: int, reverse: int) -> int:
    """The operand that comes first in the order of numbers, or in reverse (then all ones)."""
    magnitude_a, magnitude_b = a & (sign - 1), b & (sign - 1)
    if (magnitude_a > infinity and magnitude_a < nan) or (
        magnitude_b > infinity and magnitude_b < nan
    ):
        h.fflags |= NV
    if magnitude_a > infinity:
        return nan if magnitude_b > infinity else b
    if magnitude_b > infinity:
        return a
    key_a = _order(a, sign) ^ reverse
    return a if key_a <= _order(b, sign) ^ reverse else b


@inline
def _order(bits: int, sign: int) -> int:
    """An unsigned number that orders as the float does, -0 just below +0."""
    return bits | sign if bits < sign else bits ^ (2 * sign - 1)


def f32_class(bits: int) -> int:
    """The one-hot mask of fclass."""
    return _class(bits, SIGN32, INFINITY32, NAN32, FRACTION32)


def f64_class(bits: int) -> int:
    """The one-hot mask of fclass."""
    return _class(bits, SIGN64, INFINITY64, NAN64, FRACTION64)


@inline
def _class(bits: int, sign: int, infinity: int, nan: int, fraction: int) -> int:
    """1 << 0 to 3: negative infinity, normal, subnormal, zero; 4 to 7: positive zero, subnormal,
    normal, infinity; 8, 9: signalling, quiet NaN."""
    magnitude = bits & (sign - 1)
    if magnitude > infinity:
        return 1 << 8 if magnitude < nan else 1 << 9
    distance = 0
    if magnitude == infinity:
        distance = 3
    elif magnitude > fraction:
        distance = 2
    elif magnitude != 0:
        distance = 1
    return 1 << (4 + distance) if bits < sign else 1 << ((3 - distance) & 3)
