"""Linux programs for the guest, assembled by our own assembler: for both guests the same bytes."""

import struct
from typing import Final

from hospes.isa.riscv.profile import RV64

BASE: Final = 0x10000
HEADERS_BYTES: Final = 64 + 56
RISCV_MACHINE: Final = 243
HARD_DOUBLE: Final = 5
"""e_flags: compressed instructions, double-precision calling convention."""


def executable(source: str, spare_bytes: int = 0) -> bytes:
    """An ELF executable without sections; `end` is where its spare bytes, zeros, begin."""
    start = BASE + HEADERS_BYTES
    code = RV64.assemble(f"{source}\nend:\n", start)
    size = HEADERS_BYTES + len(code)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = identity + struct.pack(
        "<HHIQQQIHHHHHH",
        2, RISCV_MACHINE, 1, start, 64, 0, HARD_DOUBLE, 64, 56, 1, 0, 0, 0,
    )  # fmt: skip
    access = 7 if spare_bytes else 5
    whole = size + spare_bytes
    return header + struct.pack("<IIQQQQQQ", 1, access, 0, BASE, BASE, size, whole, 0x1000) + code
