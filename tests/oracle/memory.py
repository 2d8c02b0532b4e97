"""Blocks for loads, stores and atomics: all alignments, page crossings, addresses outside RAM."""

from random import Random
from typing import Final

import numpy as np
from tests.oracle.compute import (
    LOADS,
    ROW_BYTES,
    STORES,
    close_loop,
    integer_rows,
    load_operands,
    reserved,
    store_result,
)
from tests.oracle.image import DATA, DATA_BYTES, END, Block, Image, Rows, encode
from tests.oracle.operands import integer
from tests.oracle.standins import execute
from tests.oracle.words import random_words, registers_of

from hospes.isa.insn import Insn
from hospes.isa.riscv import rv_a, zicbo
from hospes.isa.riscv.profile import RV64

U64: Final = (1 << 64) - 1
MARGIN: Final = 4096
OUTSIDE: Final = (0x0500_0000, END, END + 0x1234_5678, 1 << 56, 1 << 63, U64 - 0x3000)
"""Addresses at which neither judge has anything; the last one leaves room for an offset."""
RESERVATIONS: Final = {"lr_w", "lr_d", "sc_w", "sc_d"}

LOADING: Final = [made for made in RV64.insns if made.function.__name__ in LOADS]
STORING: Final = [made for made in RV64.insns if made.function.__name__ in STORES]
ATOMIC: Final = [
    made
    for made in RV64.insns
    if made.function.__module__ == rv_a.__name__ and made.function.__name__ not in RESERVATIONS
]

CACHE: Final = [made for made in RV64.insns if made.function.__module__ == zicbo.__name__]


def offset_of(made: Insn, word: int) -> int:
    """The constant part of a load's or store's address."""
    values = dict(zip((name for name, _ in made.operands), made.arguments(word), strict=True))
    return values.get("imm", 0)


def address(random: Random) -> int:
    """An address in the data window that leaves room for any offset; often at a page's end."""
    page = random.randrange(1 + MARGIN // 4096, DATA_BYTES // 4096 - MARGIN // 4096)
    if random.randrange(2):
        return DATA + 4096 * page + random.randrange(-9, 9)
    return DATA + 4096 * page + random.randrange(4096)


def address_rows(random: Random, count: int, offsets: list[int]) -> Rows:
    """Rows of a base address (in RAM after an offset, or rarely far outside) and a value."""
    rows = []
    for _ in range(count):
        base = (address(random) - random.choice(offsets)) & U64
        if random.randrange(24) == 0:
            base = (random.choice(OUTSIDE) + random.randrange(0, 64) + MARGIN) & U64
        rows.append((base, integer(random), integer(random), 0))
    return np.array(rows, dtype=np.uint64)


def memory_block(image: Image, made: Insn, cases: int) -> Block:
    """Append about so many cases of a load or store. A store is read back, eight bytes wide."""
    random = image.random
    a, b, end, back = reserved(random, made)
    count = max(6, min(40, cases // 24))
    words = random_words(made, random, count, {a, b, end, back})
    rows = address_rows(random, -(-cases // count), [offset_of(made, word) for word in words])
    storing = made.function.__name__ in STORES
    block = Block(made, words, rows, ("memory",) if storing else ("result",))
    open_block(image, block, a, b, end)
    loop = image.pc
    for number, word in enumerate(words):
        registers = registers_of(made, word)
        load_operands(image, registers, a)
        image.emit(encode("ld", rd=back, rs1=a, imm=16))
        destination = registers.destination
        if destination and destination not in registers.sources:
            name = "fld" if destination[1] else "ld"
            image.emit(encode(name, rd=destination[0], rs1=a, imm=16))
        block.places.append(image.pc)
        image.emit(word)
        if storing:
            base = registers.sources[0]
            assert base is not None
            image.emit(encode("ld", rd=back, rs1=base[0], imm=offset_of(made, word)))
            image.emit(encode("sd", rs2=back, rs1=b, imm=8 * number))
        else:
            store_result(image, registers, b, 8 * number)
    close_loop(image, block, (a, b, end), loop)
    return block


def atomic_rows(made: Insn, random: Random, count: int, *, misaligned: bool = True) -> Rows:
    """Addresses, one in eight misaligned if that is wanted, and values."""
    size = 4 if made.name.endswith(".w") else 8
    rows = integer_rows(random, count)
    for number in range(count):
        base = address(random)
        if random.randrange(8) or not misaligned:
            base &= -size
        rows[number, 0] = base
    return rows


def atomic_block(image: Image, made: Insn, cases: int) -> Block:
    """Append about so many cases of an atomic operation, with the doubleword it left."""
    random = image.random
    a, b, end, back = reserved(random, made)
    count = max(6, min(40, cases // 24))
    words = random_words(made, random, count, {a, b, end, back, 0})
    rows = atomic_rows(made, random, -(-cases // count))
    block = Block(made, words, rows, ("result", "memory"))
    open_block(image, block, a, b, end)
    loop = image.pc
    for number, word in enumerate(words):
        registers = registers_of(made, word)
        load_operands(image, registers, a)
        destination = registers.destination
        if destination and destination not in registers.sources:
            image.emit(encode("ld", rd=destination[0], rs1=a, imm=16))
        block.places.append(image.pc)
        image.emit(word)
        store_result(image, registers, b, 16 * number)
        store_doubleword(image, a, back, b, 16 * number + 8)
    close_loop(image, block, (a, b, end), loop)
    return block


def store_doubleword(image: Image, a: int, back: int, b: int, offset: int) -> None:
    """Store the aligned doubleword around the address in the row as a result."""
    image.emit(
        encode("ld", rd=back, rs1=a, imm=0),
        encode("andi", rd=back, rs1=back, imm=-8),
        encode("ld", rd=back, rs1=back, imm=0),
        encode("sd", rs2=back, rs1=b, imm=offset),
    )


def cache_block(image: Image, made: Insn, cases: int) -> Block:
    """Append about so many cases of a cache-block instruction, with a doubleword of the block."""
    random = image.random
    a, b, end, back = reserved(random, made)
    count = max(6, min(40, cases // 24))
    words = random_words(made, random, count, {a, b, end, back, 0})
    rows = address_rows(random, -(-cases // count), [0])
    rows[:, 0] = np.clip(rows[:, 0], DATA, DATA + DATA_BYTES - 64)
    block = Block(made, words, rows, ("memory",))
    open_block(image, block, a, b, end)
    loop = image.pc
    for number, word in enumerate(words):
        load_operands(image, registers_of(made, word), a)
        block.places.append(image.pc)
        execute(image, made, word, back)
        store_doubleword(image, a, back, b, 8 * number)
    close_loop(image, block, (a, b, end), loop)
    return block


SEQUENCES: Final = (
    "lr.{s} x10, (x11); sc.{s} x12, x13, (x11)",
    "lr.{s} x10, (x11); sc.{s} x12, x13, (x14)",
    "lr.{s} x10, (x11); sc.{s} x12, x13, (x11); sc.{s} x10, x14, (x11)",
    "sc.{s} x12, x13, (x11)",
    "lr.{s} x10, (x14); lr.{s} x10, (x11); sc.{s} x12, x13, (x14)",
    "lr.{s} x10, (x14); lr.{s} x10, (x11); sc.{s} x12, x13, (x11)",
    "lr.{s} x10, (x11); sc.w x12, x13, (x11)",
    "lr.{s} x10, (x11); sd x13, 0(x11); sc.{s} x12, x11, (x11)",
    "lr.{s} x10, (x11); sb x13, 0(x14); sc.{s} x12, x13, (x11)",
    "lr.{s} x10, (x11); amoadd.{s} x10, x13, (x11); sc.{s} x12, x13, (x11)",
    "lr.{s} x10, (x11); ecall; sc.{s} x12, x13, (x11)",
    "lr.{s}.aq x10, (x11); sc.{s}.rl x12, x13, (x11)",
    "lr.{s} x11, (x11); sc.{s} x13, x13, (x14)",
    "lr.{s}.aqrl x0, (x11); sc.{s}.aqrl x0, x13, (x11)",
)
"""x11 and x14 hold addresses, equal or not, x13 a value; x10 and x12 are the results."""


def reservation_block(image: Image, made: Insn, cases: int) -> Block:
    """Append sequences that end in a store-conditional: `made` is sc.w or sc.d. Each starts with
    the same memory, so that one sequence's outcome is not another's input."""
    random = image.random
    a, b, end, back = random.sample(range(16, 32), 4)
    rows = atomic_rows(made, random, -(-cases // len(SEQUENCES)), misaligned=False)
    for row in rows:
        row[2] = row[0] if random.randrange(2) else row[0] + np.uint64(random.choice((8, 64, 4096)))
    words = [made.match] * len(SEQUENCES)
    block = Block(made, words, rows, ("first", "second", "memory"), labels=SEQUENCES)
    open_block(image, block, a, b, end)
    loop = image.pc
    suffix = made.name[-1]
    prepare = "andi {t}, {r}, -8; sd {r}, 0({t}); "
    for number, sequence in enumerate(SEQUENCES):
        image.assemble(f"ld x11, 0(x{a}); ld x13, 8(x{a}); ld x14, 16(x{a}); li x10, 7; li x12, 7")
        for register in ("x11", "x14"):
            image.assemble(prepare.format(t=f"x{back}", r=register))
        block.places.append(image.pc)
        image.assemble(sequence.format(s=suffix))
        image.assemble(f"sd x10, {24 * number}(x{b}); sd x12, {24 * number + 8}(x{b})")
        store_doubleword(image, a, back, b, 24 * number + 16)
    close_loop(image, block, (a, b, end), loop)
    return block


def open_block(image: Image, block: Block, a: int, b: int, end: int) -> None:
    """Reserve results and rows, and point registers at them."""
    image.add(block)
    gpa = image.place_rows(block.rows)
    pointers = {f"x{b}": block.results_gpa, f"x{end}": gpa + ROW_BYTES * len(block.rows)}
    image.pointers(**pointers, **{f"x{a}": gpa})
