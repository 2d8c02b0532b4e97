"""Blocks of random sequences: many instructions in a row, then all registers."""

from typing import Final

import numpy as np
from tests.oracle.compute import (
    BITS,
    CONDITIONAL,
    FLOATING,
    INTEGER,
    LOADS,
    STORES,
    computing,
)
from tests.oracle.image import DATA, DATA_BYTES, Block, Image, encode
from tests.oracle.operands import floating_state, held, integer
from tests.oracle.standins import execute
from tests.oracle.words import random_word

from hospes.base.ieee import BINARY32, BINARY64
from hospes.isa.insn import Insn
from hospes.isa.riscv.profile import RV64

LENGTH: Final = 24
SEQUENCES: Final = 16
COLUMNS: Final = 96
"""A row: x1 to x31 and fcsr, f0 to f31, and what memory around the base is set to."""
FCSR_COLUMN: Final = 0
FLOAT_COLUMN: Final = 32
MEMORY_COLUMN: Final = 64
BASE: Final = DATA + DATA_BYTES // 2

MEMORY: Final = tuple(
    made for made in RV64.insns if made.function.__name__ in LOADS | STORES and made.length == 4
)
WITHOUT_JUDGE: Final = {"ctzw"}
"""QEMU 7.2 has it wrong for some operands (exceptions.py), which would spread in a sequence."""
DIFFERENT_KINDS: Final = {
    "integer": computing(INTEGER | BITS | CONDITIONAL),
    "floating": computing(FLOATING),
    "all": [*computing(INTEGER | BITS | CONDITIONAL | FLOATING), *MEMORY, *MEMORY],
}
MIXTURES: Final[tuple[Insn, ...]] = tuple(RV64.by_name[name][0] for name in ("add", "fadd.d", "ld"))
"""One instruction stands for each kind of sequence, in the order of DIFFERENT_KINDS."""


def mixture_block(image: Image, made: Insn, cases: int) -> Block:
    """Append random sequences; `made` says of which kind."""
    random = image.random
    kind = list(DIFFERENT_KINDS)[MIXTURES.index(made)]
    pool = [one for one in DIFFERENT_KINDS[kind] if one.name not in WITHOUT_JUDGE]
    a, b, base, free = avoid = random.sample(range(1, 32), 4)
    rows = np.array([_row(image) for _ in range(-(-cases // SEQUENCES))], dtype=np.uint64)
    integers = [f"x{n}" for n in range(1, 32) if n not in avoid]
    fields = (*integers, "fcsr", *(f"f{n}" for n in range(32)))
    sequences = [_sequence(image, pool, set(avoid), base) for _ in range(SEQUENCES)]
    labels = tuple(
        "; ".join(RV64.disassemble(word) for _, word in sequence) for sequence in sequences
    )
    block = Block(made, [made.match] * SEQUENCES, rows, fields, labels=labels)
    image.add(block)
    gpa = image.place_rows(rows)
    image.pointers(**{f"x{b}": block.results_gpa, f"x{base}": BASE, f"x{a}": gpa})
    loop = image.pc
    for sequence in sequences:
        _load_all(image, avoid)
        block.places.append(image.pc)
        for one, word in sequence:
            execute(image, one, word, free)
        _store_all(image, block, avoid)
    _next_row(image, block, avoid, loop, gpa + 8 * COLUMNS * len(rows))
    return block


def _row(image: Image) -> tuple[int, ...]:
    random = image.random
    integers = [integer(random) for _ in range(31)]
    floats = [held(random, random.choice((BINARY32, BINARY64))) for _ in range(32)]
    memory = [random.getrandbits(64) for _ in range(COLUMNS - MEMORY_COLUMN)]
    return (floating_state(random), *integers, *floats, *memory)


def _sequence(image: Image, pool: list[Insn], avoid: set[int], base: int) -> list[tuple[Insn, int]]:
    """Words that write none of the reserved registers; loads and stores are around the base."""
    sequence = []
    while len(sequence) < LENGTH:
        made = image.random.choice(pool)
        if any(isinstance(source, int) and source in avoid for _, source in made.operands):
            continue
        if made in MEMORY:
            word = random_word(made, image.random, avoid)
            field = made.field("rs1")
            word = word & ~field.mask | field.insert(base)
        else:
            word = _random_word(image, made, avoid)
        if word >= 0:
            sequence.append((made, word))
    return sequence


def _random_word(image: Image, made: Insn, avoid: set[int]) -> int:
    """A word, or -1 where the reserved registers leave too little choice."""
    primed = any(field.name.endswith("'") for field in made.fields)
    if primed and len(avoid & set(range(8, 16))) > 2:
        return -1
    return random_word(made, image.random, avoid)


def _load_all(image: Image, avoid: list[int]) -> None:
    """All registers and fcsr from the row; memory around the base too."""
    a, _, base, free = avoid
    for number in range(COLUMNS - MEMORY_COLUMN):
        image.emit(encode("ld", rd=free, rs1=a, imm=8 * (MEMORY_COLUMN + number)))
        image.emit(encode("sd", rs2=free, rs1=base, imm=8 * number - 128))
    image.emit(encode("ld", rd=free, rs1=a, imm=8 * FCSR_COLUMN))
    image.emit(encode("csrrw", rd=0, csr=3, rs1=free))
    for number in range(32):
        image.emit(encode("fld", rd=number, rs1=a, imm=8 * (FLOAT_COLUMN + number)))
    for number in range(1, 32):
        if number not in avoid:
            image.emit(encode("ld", rd=number, rs1=a, imm=8 * number))


def _store_all(image: Image, block: Block, avoid: list[int]) -> None:
    """All registers and fcsr, in the order of the block's fields; the pointer moves on."""
    _, b, _, free = avoid
    offset = 0
    for name in block.fields:
        if name == "fcsr":
            image.emit(encode("csrrs", rd=free, csr=3, rs1=0))
            image.emit(encode("sd", rs2=free, rs1=b, imm=offset))
        else:
            store = "sd" if name[0] == "x" else "fsd"
            image.emit(encode(store, rs2=int(name[1:]), rs1=b, imm=offset))
        offset += 8
    image.emit(encode("addi", rd=b, rs1=b, imm=offset))


def _next_row(image: Image, block: Block, avoid: list[int], loop: int, end: int) -> None:
    a, _, _, free = avoid
    image.emit(encode("addi", rd=a, rs1=a, imm=8 * COLUMNS))
    image.pointers(**{f"x{free}": end})
    image.emit(encode("beq", rs1=a, rs2=free, imm=8))
    image.emit(encode("jal", rd=0, imm=loop - image.pc))
