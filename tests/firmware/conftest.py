"""Boot files made by hand: a Linux Image, an ELF executable."""

import struct

import pytest


class Files:
    """Builders of minimal, valid boot files."""

    @staticmethod
    def image(held: int = 8192, size: int = 0x40_0000) -> bytes:
        header = struct.pack("<IIQQQIIQ8s4sI", 0x6F, 0, 0x20_0000, size, 0, 2, 0, 0, b"RISCV\0\0\0",
                             b"RSC\x05", 0)
        return header + bytes(range(256)) * ((held - len(header)) // 256 + 1)

    @staticmethod
    def stub_image(held: int = 8192) -> bytes:
        """With an EFI stub: MZ, a PE header at 64 and one section up to the end."""
        data = bytearray(Files.image(held)[:held])
        data[:2] = b"MZ"
        struct.pack_into("<I", data, 60, 64)
        struct.pack_into("<4sHH12xHH", data, 64, b"PE\0\0", 0x5064, 1, 0, 0)
        struct.pack_into("<8sIIII", data, 88, b".text", 0, 0, held - 512, 512)
        return bytes(data)

    @staticmethod
    def elf(
        physical: int = 0x8000_0000,
        virtual: int | None = None,
        entry: int | None = None,
        machine: int = 243,
        kind: int = 2,
        code: bytes = b"\x13\0\0\0" * 4,
        size: int = 0x1000,
    ) -> bytes:
        virtual = physical if virtual is None else virtual
        entry = virtual + 4 if entry is None else entry
        strings = b"\0tohost\0fromhost\0"
        symbols = struct.pack("<24x") + b"".join(
            struct.pack("<IBBHQQ", at, 0x10, 0, 1, physical + value, 8)
            for at, value in ((1, 0x800), (8, 0x840))
        )
        code_at, strings_at = 0x200, 0x200 + len(code)
        symbols_at = strings_at + len(strings)
        sections_at = symbols_at + len(symbols)
        ident = b"\x7fELF\x02\x01\x01" + bytes(9)
        header = struct.pack("<16sHHIQQQIHHHHHH", ident, kind, machine, 1, entry, 64, sections_at,
                             0, 64, 56, 1, 64, 3, 0)
        load = struct.pack("<IIQQQQQQ", 1, 5, code_at, virtual, physical, len(code), size, 4096)
        body = (header + load).ljust(code_at, b"\0") + code + strings + symbols
        section = "<IIQQQQIIQQ"
        return (
            body
            + bytes(64)
            + struct.pack(section, 0, 3, 0, 0, strings_at, len(strings), 0, 0, 1, 0)
            + struct.pack(section, 0, 2, 0, 0, symbols_at, len(symbols), 1, 0, 8, 24)
        )

    @staticmethod
    def cpio(names: tuple[str, ...] = ("init",), data: bytes = b"hello") -> bytes:
        out = b""
        for name in (*names, "TRAILER!!!"):
            held = b"" if name == "TRAILER!!!" else data
            fields = [0, 0o100755, 0, 0, 1, 0, len(held), 0, 0, 0, 0, len(name) + 1, 0]
            out += b"070701" + b"".join(b"%08X" % value for value in fields)
            out += name.encode() + b"\0"
            out += bytes(-len(out) % 4) + held
            out += bytes(-len(out) % 4)
        return out


@pytest.fixture
def files() -> type[Files]:
    return Files
