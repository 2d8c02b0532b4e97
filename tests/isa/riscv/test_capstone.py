"""Which words are instructions, and which ones, against capstone.

capstone's text is assembled by our assembler: the same word must come out. Where capstone 5 is
wrong or does not know an extension, the table below says so, with the section of the
Unprivileged ISA (version 20240411) or the Privileged ISA that is right.
"""

import os
import random

import capstone
import pytest

from hospes.isa.assembler import AssemblyError
from hospes.isa.insn import Insn
from hospes.isa.riscv import zba, zbb, zbs, zicbo, zicond
from hospes.isa.riscv.profile import RV64

CASES = int(os.environ.get("HOSPES_CASES", "300"))
WIDE = [made for made in RV64.insns if made.length == 4]
ORACLE = capstone.Cs(capstone.CS_ARCH_RISCV, capstone.CS_MODE_RISCV64 | capstone.CS_MODE_RISCVC)

UNKNOWN_EXTENSIONS = {
    made.name
    for made in RV64.insns
    if made.function.__module__ in {module.__name__ for module in (zba, zbb, zbs, zicbo, zicond)}
} | {"sfence.w.inval", "sfence.inval.ir", "sinval.vma"}
"""Chapters 12, 20 and 30 of the Unprivileged ISA, Svinval of the Privileged ISA."""

HINTS = {"c.add", "c.li", "c.lui", "c.mv", "c.nop", "c.slli"}
"""28.7: with rd = x0, or for c.nop an immediate, these are HINTs, which capstone calls illegal."""

RESERVED_FIELDS = {"fence", "fence.i"}
"""2.7 and 6: implementations ignore fm, rs1, rd and imm; capstone wants zeros."""

MISNAMED_CSRS = {0x3BD, 0x3BE}
"""pmpaddr13 and pmpaddr14 (Privileged ISA, table 4); capstone has them the wrong way round."""

CAPSTONE_ONLY = (
    (0xF07F, 0x6001, "28.5.1: c.lui with a zero immediate is reserved"),
    (0xFFFF, 0x0000, "28.5.4: the all-zero word is illegal; capstone calls it c.unimp"),
    (0xFFFF_FFFF, 0x0020_0073, "uret belonged to N, which the Privileged ISA no longer has"),
)
"""Mask and match of words that only capstone takes for instructions, and why they are none."""


def capstone_text(word: int) -> str | None:
    code = word.to_bytes(4 if word & 3 == 3 else 2, "little")
    for _, _, mnemonic, operands in ORACLE.disasm_lite(code, 0):
        return f"{mnemonic} {operands}".replace("unknown", "0")  # an empty set of accesses
    return None


def dynamic_rounding_refused(word: int) -> bool:
    """21.2: rm may be any mode in every instruction that has it; capstone refuses some."""
    found = RV64.find(word)
    return found is not None and any(field.name == "rm" for field in found.fields)


def compare(word: int) -> None:
    ours, theirs = RV64.find(word), capstone_text(word)
    if ours is None:
        known = any(word & mask == match for mask, match, _ in CAPSTONE_ONLY)
        assert theirs is None or known, f"{word:#x}: capstone has {theirs}"
        return
    if theirs is None:
        known = ours.name in UNKNOWN_EXTENSIONS | HINTS | RESERVED_FIELDS
        assert known or dynamic_rounding_refused(word), f"{word:#x}: only we have {ours.name}"
        return
    if ours.name == "c.nop":
        assert theirs.strip() == "c.nop", f"{word:#x}"
        return
    try:
        back = int.from_bytes(RV64.assemble(theirs), "little")
    except AssemblyError:
        assert any(field.name == "csr" for field in ours.fields), f"{word:#x}: {theirs}"
        return
    misnamed = "csr" in theirs and word >> 20 in MISNAMED_CSRS
    assert back == word or misnamed, (
        f"{word:#x}: capstone has {theirs}, we {RV64.disassemble(word)}"
    )


def test_every_compressed_word() -> None:
    for word in range(0x10000):
        if word & 3 != 3:
            compare(word)


@pytest.mark.parametrize("made", WIDE, ids=[made.name for made in WIDE])
def test_around_each_instruction(made: Insn) -> None:
    """Words of the instruction, and words one bit away from it."""
    rng = random.Random(made.name)
    for _ in range(CASES // 10):
        word = rng.getrandbits(32) & ~made.mask | made.match
        compare(word)
        compare((word ^ 1 << rng.randrange(2, 32)) | 3)


def test_random_words() -> None:
    rng = random.Random(2)
    for _ in range(CASES * 100):
        compare(rng.getrandbits(32) | 3)


@pytest.mark.soak
def test_every_opcode_and_function_code() -> None:
    for word in range(3, 0x80, 4):
        for code in range(1 << 15):
            for registers in (0, 0x50500):
                compare(word | (code & 7) << 12 | (code >> 3) << 20 | registers)
