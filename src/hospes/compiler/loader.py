"""Loads x86-64 object code into memory, without LLVM: what a warm start needs.

Only what our own object files use is understood: sections that are allocated, and the relocations
of the small code model (System V ABI, AMD64 supplement, section 4.4). Pages are writable or
executable, never both.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hospes.base.errors import HospesError

SUPPORTED: Final = platform.machine() in {"x86_64", "AMD64"} and hasattr(mmap, "PROT_EXEC")

SHT_SYMTAB: Final = 2
SHT_RELA: Final = 4
SHT_NOBITS: Final = 8
SHF_ALLOC: Final = 2
SHF_EXECINSTR: Final = 4
SHN_ABS: Final = 0xFFF1

R_64: Final = 1
R_PC32: Final = 2
R_PLT32: Final = 4
R_GOTPCREL: Final = frozenset((9, 41, 42))
SYMBOL_BYTES: Final = 24
STUB_BYTES: Final = 16
JUMP_INDIRECT: Final = b"\xff\x25\x00\x00\x00\x00"
"""jmp *0(%rip): the address follows."""
WORD_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class Section:
    """A section header; `address` is where the section was placed in memory, if it was."""

    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int


class ObjectCode:
    """An object file in memory, relocated; it lives as long as this object."""

    def __init__(self, data: bytes) -> None:
        if data[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<H", data, 18)[0] != 62:
            raise HospesError("the native code is not an x86-64 object file; delete the cache")
        self._data = data
        self._sections = list(_sections(data))
        self._table = next(s for s in self._sections if s.kind == SHT_SYMTAB)
        self._names = self._sections[self._table.link]
        self._offsets: dict[int, int] = {}
        self._stubs: dict[str, int] = {}
        self._got: dict[str, int] = {}
        self._place()
        for section in self._sections:
            if section.kind == SHT_RELA and section.info in self._offsets:
                self._relocate(section)
        self._protect()

    def address(self, symbol: str) -> int:
        """The address of a defined function; LookupError if there is none."""
        for name, section, value in self._symbols():
            if name == symbol and section in self._offsets:
                return self._base + self._offsets[section] + value
        raise LookupError(f"{symbol} is not in the compiled code")

    def _symbols(self) -> Iterator[tuple[str, int, int]]:
        for number in range(self._table.size // SYMBOL_BYTES):
            yield self._symbol(number)

    def _symbol(self, number: int) -> tuple[str, int, int]:
        """Name, section and value of a symbol."""
        place = self._table.offset + number * SYMBOL_BYTES
        name, _, _, section, value = struct.unpack_from("<IBBHQ", self._data, place)
        start = self._names.offset + name
        return self._data[start : self._data.index(b"\0", start)].decode(), section, value

    def _place(self) -> None:
        """Lay out code, then everything else, then stubs and the global offset table."""
        end = 0
        for executable in (True, False):
            for number, section in enumerate(self._sections):
                chosen = bool(section.flags & SHF_EXECINSTR) == executable
                if section.flags & SHF_ALLOC and chosen and section.size:
                    end = _aligned(end, section.alignment)
                    self._offsets[number] = end
                    end += section.size
            if executable:
                self._stubs_start = _aligned(end, STUB_BYTES)
                end = self._code_end = _aligned(
                    self._stubs_start + STUB_BYTES * self._undefined(), mmap.PAGESIZE
                )
        self._got_start = _aligned(end, WORD_BYTES)
        size = self._got_start + WORD_BYTES * self._table.size // SYMBOL_BYTES
        self._map = mmap.mmap(-1, _aligned(size, mmap.PAGESIZE))
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        for number, offset in self._offsets.items():
            section = self._sections[number]
            if section.kind != SHT_NOBITS:
                body = self._data[section.offset : section.offset + section.size]
                self._map[offset : offset + section.size] = body

    def _undefined(self) -> int:
        return sum(bool(name) and not section for name, section, _ in self._symbols())

    def _relocate(self, rela: Section) -> None:
        """Apply the relocations of one section."""
        base, start = self._base, self._offsets[rela.info]
        symbols: dict[int, tuple[str, int]] = {}
        records = struct.iter_unpack("<QQq", self._data[rela.offset : rela.offset + rela.size])
        for offset, info, addend in records:
            number, kind = info >> 32, info & 0xFFFF_FFFF
            if number not in symbols:
                symbols[number] = self._resolve(number)
            name, target = symbols[number]
            place = start + offset
            if kind == R_64:
                struct.pack_into("<Q", self._map, place, target + addend)
                continue
            if kind in R_GOTPCREL:
                target = self._got_slot(name or str(number), target)
            elif kind == R_PLT32 and not base <= target < base + len(self._map):
                target = self._stub(name, target)
            elif kind not in {R_PC32, R_PLT32}:
                raise HospesError(f"the native code has relocation {kind}; delete the cache")
            struct.pack_into("<i", self._map, place, target + addend - base - place)

    def _resolve(self, number: int) -> tuple[str, int]:
        """A symbol's name and address; what is not defined here is the C library's."""
        name, section, value = self._symbol(number)
        if section in self._offsets:
            return name, self._base + self._offsets[section] + value
        if section == SHN_ABS:
            return name, value
        function = getattr(ctypes.CDLL(None), name)
        return name, ctypes.cast(function, ctypes.c_void_p).value or 0

    def _stub(self, name: str, target: int) -> int:
        """A jump to a function that may be further away than 2 GiB."""
        if name not in self._stubs:
            place = self._stubs_start + STUB_BYTES * len(self._stubs)
            body = JUMP_INDIRECT + target.to_bytes(WORD_BYTES, "little")
            self._map[place : place + len(body)] = body
            self._stubs[name] = self._base + place
        return self._stubs[name]

    def _got_slot(self, name: str, target: int) -> int:
        """The address of a word that holds a symbol's address."""
        if name not in self._got:
            place = self._got_start + WORD_BYTES * len(self._got)
            struct.pack_into("<Q", self._map, place, target)
            self._got[name] = self._base + place
        return self._got[name]

    def _protect(self) -> None:
        """Code becomes executable, and nothing stays writable."""
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        code, rest = mmap.PROT_READ | mmap.PROT_EXEC, mmap.PROT_READ
        parts = ((0, self._code_end, code), (self._code_end, len(self._map), rest))
        for start, end, rights in parts:
            address, size = ctypes.c_void_p(self._base + start), ctypes.c_size_t(end - start)
            if size.value and protect(address, size, rights):
                raise HospesError(
                    "the host forbids executable memory; allow it to this process (SELinux execmem)"
                )


def _sections(data: bytes) -> Iterator[Section]:
    """The section headers of an ELF64 file."""
    start = struct.unpack_from("<Q", data, 40)[0]
    entry_bytes, count = struct.unpack_from("<HH", data, 58)
    for number in range(count):
        _, kind, flags, _, offset, size, link, info, alignment, _ = struct.unpack_from(
            "<IIQQQQIIQQ", data, start + number * entry_bytes
        )
        yield Section(kind, flags, offset, size, link, info, max(alignment, 1))


def _aligned(value: int, alignment: int) -> int:
    return (value + alignment - 1) // alignment * alignment
