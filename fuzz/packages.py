"""Fuzz target: damaged Debian packages, initramfs archives and kernel modules."""

import io
import lzma
import random
import struct
import tempfile
from pathlib import Path

from fuzz.harness import damage, main, odd_number, one_sentence
from tests.guests.debs import PACKERS, ar, deb, member, tar

from hospes.guests.cpio import read_archive, write_archive
from hospes.guests.deb import Package
from hospes.guests.light_modules import ELF_HEADER, ELF_MAGIC, SECTION, write_light_modules
from hospes.guests.tree import regular, symlink

MODULE = "./usr/lib/modules/1/a.ko.xz"
NAMES = ("./a", "./a/b", "../x", "/x", "./" + "n" * 300, "./\udcff", ".", "./d/\x01")
TYPES = (b"0", b"1", b"2", b"3", b"5", b"6", b"7", b"L", b"Z")
HEADERS: tuple[dict[str, str], ...] = ({}, {}, {"mtime": "x"}, {"size": "-1"}, {"path": "../x"})


def case(chance: random.Random) -> None:
    """A package and an initramfs."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "a_1_riscv64.deb"
        make_package(chance, path)
        package = Package(path)
        one_sentence(package.control)
        one_sentence(lambda: write_archive(package.files(), io.BytesIO()))
        one_sentence(lambda: write_light_modules(path, io.BytesIO()))
        assert package.made_s() >= 0
    one_sentence(lambda: write_archive(read_archive(archive(chance)), io.BytesIO()))


def make_package(chance: random.Random, path: Path) -> None:
    """A package with members of all kinds; damaged outside, inside, or not."""
    packer = chance.choice(tuple(PACKERS))
    members = []
    for _ in range(chance.randrange(5)):
        kind = chance.choice(TYPES)
        info = member(chance.choice(NAMES), kind, chance.choice(("", "a", "./a", "../x")))
        info.uid = chance.choice((0, 1, 1 << 40))
        info.pax_headers = dict(chance.choice(HEADERS))
        members.append((info, bytes(chance.randrange(900)) if kind == b"0" else b""))
    members.append((member(MODULE), lzma.compress(module(chance))))
    if chance.random() < 0.6:
        deb(path, *members, packer=packer)
        if chance.random() < 0.7:
            path.write_bytes(damage(chance, path.read_bytes()))
        return
    pack = PACKERS[packer]
    control = tar((member("./control"), b"Package: a\nVersion: \xff\n"[: chance.randrange(30)]))
    parts = [pack(damage(chance, control)), pack(damage(chance, tar(*members)))]
    suffix = chance.choice((packer, packer, "bz2", "xz", "tar"))
    names = ("debian-binary", f"control.tar.{suffix}", f"data.tar.{suffix}")
    path.write_bytes(ar(*zip(names, (b"2.0\n", *parts), strict=True)))


def module(chance: random.Random) -> bytes:
    """An ELF file with a few sections, mostly sound."""
    names = b"\0.modinfo\0.symtab\0.strtab\0.shstrtab\0"
    contents = (b"", b"license=GPL\0", bytes(24) + b"\1" + bytes(23), b"\0__crc_a\0", names)
    data, sections = bytearray(ELF_HEADER.size), []
    for number, content in enumerate(contents):
        at = len(data) if chance.random() < 0.97 else odd_number(chance, 64) % (1 << 64)
        fields = [0, 0, 0, 0, at, len(content), 3, 0, 8, 24]
        fields[0] = (0, 1, 10, 18, 26)[number]
        if chance.random() < 0.1:
            fields[chance.choice((0, 5, 6))] = odd_number(chance, 32) & 0xFFFF_FFFF
        sections.append(SECTION.pack(*fields))
        data += content
    header = [ELF_MAGIC, 1, 243, 1, 0, 0, len(data), 0, 64, 0, 0, 64, len(sections), 4]
    if chance.random() < 0.2:
        header[chance.choice((6, 12, 13))] = odd_number(chance, 16) & 0xFFFF
    data[: ELF_HEADER.size] = struct.pack(ELF_HEADER.format, *header)
    whole = bytes(data) + b"".join(sections)
    return whole if chance.random() < 0.7 else damage(chance, whole)


def archive(chance: random.Random) -> bytes:
    """A small initramfs."""
    out = io.BytesIO()
    write_archive([regular("init", b"x" * chance.randrange(99)), symlink("a/b", "init")], out)
    return damage(chance, out.getvalue())


if __name__ == "__main__":
    main(case)
