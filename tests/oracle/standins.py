"""Sequences of base instructions that do what an instruction of a newer extension is specified to.

QEMU 7.2 knows neither Zicond nor Zicbom nor Zicboz, unicorn 2.1 knows even less. In images for them
these instructions are replaced, so that the judge still computes the result expected of us.
"""

from collections.abc import Callable
from typing import Final

from tests.oracle.image import Image, encode
from tests.oracle.words import registers_of

from hospes.isa.insn import Insn

BLOCK_BYTES: Final = 64

Sequence = Callable[[Image, int, int, int, int], None]
"""Emits a sequence for the registers rd, rs1 and rs2; the last one is free to use."""


def _zero_if_equal(image: Image, rd: int, rs1: int, rs2: int, free: int) -> None:
    """czero.eqz, "Integer Conditional Operations": a mask of ones unless rs2 is zero."""
    image.emit(
        encode("sltu", rd=free, rs1=0, rs2=rs2),
        encode("sub", rd=free, rs1=0, rs2=free),
        encode("and", rd=rd, rs1=rs1, rs2=free),
    )


def _zero_if_not_equal(image: Image, rd: int, rs1: int, rs2: int, free: int) -> None:
    """czero.nez: a mask of ones if rs2 is zero."""
    image.emit(
        encode("sltu", rd=free, rs1=0, rs2=rs2),
        encode("addi", rd=free, rs1=free, imm=-1),
        encode("and", rd=rd, rs1=rs1, rs2=free),
    )


def _zero_block(image: Image, rd: int, rs1: int, rs2: int, free: int) -> None:
    """cbo.zero, "Cache-Block Zero Instructions": the naturally aligned block of 64 bytes."""
    image.emit(encode("andi", rd=free, rs1=rs1, imm=-BLOCK_BYTES))
    for offset in range(0, BLOCK_BYTES, 8):
        image.emit(encode("sd", rs1=free, rs2=0, imm=offset))


def _nothing(image: Image, rd: int, rs1: int, rs2: int, free: int) -> None:
    """Cache-block management changes no value in coherent memory."""
    image.emit(encode("addi", rd=0, rs1=0, imm=0))


STAND_INS: Final[dict[str, Sequence]] = {
    "czero.eqz": _zero_if_equal,
    "czero.nez": _zero_if_not_equal,
    "cbo.zero": _zero_block,
    "cbo.inval": _nothing,
    "cbo.clean": _nothing,
    "cbo.flush": _nothing,
}


def execute(image: Image, made: Insn, word: int, free: int) -> None:
    """Append the instruction, or what stands in for it if the image wants that; either takes the
    same room, so that the images have the same addresses."""
    if made.name not in STAND_INS:
        image.emit(word)
        return
    start = len(image.code)
    registers = registers_of(made, word)
    numbers = [source[0] if source else 0 for source in registers.sources[:2]]
    destination = registers.destination[0] if registers.destination else 0
    STAND_INS[made.name](image, destination, numbers[0], numbers[1], free)
    if not image.stand_ins:
        padding = (len(image.code) - start) // 4 - 1
        del image.code[start:]
        image.emit(word, *([encode("addi", rd=0, rs1=0, imm=0)] * padding))
