"""Blocks for instructions that compute: load operands, execute, store what came out."""

from random import Random
from typing import Final

import numpy as np
from tests.oracle.image import Block, Image, Rows, encode
from tests.oracle.operands import cancelling, floating_state, held, integer, number, special
from tests.oracle.standins import execute
from tests.oracle.words import Registers, is_float, random_words, registers_of

from hospes.base.ieee import BINARY32, BINARY64
from hospes.isa.insn import Insn
from hospes.isa.riscv import (
    rv_d,
    rv_d_convert,
    rv_f,
    rv_f_convert,
    rv_i,
    rv_iw,
    rv_m,
    zba,
    zbb,
    zbs,
    zicond,
)  # fmt: skip
from hospes.isa.riscv.profile import RV64

ROW_BYTES: Final = 32
STATE_SLOT: Final = 24
"""A row of operands: rs1, rs2, rs3, fcsr."""
CONTROL: Final = {"jal", "jalr", "beq", "bne", "blt", "bge", "bltu", "bgeu"}
LOADS: Final = {"lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "flw", "fld"}
STORES: Final = {"sb", "sh", "sw", "sd", "fsw", "fsd"}
FLOATING: Final = {module.__name__ for module in (rv_f, rv_f_convert, rv_d, rv_d_convert)}
INTEGER: Final = {module.__name__ for module in (rv_i, rv_iw, rv_m)}
BITS: Final = {module.__name__ for module in (zba, zbb, zbs)}
CONDITIONAL: Final = {zicond.__name__}


def computing(modules: set[str]) -> list[Insn]:
    """The instructions whose functions are in these modules, without jumps, loads and stores."""
    apart = CONTROL | LOADS | STORES
    return [
        made
        for made in RV64.insns
        if made.function.__module__ in modules
        and made.function.__name__ not in apart
        and not made.serial
    ]


def integer_rows(random: Random, count: int) -> Rows:
    """Operands for integer instructions; often equal, or one the other's negative."""
    rows = []
    for _ in range(count):
        a, b = integer(random), integer(random)
        choice = random.randrange(8)
        if choice == 0:
            b = a
        elif choice == 1:
            b = -a & (1 << 64) - 1
        rows.append((a, b, 0, 0))
    return np.array(rows, dtype=np.uint64)


def floating_rows(made: Insn, random: Random, count: int) -> Rows:
    """Operands for a floating-point instruction."""
    f = BINARY32 if _reads_singles(made) else BINARY64
    rows = []
    for _ in range(count):
        pick = number if random.randrange(8) else special
        a, b, c = (held(random, f, pick) for _ in range(3))
        choice = random.randrange(8) if pick is number else 8
        if choice < 2:
            exact = cancelling(random, f, a & (2 * f.sign - 1), b & (2 * f.sign - 1))
            c = exact | c >> 32 << 32 if f is BINARY32 else exact
        elif choice == 2:
            b = a ^ random.choice((0, f.sign, 1))
        if not is_float(made, "rs1"):
            a = integer(random)
        rows.append((a, b, c, floating_state(random)))
    return np.array(rows, dtype=np.uint64)


def _reads_singles(made: Insn) -> bool:
    parts = made.name.split(".")
    return parts[-1] == "s" or parts[:3] == ["fmv", "x", "w"]


def compute_block(image: Image, made: Insn, cases: int) -> Block:
    """Append about so many cases of one instruction to an image."""
    random = image.random
    floating = made.function.__module__ in FLOATING
    a, b, end, free = reserved(random, made)
    count = max(6, min(48, cases // 24))
    words = random_words(made, random, count, {a, b, end, free})
    if not any(registers_of(made, word).sources != (None,) * 3 for word in words):
        rows = np.zeros((1, 4), dtype=np.uint64)
    elif floating:
        rows = floating_rows(made, random, -(-cases // count))
    else:
        rows = integer_rows(random, -(-cases // count))
    fields = ("result", "fcsr") if floating else ("result",)
    block = Block(made, words, rows, fields)
    image.add(block)
    gpa = image.place_rows(rows)
    pointers = {f"x{b}": block.results_gpa, f"x{end}": gpa + ROW_BYTES * len(rows), f"x{a}": gpa}
    image.pointers(**pointers)
    loop = image.pc
    for index, word in enumerate(words):
        _case(image, block, word, 8 * len(fields) * index, (a, b, free), floating=floating)
    close_loop(image, block, (a, b, end), loop)
    return block


def reserved(random: Random, made: Insn, count: int = 4) -> list[int]:
    """Registers for the program's own use that the instruction can do without."""
    fixed = {source for name, source in made.operands if name.startswith("r")}
    primed = any(field.name.endswith("'") for field in made.fields)
    free = [n for n in range(1, 32) if n not in fixed and not (primed and 8 <= n < 16)]
    return random.sample(free, count)


def load_operands(image: Image, registers: Registers, pointer: int) -> None:
    """Load the sources from the row that a register points to."""
    loaded = set()
    for slot, source in enumerate(registers.sources):
        if source is None or source in loaded or source == (0, False):
            continue
        loaded.add(source)
        number, floating = source
        image.emit(encode("fld" if floating else "ld", rd=number, rs1=pointer, imm=8 * slot))


def close_loop(image: Image, block: Block, pointers: tuple[int, int, int], loop: int) -> None:
    """Advance to the next row and its results, until the last."""
    a, b, end = pointers
    image.emit(encode("addi", rd=a, rs1=a, imm=ROW_BYTES))
    image.emit(encode("addi", rd=b, rs1=b, imm=block.stride))
    image.emit(encode("beq", rs1=a, rs2=end, imm=8))
    image.emit(encode("jal", rd=0, imm=loop - image.pc))


def store_result(image: Image, registers: Registers, pointer: int, offset: int) -> None:
    """Store the destination, or x0 if there is none."""
    number, floating = registers.destination or (0, False)
    name = "fsd" if floating else "sd"
    image.emit(encode(name, rs2=number, rs1=pointer, imm=offset))


def _set_destination(image: Image, registers: Registers, pointer: int) -> None:
    """Give the destination a value of its own, which an illegal rounding mode leaves there."""
    if registers.destination is None or registers.destination in registers.sources:
        return
    number, floating = registers.destination
    name = "fld" if floating else "ld"
    image.emit(encode(name, rd=number, rs1=pointer, imm=STATE_SLOT))


def _case(
    image: Image,
    block: Block,
    word: int,
    offset: int,
    pointers: tuple[int, int, int],
    *,
    floating: bool,
) -> None:
    a, b, free = pointers
    registers = registers_of(block.made, word)
    load_operands(image, registers, a)
    if floating:
        _set_destination(image, registers, a)
        image.emit(encode("ld", rd=free, rs1=a, imm=STATE_SLOT))
        image.emit(encode("csrrw", rd=0, csr=3, rs1=free))
    block.places.append(image.pc)
    execute(image, block.made, word, free)
    store_result(image, registers, b, offset)
    if floating:
        image.emit(encode("csrrs", rd=free, csr=3, rs1=0))
        image.emit(encode("sd", rs2=free, rs1=b, imm=offset + 8))
