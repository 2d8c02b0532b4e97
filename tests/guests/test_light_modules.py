"""Kernel modules cut down for depmod."""

import io
import lzma
import struct
from pathlib import Path

import pytest
from tests.guests.debs import deb, member

from hospes.base.errors import HospesError
from hospes.guests.cpio import read_archive
from hospes.guests.light_modules import (
    ELF_HEADER,
    SECTION,
    lighten,
    stored_xz,
    write_light_modules,
)

LOCAL, GLOBAL = 0, 0x10
SYMBOLS = ((b"", LOCAL), (b".L1", LOCAL), (b"__crc_mine", LOCAL), (b"mine", GLOBAL))


def module() -> bytes:
    """An ELF file with code, module information and a symbol table."""
    strings, symbols = b"\0", b""
    for name, info in SYMBOLS:
        at = len(strings) if name else 0
        strings += name + b"\0" if name else b""
        symbols += struct.pack("<IBBHQQ", at, info, 0, 1, 0, 0)
    names = b"\0.text\0.modinfo\0.symtab\0.strtab\0.shstrtab\0"
    contents = [
        (b"", b"", 0),
        (b".text", b"code" * 100, 0),
        (b".modinfo", b"alias=thing\0depends=other\0", 0),
        (b".symtab", symbols, 4),
        (b".strtab", strings, 0),
        (b".shstrtab", names, 0),
    ]
    body, table = b"", b""
    for name, content, link in contents:
        at = names.index(b"\0" + name + b"\0") + 1 if name else 0
        place = ELF_HEADER.size + len(body)
        table += SECTION.pack(at, 1, 0, 0, place, len(content), link, 0, 1, 0)
        body += content
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    start = ELF_HEADER.size + len(body)
    header = ELF_HEADER.pack(
        ident, 1, 243, 1, 0, 0, start, 0, ELF_HEADER.size, 0, 0, SECTION.size, len(contents), 5
    )
    return header + body + table


def sections(data: bytes) -> list[bytes]:
    table, count = ELF_HEADER.unpack_from(data)[6], ELF_HEADER.unpack_from(data)[12]
    found = []
    for number in range(count):
        section = SECTION.unpack_from(data, table + SECTION.size * number)
        found.append(data[section[4] : section[4] + section[5]])
    return found


def test_what_depmod_reads_stays_and_the_code_goes() -> None:
    before, after = sections(module()), sections(lighten(module()))
    assert after[1] == b""
    assert after[2] == before[2]
    assert after[4] == b"\0__crc_mine\0mine\0"
    assert [struct.unpack_from("<IB", after[3], at) for at in range(0, len(after[3]), 24)] == [
        (0, LOCAL), (1, LOCAL), (12, GLOBAL),
    ]  # fmt: skip
    assert len(lighten(module())) < len(module())


def test_what_is_no_module_is_refused() -> None:
    with pytest.raises(HospesError, match="not a 64-bit ELF file"):
        lighten(b"\x7fELF\x01\x01" + bytes(100))


@pytest.mark.parametrize("at", [40, 60, 62])
def test_a_module_with_damaged_tables_is_refused(at: int) -> None:
    damaged = bytearray(module())
    damaged[at : at + 2] = b"\xff\x7f"
    with pytest.raises(HospesError, match="damaged tables"):
        lighten(bytes(damaged))


def test_a_module_whose_compression_is_damaged_is_refused(tmp_path: Path) -> None:
    content = lzma.compress(module())[:-40] + bytes(40)
    package = deb(tmp_path / "linux.deb", (member("./lib/a.ko.xz"), content))
    with pytest.raises(HospesError, match=r"linux\.deb is damaged"):
        write_light_modules(package, io.BytesIO())


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 65537, 300_000])
def test_an_xz_file_that_holds_data_as_it_is(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    assert lzma.decompress(stored_xz(data)) == data


def test_a_packages_modules_become_an_archive(tmp_path: Path) -> None:
    path = "./usr/lib/modules/9/kernel/a.ko.xz"
    package = deb(
        tmp_path / "kernel.deb",
        (member(path), lzma.compress(module())),
        (member("./boot/vmlinux-9"), b"kernel"),
    )
    out = io.BytesIO()
    assert write_light_modules(package, out) == 1
    [entry] = [entry for entry in read_archive(out.getvalue()) if entry.is_regular]
    assert entry.path == "usr/lib/modules/9/kernel/a.ko.xz"
    assert lzma.decompress(entry.data) == lighten(module())
