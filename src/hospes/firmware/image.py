"""Boot files: what a kernel, firmware or initrd is, and what of it goes into memory."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError
from hospes.firmware import elf
from hospes.firmware.initrd import check_initrd
from hospes.firmware.unpack import compression, unpack, zboot_payload

KERNEL_ALIGN_BYTES: Final = 2 * 1024 * 1024

_IMAGE_MAGIC: Final = b"RSC\x05"
_IMAGE_HEADER_BYTES: Final = 64
_PE_MACHINES: Final = {
    0x014C: "x86 (32 bits)",
    0x8664: "x86-64",
    0x01C4: "Arm (32 bits)",
    0xAA64: "Arm 64 (AArch64)",
    0x5032: "RISC-V (32 bits)",
    0x6264: "LoongArch",
}
_FOREIGN: Final = (
    (0x202, b"HdrS", "an x86 Linux kernel (bzImage)"),
    (56, b"ARM\x64", "an Arm 64 Linux kernel"),
    (0, b"\x27\x05\x19\x56", "a U-Boot legacy image; extract the kernel with dumpimage"),
    (0, b"\xd0\x0d\xfe\xed", "a device tree or U-Boot FIT image"),
    (0, b"070701", "a cpio archive, perhaps the initrd"),
    (0, b"QFI\xfb", "a qcow2 disk image"),
    (0x8001, b"CD001", "an ISO 9660 image"),
    (0x438, b"\x53\xef", "an ext2/3/4 file system"),
    (0, b"!<arch>", "a Debian package or library archive"),
    (0, b"#!", "a script"),
)


class ImageKind(StrEnum):
    """How a boot file is laid out."""

    LINUX = "Linux Image"
    ELF = "ELF"
    RAW = "raw"


@dataclass(frozen=True)
class Segment:
    """Bytes for a guest physical address; up to `size_bytes` the rest is zero."""

    gpa: int
    data: bytes
    size_bytes: int

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.gpa + self.size_bytes


@dataclass(frozen=True)
class Executable:
    """A kernel or firmware; when `movable`, addresses count from wherever it is put."""

    name: str
    kind: ImageKind
    segments: tuple[Segment, ...]
    entry: int
    movable: bool
    symbols: Mapping[str, int] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """Its lowest address."""
        return min(segment.gpa for segment in self.segments)

    @property
    def end(self) -> int:
        """The first address after it."""
        return max(segment.end for segment in self.segments)

    def at(self, base: int) -> "Executable":
        """The same with its lowest address at base; itself if it is not movable."""
        if not self.movable:
            return self
        shift = base - self.start
        moved = tuple(Segment(s.gpa + shift, s.data, s.size_bytes) for s in self.segments)
        symbols = {name: value + shift for name, value in self.symbols.items()}
        return Executable(self.name, self.kind, moved, self.entry + shift, False, symbols)


@dataclass(frozen=True)
class BootFiles:
    """What is booted: a kernel, firmware, or firmware that starts a kernel."""

    kernel: Executable | None = None
    initrd: bytes | None = None
    firmware: Executable | None = None


def load_boot_files(kernel: Path | None, initrd: Path | None, firmware: Path | None) -> BootFiles:
    """Read and check the files a user named; HospesError for each that cannot be used."""
    return BootFiles(
        parse_kernel(read_file(kernel, "kernel"), f"kernel {kernel}") if kernel else None,
        _load_initrd(initrd) if initrd else None,
        parse_firmware(read_file(firmware, "firmware"), f"firmware {firmware}")
        if firmware
        else None,
    )


def _load_initrd(path: Path) -> bytes:
    data = read_file(path, "initrd")
    check_initrd(data, f"initrd {path}")
    return data


def read_file(path: Path, role: str) -> bytes:
    """A boot file's bytes; it exists, can be read and is not empty."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise HospesError(f"{role} {path} does not exist; check the path") from None
    except IsADirectoryError:
        raise HospesError(f"{role} {path} is a directory; name a file in it") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise HospesError(f"{role} {path} cannot be read ({reason}); check the path") from None
    if not data:
        raise HospesError(f"{role} {path} is empty; copy or download it again")
    return data


def parse_kernel(data: bytes, name: str) -> Executable:
    """A Linux Image (also with an EFI stub, compressed, or zboot) or an ELF executable."""
    data = _unwrap(data, name)
    if data.startswith(elf.MAGIC):
        return _from_elf(data, name)
    if data[56:60] == _IMAGE_MAGIC:
        return _from_image(data, name)
    raise HospesError(f"{name} is not a RISC-V kernel but {_describe(data)}")


def parse_firmware(data: bytes, name: str) -> Executable:
    """M-mode code: an ELF executable, or anything else as it is (a raw image)."""
    if compression(data):
        data = _unwrap(data, name)
    if data.startswith(elf.MAGIC):
        return _from_elf(data, name)
    if not data:
        raise HospesError(f"{name} is empty; copy or download it again")
    return Executable(name, ImageKind.RAW, (Segment(0, data, len(data)),), 0, True)


def _unwrap(data: bytes, name: str) -> bytes:
    """Take compression off, at most twice (a compressed zboot image)."""
    for _ in range(2):
        inner = zboot_payload(data, name)
        if inner is None:
            if not compression(data):
                break
            inner = unpack(data, name)
        data = inner
    return data


def _from_image(data: bytes, name: str) -> Executable:
    """Documentation/arch/riscv/boot-image-header.rst of the Linux kernel."""
    if len(data) < _IMAGE_HEADER_BYTES:
        raise elf.truncated(name)
    _, size, flags = struct.unpack_from("<QQQ", data, 8)
    if flags & 1:
        raise HospesError(f"{name} is a big-endian kernel; give a little-endian one")
    held = _held_bytes(data)
    if held > len(data):
        raise HospesError(
            f"{name} is truncated ({len(data)} of {held} bytes); copy or download it again"
        )
    segment = Segment(0, data, max(size, len(data)))
    return Executable(name, ImageKind.LINUX, (segment,), 0, True)


def _held_bytes(data: bytes) -> int:
    """How long the file has to be: the end of the last section in the EFI stub's PE header."""
    (pe,) = struct.unpack_from("<I", data, 60)
    if data[:2] != b"MZ" or data[pe : pe + 4] != b"PE\0\0" or len(data) < pe + 24:
        return 0
    sections, optional = struct.unpack_from("<6xH12xH", data, pe)
    table = pe + 24 + optional
    if table + 40 * sections > len(data):
        return int(table + 40 * sections)
    spans = [struct.unpack_from("<16xII", data, table + 40 * n) for n in range(sections)]
    return max((int(size + at) for size, at in spans), default=0)


def _from_elf(data: bytes, name: str) -> Executable:
    parsed = elf.read(data, name)
    segments = tuple(Segment(s.physical, s.data, s.size_bytes) for s in parsed.segments)
    # Linux's vmlinux is linked for physical address 0 and runs wherever it is put.
    movable = min(s.gpa for s in segments) < KERNEL_ALIGN_BYTES
    return Executable(name, ImageKind.ELF, segments, parsed.entry, movable, parsed.symbols)


def _describe(data: bytes) -> str:
    """What a file that is no RISC-V kernel is, and what to do."""
    for at, magic, what in _FOREIGN:
        if data[at : at + len(magic)] == magic:
            return what if ";" in what else f"{what}; give a riscv64 kernel"
    if data[:2] == b"MZ" and len(data) >= 64:
        (pe,) = struct.unpack_from("<I", data, 60)
        machine = int.from_bytes(data[pe + 4 : pe + 6], "little")
        what = _PE_MACHINES.get(machine, f"PE machine {machine:#x}")
        return f"an EFI program for {what}; give a riscv64 kernel"
    return "data of an unknown format; give a riscv64 Image, EFI-stub Image or ELF file"
