"""The host's own arithmetic as an oracle: libm, numpy and the floating-point environment."""

import ctypes
import ctypes.util
import platform
import struct
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest

from hospes.base import ieee

LIBM = ctypes.CDLL(ctypes.util.find_library("m") or "libm.so.6")

ROUNDING = {ieee.RNE: 0x0000, ieee.RDN: 0x0400, ieee.RUP: 0x0800, ieee.RTZ: 0x0C00}
FLAGS = {0x01: ieee.NV, 0x04: ieee.DZ, 0x08: ieee.OF, 0x10: ieee.UF, 0x20: ieee.NX}

needs_x86 = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="the host's fenv constants are x86's"
)


def evaluate(rm: int, operation: Callable[[], Any]) -> tuple[Any, int]:
    """Run an operation under a rounding mode; its value and the RISC-V flags it raised."""
    LIBM.fesetround(ROUNDING[rm])
    LIBM.feclearexcept(0x3F)
    try:
        value = operation()
        raised = LIBM.fetestexcept(0x3F)
    finally:
        LIBM.fesetround(0)
    return value, sum(flag for bit, flag in FLAGS.items() if raised & bit)


def kind_of(f: ieee.Format) -> tuple[Any, str, str]:
    """(ctypes type, struct codes of the float and of its bits) of a format."""
    return (ctypes.c_double, "<d", "<Q") if f is ieee.BINARY64 else (ctypes.c_float, "<f", "<I")


def libm(f: ieee.Format, name: str, rm: int, *operands: int) -> tuple[int, int]:
    """Call fma, sqrt, ... of libm on bit patterns; (bits, flags), NaN made canonical."""
    kind, floating, integer = kind_of(f)
    function = LIBM[name if f is ieee.BINARY64 else name + "f"]
    function.restype, function.argtypes = kind, [kind] * len(operands)
    values = [kind.from_buffer_copy(struct.pack(integer, bits)) for bits in operands]
    result, flags = evaluate(rm, lambda: function(*values))
    (bits,) = struct.unpack(integer, struct.pack(floating, result))
    return (f.nan if f.is_nan(bits) else bits), flags


def numpy_operator(f: ieee.Format, name: str, rm: int, *operands: int) -> tuple[int, int]:
    """A numpy ufunc on bit patterns; (bits, flags), NaN made canonical."""
    wide = f is ieee.BINARY64
    integer, floating = (np.uint64, np.float64) if wide else (np.uint32, np.float32)
    arrays = [np.array([bits], integer).view(floating) for bits in operands]
    out = np.empty(1, floating)
    with np.errstate(all="ignore"):
        _, flags = evaluate(rm, lambda: getattr(np, name)(*arrays, out=out))
    bits = int(out.view(integer)[0])
    return (f.nan if f.is_nan(bits) else bits), flags


def edges(f: ieee.Format) -> list[int]:
    """Magnitudes where things happen, with both signs."""
    one = f.bias << f.fraction_bits
    smallest_normal = 1 << f.fraction_bits
    around = [f.infinity, f.nan, one, smallest_normal, one + (f.fraction_bits << f.fraction_bits)]
    magnitudes = {0, 1, 2, 3, f.largest >> 1, (1 << f.fraction_bits) - 2}
    magnitudes |= {bits + delta for bits in around for delta in (-1, 0, 1)}
    return sorted(magnitudes | {bits | f.sign for bits in magnitudes})


def operands(f: ieee.Format, seed: int, count: int) -> list[int]:
    """`count` bit patterns: edges, anything at all, and numbers of near exponents."""
    random = Random(seed)
    chosen = []
    for _ in range(count):
        kind = random.randrange(3)
        if kind == 0:
            chosen.append(random.choice(edges(f)))
        elif kind == 1:
            chosen.append(random.getrandbits(f.exponent_bits + f.fraction_bits + 1))
        else:
            exponent = f.bias + random.randrange(-30, 30)
            zeros = random.choice((0, f.fraction_bits // 2, f.fraction_bits - 3))
            fraction = random.getrandbits(f.fraction_bits) >> zeros << zeros
            chosen.append(random.getrandbits(1) * f.sign | exponent << f.fraction_bits | fraction)
    return chosen
