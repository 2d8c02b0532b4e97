"""Kernels and firmware: every accepted format, every refusal."""

import bz2
import gzip
import lzma
import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard

from hospes.base.errors import HospesError
from hospes.firmware.image import ImageKind, load_boot_files, parse_firmware, parse_kernel

OPENSBI = Path("/usr/lib/riscv64-linux-gnu/opensbi/generic")


def zboot(payload: bytes) -> bytes:
    head = struct.pack("<2sH4sII8x8s", b"MZ", 0, b"zimg", 64, len(payload), b"gzip\0")
    return head.ljust(64, b"\0") + payload + b"trailing"


@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        lzma.compress,
        bz2.compress,
        lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
        zstandard.ZstdCompressor().compress,
        lambda data: gzip.compress(data) + b"appended",
        lambda data: zboot(gzip.compress(data)),
        lambda data: zboot(zstandard.ZstdCompressor().compress(data) + b"\0\0\0\0"),
        lambda data: gzip.compress(zboot(lzma.compress(data))),
    ],
)
def test_linux_images_however_wrapped(files, pack: Callable[[bytes], bytes]) -> None:
    for plain in (files.image(), files.stub_image()):
        kernel = parse_kernel(pack(plain), "kernel k").at(0x8020_0000)
        assert kernel.kind is ImageKind.LINUX
        assert (kernel.entry, kernel.end) == (0x8020_0000, 0x8060_0000)
        assert kernel.segments[0].data == plain


def test_elf_kernels_at_their_address_or_moved(files) -> None:
    fixed = parse_kernel(files.elf(0x8040_0000), "kernel k").at(0x8020_0000)
    assert (fixed.start, fixed.entry) == (0x8040_0000, 0x8040_0004)
    linked = files.elf(0, virtual=0xFFFF_FFFF_8000_0000)
    moved = parse_kernel(gzip.compress(linked), "kernel k").at(0x8020_0000)
    assert (moved.start, moved.entry) == (0x8020_0000, 0x8020_0004)
    assert moved.symbols == {"tohost": 0x8020_0800, "fromhost": 0x8020_0840}


def test_firmware_is_elf_or_raw(files) -> None:
    program = parse_firmware(files.elf(), "firmware f")
    assert (program.kind, program.symbols["tohost"]) == (ImageKind.ELF, 0x8000_0800)
    raw = parse_firmware(b"\x6f\0\0\0", "firmware f").at(0x8000_0000)
    assert (raw.kind, raw.entry) == (ImageKind.RAW, 0x8000_0000)
    assert raw.segments[0].data == b"\x6f\0\0\0"


@pytest.mark.skipif(not OPENSBI.exists(), reason="Debian's opensbi package is not installed")
def test_stock_opensbi() -> None:
    for name in ("fw_jump.elf", "fw_dynamic.elf"):
        firmware = parse_firmware((OPENSBI / name).read_bytes(), name)
        assert (firmware.kind, firmware.start, firmware.entry) == (
            ImageKind.ELF, 0x8000_0000, 0x8000_0000,
        )


def at(offset: int, magic: bytes, size: int = 0x9000) -> bytes:
    return (bytes(offset) + magic).ljust(size, b"\0")


def pe(machine: int) -> bytes:
    return b"MZ" + bytes(58) + struct.pack("<I4sH", 64, b"PE\0\0", machine) + bytes(64)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (at(0x202, b"HdrS"), "is not a RISC-V kernel but an x86 Linux kernel"),
        (at(56, b"ARM\x64"), "an Arm 64 Linux kernel; give a riscv64"),
        (pe(0x8664), "an EFI program for x86-64"),
        (pe(0x1234), "an EFI program for PE machine 0x1234"),
        (at(0, b"QFI\xfb"), "a qcow2 disk image"),
        (at(0, b"070701"), "perhaps the initrd"),
        (at(0, b"\x27\x05\x19\x56"), "a U-Boot legacy image; extract"),
        (b"hello world", "data of an unknown format"),
        (b"MZ", "data of an unknown format"),
        (b"\x02\x21\x4c\x18" + bytes(50), "compressed with lz4, which is not supported"),
        (gzip.compress(b"text", mtime=0), "data of an unknown format"),
        (gzip.compress(bytes(100_000), mtime=0)[:60], "its gzip data does not unpack"),
        (lzma.compress(b"x" * 100)[:-9], "its xz data does not unpack"),
        (b"\x28\xb5\x2f\xfdgarbage", "its zstd data does not unpack"),
        (zboot(b"x" * 100)[:90], "is truncated"),
    ],
)
def test_what_is_no_kernel_is_named(data: bytes, words: str) -> None:
    with pytest.raises(HospesError, match=words) as caught:
        parse_kernel(data, "kernel k")
    assert str(caught.value).startswith("kernel k ")


def test_elf_refusals(files) -> None:
    good = files.elf()
    cases = {
        files.elf(machine=62): "is an ELF file for x86-64; give one built for riscv64",
        files.elf(machine=999): "for ELF machine 999",
        files.elf(kind=1): "not an executable",
        good[:4] + b"\x01" + good[5:]: "32-bit ELF",
        good[:5] + b"\x02" + good[6:]: "big-endian ELF",
        good[:30]: "is truncated",
        good[:100]: "is truncated",
        good[:0x204]: "is truncated",
    }
    for data, words in cases.items():
        with pytest.raises(HospesError, match=words):
            parse_kernel(data, "kernel k")


def test_truncated_stub_image_is_noticed(files) -> None:
    with pytest.raises(HospesError, match=r"truncated \(5000 of 8192 bytes\)"):
        parse_kernel(files.stub_image()[:5000], "kernel k")


def test_every_prefix_of_good_files_is_accepted_or_refused_in_a_sentence(files) -> None:
    for whole in (files.elf(), files.stub_image(4096), zboot(gzip.compress(files.image()))):
        for length in range(1, len(whole), 7):
            with suppress(HospesError):
                parse_kernel(whole[:length], "kernel k")


def test_files_of_a_user(files, tmp_path: Path) -> None:
    kernel, initrd, cut, empty = (tmp_path / name for name in "kice")
    kernel.write_bytes(files.image())
    initrd.write_bytes(files.cpio())
    cut.write_bytes(files.cpio()[:-100])
    empty.touch()
    loaded = load_boot_files(kernel, initrd, None)
    assert loaded.kernel
    assert loaded.initrd == files.cpio()
    for path, words in (
        (tmp_path / "none", "none does not exist"),
        (tmp_path, "is a directory"),
        (empty, "is empty"),
    ):
        with pytest.raises(HospesError, match=f"kernel .*{words}"):
            load_boot_files(path, None, None)
    with pytest.raises(HospesError, match=r"initrd .*c is truncated or damaged"):
        load_boot_files(kernel, cut, None)
