"""Where what boots goes in memory, as QEMU does it: firmware, kernel, initrd and device tree."""

import struct
from dataclasses import dataclass
from typing import Final

from hospes.base.errors import HospesError
from hospes.firmware.image import KERNEL_ALIGN_BYTES, BootFiles, Executable, Segment

RAM_BASE: Final = 0x8000_0000
PAGE_BYTES: Final = 4096
FDT_ROOM_BYTES: Final = 0x1_0000
FDT_END_MAX: Final = 0xC000_0000
"""The device tree stays below 3 GiB, where a kernel's first page tables reach it."""
INITRD_DISTANCE_MAX_BYTES: Final = 128 * 1024 * 1024
_DYNAMIC_MAGIC: Final = 0x4942_534F
_SUPERVISOR: Final = 1
_MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class Placement:
    """What goes where; the device tree is written to `fdt_gpa` once it is known."""

    segments: tuple[Segment, ...]
    entry: int                       # where the harts start
    fdt_gpa: int
    kernel_entry: int | None         # None when only firmware runs
    initrd: tuple[int, int] | None   # first address, and first address after it
    dynamic_info_gpa: int            # OpenSBI's fw_dynamic finds this address in a2
    symbols: dict[str, int]          # of the firmware, else of the kernel


def plan_boot(memory_bytes: int, files: BootFiles) -> Placement:
    """Choose every address; HospesError when it does not fit or overlaps."""
    ram_end = RAM_BASE + memory_bytes
    firmware = files.firmware.at(RAM_BASE) if files.firmware else None
    kernel = _place_kernel(files.kernel, firmware)
    parts = [part for part in (firmware, kernel) if part]
    if not parts:
        raise HospesError("there is nothing to boot; give a kernel or firmware")
    for part in parts:
        _check_in_ram(part, ram_end, memory_bytes)
    if firmware and kernel and firmware.start < kernel.end and kernel.start < firmware.end:
        raise HospesError(f"{kernel.name} and {firmware.name} overlap in memory; use others")
    floor = _page_up(max(part.end for part in parts))
    fdt_gpa = _place_fdt(floor, parts, ram_end, memory_bytes)
    initrd = _place_initrd(files.initrd, kernel or parts[0], floor, fdt_gpa, memory_bytes)
    segments = [segment for part in parts for segment in part.segments]
    if initrd and files.initrd:
        segments.append(Segment(initrd[0], files.initrd, len(files.initrd)))
    info = _dynamic_info(kernel)
    info_gpa = fdt_gpa + FDT_ROOM_BYTES
    segments.append(Segment(info_gpa, info, len(info)))
    return Placement(
        segments=tuple(segments),
        entry=parts[0].entry,
        fdt_gpa=fdt_gpa,
        kernel_entry=kernel.entry if kernel else None,
        initrd=initrd,
        dynamic_info_gpa=info_gpa,
        symbols=dict(parts[0].symbols),
    )


def _place_kernel(kernel: Executable | None, firmware: Executable | None) -> Executable | None:
    """A movable kernel goes to the first 2 MiB boundary after the first 2 MiB and the firmware."""
    if kernel is None:
        return None
    after = max(firmware.end if firmware else 0, RAM_BASE + 1)
    return kernel.at(after + -after % KERNEL_ALIGN_BYTES)


def _check_in_ram(part: Executable, ram_end: int, memory_bytes: int) -> None:
    if part.start < RAM_BASE:
        raise HospesError(
            f"{part.name} is linked for address {part.start:#x}, but memory starts at "
            f"{RAM_BASE:#x}; link it for that address"
        )
    if part.end > ram_end:
        need = part.end - RAM_BASE
        raise _too_small(memory_bytes, f"{part.name} reaches to {_mib(need)} MiB", need)


def _place_fdt(floor: int, parts: list[Executable], ram_end: int, memory_bytes: int) -> int:
    room = FDT_ROOM_BYTES + PAGE_BYTES
    highest = min(ram_end, FDT_END_MAX) - room
    fdt_gpa = highest - highest % KERNEL_ALIGN_BYTES
    if fdt_gpa < floor:
        fdt_gpa = highest - highest % PAGE_BYTES
    if fdt_gpa < floor:
        need = floor + room - RAM_BASE
        raise _too_small(memory_bytes, f"{parts[-1].name} leaves no room for the device tree", need)
    return fdt_gpa


def _place_initrd(
    initrd: bytes | None, kernel: Executable, floor: int, fdt_gpa: int, memory_bytes: int
) -> tuple[int, int] | None:
    """Well above the kernel, which may grow as it starts; close to the device tree if it must."""
    if initrd is None:
        return None
    distance = min(memory_bytes // 2, INITRD_DISTANCE_MAX_BYTES)
    start = max(floor, _page_up(kernel.start + distance))
    if start + len(initrd) > fdt_gpa:
        start = (fdt_gpa - len(initrd)) & ~(PAGE_BYTES - 1)
    if start < floor:
        need = memory_bytes + floor - start
        what = f"the kernel and the initrd ({_mib(len(initrd))} MiB) do not fit"
        raise _too_small(memory_bytes, what, need)
    return start, start + len(initrd)


def _dynamic_info(kernel: Executable | None) -> bytes:
    """OpenSBI's struct fw_dynamic_info, version 2: go on at the kernel in S-mode."""
    entry = kernel.entry if kernel else 0
    return struct.pack("<6Q", _DYNAMIC_MAGIC, 2, entry, _SUPERVISOR, 0, 0)


def _too_small(memory_bytes: int, what: str, need_bytes: int) -> HospesError:
    return HospesError(
        f"{_mib(memory_bytes)} MiB of memory are too little ({what}); "
        f"give at least {_mib(need_bytes)} MiB"
    )


def _mib(size_bytes: int) -> int:
    return -(-size_bytes // _MIB)


def _page_up(gpa: int) -> int:
    return gpa + -gpa % PAGE_BYTES
