"""ELF64 for RISC-V: the loadable segments, the entry and the symbols of an executable."""

import struct
from dataclasses import dataclass
from typing import Final

from hospes.base.errors import HospesError

MAGIC: Final = b"\x7fELF"
MACHINE_RISCV: Final = 243
TYPE_EXECUTABLE, TYPE_SHARED = 2, 3
SEGMENT_LOAD: Final = 1
SECTION_SYMBOLS: Final = 2

MACHINES: Final = {
    2: "SPARC",
    3: "x86 (32 bits)",
    8: "MIPS",
    20: "PowerPC",
    21: "PowerPC 64",
    22: "IBM Z",
    40: "Arm (32 bits)",
    43: "SPARC V9",
    62: "x86-64",
    183: "Arm 64 (AArch64)",
    247: "BPF",
    258: "LoongArch",
}

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")


@dataclass(frozen=True)
class ElfSegment:
    """Bytes to put at a physical address; the rest up to `size_bytes` is zero."""

    physical: int
    virtual: int
    data: bytes
    size_bytes: int


@dataclass(frozen=True)
class Elf:
    """What a loader needs of an executable; `entry` is a physical address."""

    entry: int
    segments: tuple[ElfSegment, ...]
    symbols: dict[str, int]


def describe_machine(machine: int) -> str:
    """The name of an e_machine value."""
    return MACHINES.get(machine, f"ELF machine {machine}")


def read(data: bytes, name: str) -> Elf:
    """Parse an executable; `name` is how errors call it."""
    try:
        return _read(data, name)
    except (struct.error, IndexError, OverflowError) as error:
        raise truncated(name) from error


def truncated(name: str) -> HospesError:
    """The error for a file that ends too early."""
    return HospesError(f"{name} is truncated or damaged; copy or download it again")


def _read(data: bytes, name: str) -> Elf:
    _check_class(data, name)
    header = _HEADER.unpack_from(data)
    kind, machine, entry, segments_at, sections_at = header[1], header[2], *header[4:7]
    segment_count, section_count = header[10], header[12]
    if machine != MACHINE_RISCV:
        raise HospesError(
            f"{name} is an ELF file for {describe_machine(machine)}; give one built for riscv64"
        )
    if kind not in (TYPE_EXECUTABLE, TYPE_SHARED):
        raise HospesError(f"{name} is an ELF file but not an executable; link it first")
    segments = tuple(
        segment
        for index in range(segment_count)
        if (segment := _segment(data, segments_at + index * _SEGMENT.size, name)) is not None
    )
    if not segments:
        raise HospesError(f"{name} has nothing to load; give an executable")
    symbols = _symbols(data, sections_at, section_count)
    return Elf(_physical_entry(entry, segments), segments, symbols)


def _check_class(data: bytes, name: str) -> None:
    if len(data) < _HEADER.size:
        raise truncated(name)
    if data[4] != 2:
        raise HospesError(f"{name} is a 32-bit ELF file; give one built for riscv64")
    if data[5] != 1:
        raise HospesError(f"{name} is a big-endian ELF file; give one built for riscv64")


def _segment(data: bytes, at: int, name: str) -> ElfSegment | None:
    kind, _, offset, virtual, physical, held, size, _ = _SEGMENT.unpack_from(data, at)
    if kind != SEGMENT_LOAD or not size:
        return None
    if held > size or offset + held > len(data):
        raise truncated(name)
    return ElfSegment(physical, virtual, data[offset : offset + held], size)


def _physical_entry(entry: int, segments: tuple[ElfSegment, ...]) -> int:
    """Kernels state a virtual entry; it is moved along with the segment it lies in."""
    for segment in segments:
        if segment.virtual <= entry < segment.virtual + segment.size_bytes:
            return entry - segment.virtual + segment.physical
    return entry


def _symbols(data: bytes, sections_at: int, count: int) -> dict[str, int]:
    """Name → value; a damaged or absent table gives no symbols, as nothing needs them to boot."""
    sections = [
        _SECTION.unpack_from(data, at)
        for index in range(count)
        if (at := sections_at + index * _SECTION.size) + _SECTION.size <= len(data)
    ]
    symbols: dict[str, int] = {}
    for section in sections:
        if section[1] == SECTION_SYMBOLS and section[6] < len(sections):
            names = sections[section[6]]
            text = data[names[4] : names[4] + names[5]]
            table = data[section[4] : section[4] + section[5]]
            symbols.update(_named(table, text))
    return symbols


def _named(table: bytes, text: bytes) -> dict[str, int]:
    named: dict[str, int] = {}
    whole = len(table) - len(table) % _SYMBOL.size
    for name_at, _, _, section, value, _ in _SYMBOL.iter_unpack(table[:whole]):
        end = text.find(b"\0", name_at)
        if section and name_at and end > name_at:
            named[text[name_at:end].decode("utf-8", "replace")] = value
    return named
