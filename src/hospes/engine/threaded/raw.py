"""Host memory by address, and the engine's own native parts, as words of the semantics subset.

In Python these work on the real memory of the process, so the run-time functions written with
them can be tested without being compiled.
"""

from __future__ import annotations

import ctypes

from hospes.isa.riscv.hart import Hart


def peek8(address: int) -> int:
    """The byte at a host address."""
    return ctypes.c_uint8.from_address(address).value


def peek16(address: int) -> int:
    """The u16 at a host address, of any alignment."""
    return ctypes.c_uint16.from_address(address).value


def peek32(address: int) -> int:
    """The u32 at a host address, of any alignment."""
    return ctypes.c_uint32.from_address(address).value


def peek64(address: int) -> int:
    """The u64 at a host address, of any alignment."""
    return ctypes.c_uint64.from_address(address).value


def poke8(address: int, value: int) -> None:
    """Store the low byte."""
    ctypes.c_uint8.from_address(address).value = value & 0xFF


def poke16(address: int, value: int) -> None:
    """Store the low 16 bits."""
    ctypes.c_uint16.from_address(address).value = value & 0xFFFF


def poke32(address: int, value: int) -> None:
    """Store the low 32 bits."""
    ctypes.c_uint32.from_address(address).value = value & 0xFFFF_FFFF


def poke64(address: int, value: int) -> None:
    """Store 64 bits."""
    ctypes.c_uint64.from_address(address).value = value


def fill_zero(address: int, size_bytes: int) -> None:
    """Zero a range of host memory."""
    ctypes.memset(address, 0, size_bytes)


def copy(target: int, source: int, size_bytes: int) -> None:
    """Copy between host ranges that do not overlap."""
    ctypes.memmove(target, source, size_bytes)


def lines_differ(a: int, b: int) -> bool:
    """Whether two runs of 64 bytes of host memory differ."""
    return ctypes.string_at(a, 64) != ctypes.string_at(b, 64)


def handler(name: str) -> int:
    """The address of a native handler; only generated code has one."""
    raise LookupError(f"handler {name} exists in generated code only")


def decode_word(h: Hart, op: int, word: int, offset: int) -> None:
    """Decode an instruction into an op; offset is its place in the page, or FAR_OFFSET."""
    raise LookupError("the native decoder exists in generated code only")


def fuse(op: int, following: int, wide: bool) -> None:
    """Give a decoded op the handler for it and the op that follows it, if there is one.

    wide says that the first instruction has 4 bytes; if it has not, nothing happens.
    """
    raise LookupError("fused handlers exist in generated code only")
