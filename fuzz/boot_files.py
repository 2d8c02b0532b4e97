"""Fuzz target: damaged kernels, initrds and device trees are refused in one sentence or taken."""

import gzip
import random
import struct

from fuzz.harness import RAM_BASE, main, odd_number, one_sentence

from hospes.firmware import fdt
from hospes.firmware.image import BootFiles, parse_firmware, parse_kernel
from hospes.firmware.initrd import check_initrd
from hospes.firmware.placement import plan_boot


def elf() -> bytes:
    """An executable with one segment and a symbol table."""
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, 243, 1, 0x8000_0000, 64,
                         160, 0, 64, 56, 1, 64, 2, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, 0x8000_0000, 0x8000_0000, 128, 4096, 4096)
    body = (header + load).ljust(160, b"\0")
    table = struct.pack("<IIQQQQIIQQ", 0, 2, 0, 0, 288, 48, 1, 0, 8, 24)
    text = struct.pack("<IIQQQQIIQQ", 0, 3, 0, 0, 336, 8, 0, 0, 1, 0)
    symbol = struct.pack("<IBBHQQ", 1, 0, 0, 1, 8, 8)
    return body + table + text + bytes(24) + symbol + b"\0tohost\0"


def image() -> bytes:
    """A Linux Image with an EFI stub."""
    data = bytearray(1024)
    struct.pack_into("<2sxxIQQQIIQ8s4sI", data, 0, b"MZ", 0, 0x20_0000, 4096, 0, 2, 0, 0,
                     b"RISCV", b"RSC\x05", 64)
    struct.pack_into("<4sHH12xHH", data, 64, b"PE\0\0", 0x5064, 1, 0, 0)
    struct.pack_into("<8sIIII", data, 88, b".text", 0, 0, 512, 512)
    return bytes(data)


def cpio() -> bytes:
    """An archive with one empty file."""
    parts = []
    for name in (b"init\0", b"TRAILER!!!\0"):
        head = b"070701" + b"".join(b"%08X" % n for n in (0,) * 11 + (len(name), 0)) + name
        parts.append(head + bytes(-len(head) % 4))
    return b"".join(parts)


def tree() -> bytes:
    """A small device tree."""
    root = fdt.Node("").set("compatible", "a", "b")
    root.add("soc").set("empty").add("uart@1").set("reg", 1, 2)
    return fdt.write(root)


SEEDS = (elf(), image(), gzip.compress(image()), cpio(), tree())


def case(chance: random.Random) -> None:
    """One seed file, damaged a little or cut, given to every reader."""
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randrange(5)):
        at, size = chance.randrange(len(data)), chance.choice((1, 2, 4, 8))
        data[at : at + size] = odd_number(chance, 8 * size).to_bytes(size + 1, "little")[:size]
    if chance.random() < 0.3:
        del data[chance.randrange(len(data)) :]
    for reader in (parse_kernel, parse_firmware, check_initrd):
        one_sentence(lambda reader=reader: reader(bytes(data), "file f"))
    one_sentence(lambda: fdt.read(bytes(data)))
    one_sentence(lambda: placed(chance, bytes(data)))


def placed(chance: random.Random, data: bytes) -> None:
    """Whatever is placed lies in memory, and no more data than room for it."""
    memory_bytes = chance.choice((1 << 20, 64 << 20, 1 << 33))
    one, other = parse_firmware(data, "firmware f"), parse_kernel(elf(), "kernel k")
    if chance.random() < 0.5:
        one, other = parse_firmware(elf(), "firmware f"), parse_kernel(data, "kernel k")
    alone, both = BootFiles(other, bytes(5000)), BootFiles(other, b"", one)
    for files in (BootFiles(firmware=one), alone, both):
        for segment in plan_boot(memory_bytes, files).segments:
            assert RAM_BASE <= segment.gpa <= segment.end <= RAM_BASE + memory_bytes
            assert len(segment.data) <= segment.size_bytes


if __name__ == "__main__":
    main(case)
