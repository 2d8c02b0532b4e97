"""Random programs that jump, trap, change their code and their page tables.

A program is random instructions in a few pages, run in U- and S-mode. At every trap, and at timer
interrupts, the handler in M-mode patches a random place of the code (then fence.i), changes a
random page-table entry (then sfence.vma), and goes on at a random place.
"""

from random import Random
from typing import Final

from tests.oracle.compute import BITS, CONDITIONAL, FLOATING, INTEGER, LOADS, STORES, computing
from tests.oracle.image import encode
from tests.oracle.memory import ATOMIC
from tests.oracle.words import random_word

from hospes.isa.insn import Insn
from hospes.isa.riscv.csr import CSR_NUMBERS
from hospes.isa.riscv.profile import RV64
from hospes.memory.space import RAM_BASE

CODE: Final = RAM_BASE + 0x1_0000
CODE_PAGES: Final = 4
PATCHES: Final = RAM_BASE + 0x3_0000
PATCH_BYTES: Final = 0x1000
STATE: Final = RAM_BASE + 0x4_0000
TABLES: Final = RAM_BASE + 0x5_0000
VIRTUAL: Final = 0x4000_0000
ADDRESSES: Final = (8, 9, 2)
"""Registers that point to data, most of the time."""
CODE_POINTER: Final = 5

HANDLER: Final = f"""
.equ CODE, {CODE}
.equ STATE, {STATE}
.equ PATCHES, {PATCHES}
.equ TABLES, {TABLES}
    j start
.balign 4
handler:
    li x1, STATE
    ld x2, 0(x1)
    li x3, 6364136223846793005
    mul x2, x2, x3
    li x3, 1442695040888963407
    add x2, x2, x3
    sd x2, 0(x1)
    srli x4, x2, 32
    # A word of the patches to a random place in the code.
    li x6, PATCHES
    andi x7, x4, 0x7fc
    add x6, x6, x7
    lw x6, 0(x6)
    srli x7, x4, 8
    li x10, 0x3ffe
    and x7, x7, x10
    li x10, CODE
    add x7, x7, x10
    sh x6, 0(x7)
    srli x6, x6, 16
    sh x6, 2(x7)
    fence.i
    # One in four times, a page-table entry: code is executable, data writable.
    andi x6, x4, 3
    bnez x6, 2f
    srli x6, x2, 40
    srli x7, x6, 3
    andi x7, x7, 7
    andi x12, x7, 4
    andi x11, x6, 3
    or x11, x11, x12
    slli x11, x11, 12
    li x10, CODE
    add x10, x10, x11
    srli x10, x10, 2
    xori x12, x12, 4
    slli x12, x12, 1
    xori x12, x12, 0xD7
    srli x13, x6, 9
    andi x13, x13, 15
    bnez x13, 1f
    xori x12, x12, 0x40
1:  srli x13, x6, 13
    andi x13, x13, 1
    slli x13, x13, 4
    xor x12, x12, x13
    or x10, x10, x12
    li x11, TABLES + 0x2000
    slli x12, x7, 3
    add x11, x11, x12
    sd x10, 0(x11)
    slli x7, x7, 12
    li x11, {VIRTUAL}
    add x7, x7, x11
    andi x6, x4, 4
    beqz x6, 1f
    sfence.vma x7
    j 2f
1:  sfence.vma
2:  # Translation or not, U or S, and where to go on.
    srli x6, x2, 50
    andi x7, x6, 3
    li x10, CODE
    csrw satp, zero
    beqz x7, 1f
    andi x7, x7, 1
    slli x7, x7, 44
    li x10, (8 << 60) | (TABLES >> 12)
    or x10, x10, x7
    csrw satp, x10
    li x10, {VIRTUAL}
1:  srli x6, x2, 20
    li x7, 0x3ffe
    and x7, x6, x7
    add x7, x7, x10
    csrw mepc, x7
    li x6, 0x1800
    csrc mstatus, x6
    srli x6, x2, 59
    andi x6, x6, 1
    slli x6, x6, 11
    csrs mstatus, x6
    li x6, 0x6000
    csrs mstatus, x6
    li x6, 0x5800
    add x{ADDRESSES[0]}, x10, x6
    li x6, 0x6ff8
    add x{ADDRESSES[1]}, x10, x6
    li x6, 0x4100
    add x{CODE_POINTER}, x10, x6
    csrr x7, time
    andi x6, x4, 127
    add x7, x7, x6
    csrw stimecmp, x7
    li x6, 0x1234
    add x{CODE_POINTER}, x10, x6
    li x6, 0x4ff0
    add x{ADDRESSES[2]}, x10, x6
    mret
start:
    la x1, handler
    csrw mtvec, x1
    li x1, 1 << 63
    csrs menvcfg, x1
    li x1, 0x20
    csrw mie, x1
    li x1, 7
    csrw mcounteren, x1
    csrw scounteren, x1
    li x1, (CODE >> 2) | 0x7ff
    csrw pmpaddr0, x1
    li x1, ((CODE + 0x4000) >> 2) | 0x7ff
    csrw pmpaddr1, x1
    li x1, (TABLES >> 2) | 0x7ff
    csrw pmpaddr2, x1
    li x1, 0x1b1b1d
    csrw pmpcfg0, x1
    ecall
"""
SYSTEM: Final = ("sscratch", "sepc", "scause", "stval", "sstatus", "fcsr", "frm", "fflags",
                 "cycle", "time", "instret", "satp", "stimecmp", "senvcfg")  # fmt: skip
COMPUTING: Final = [
    made
    for made in computing(INTEGER | BITS | CONDITIONAL)
    if not any(source in ADDRESSES for _, source in made.operands if isinstance(source, int))
]
FLOAT: Final = computing(FLOATING)
ACCESSES: Final = [
    *(made for made in RV64.insns if made.function.__name__ in LOADS | STORES),
    *ATOMIC,
    *RV64.by_name["lr.w"],
    *RV64.by_name["sc.w"],
    *RV64.by_name["lr.d"],
    *RV64.by_name["sc.d"],
]
JUMPS: Final = [
    made
    for made in RV64.insns
    if made.name in {"jal", "beq", "bne", "bltu", "bge", "c.j", "c.beqz", "c.bnez"}
]


def word(random: Random) -> int:
    """A random instruction; jumps are short, accesses are mostly to data."""
    kind = random.randrange(20)
    if kind < 9:
        return random_word(random.choice(COMPUTING), random, {*ADDRESSES, CODE_POINTER})
    if kind < 11:
        return random_word(random.choice(FLOAT), random, {*ADDRESSES, CODE_POINTER})
    if kind < 14:
        return _access(random)
    if kind < 18:
        return _jump(random)
    if kind == 18:
        rd, csr = random.randrange(10, 32), CSR_NUMBERS[random.choice(SYSTEM)]
        name = random.choice(("csrrs", "csrrw", "csrrc"))
        return encode(name, rd=rd, csr=csr, rs1=random.choice((0, 0, random.randrange(32))))
    names = ("ecall", "ebreak", "fence.i", "sfence.vma", "sret", "fence", "c.ebreak")
    made = RV64.by_name[random.choice(names)][0]
    return made.match if random.randrange(3) else random.getrandbits(32) | 3


def _access(random: Random) -> int:
    made = random.choice(ACCESSES)
    found = random_word(made, random, set())
    for field in made.fields:
        if field.name == "rs1":
            found = found & ~field.mask | field.insert(random.choice(ADDRESSES))
        elif field.name == "imm" and random.randrange(4):
            found = found & ~field.mask | field.insert(8 * random.randrange(-16, 16))
    return found


def _jump(random: Random) -> int:
    if random.randrange(4) == 0:
        imm = random.randrange(-0x400, 0x400) & ~1
        return encode("jalr", rd=random.choice((0, 1)), rs1=CODE_POINTER, imm=imm)
    made: Insn = random.choice(JUMPS)
    found = random_word(made, random, {*ADDRESSES, CODE_POINTER})
    field = made.field("imm")
    reach = min(field.high, 0x900)
    return found & ~field.mask | field.insert(random.randrange(-reach, reach) & ~1)


def code(random: Random, size: int) -> bytes:
    """So many bytes of random instructions, back to back."""
    content = bytearray()
    while len(content) < size:
        found = word(random)
        content += found.to_bytes(4 if found & 3 == 3 else 2, "little")
    return bytes(content[:size])


def patches(random: Random) -> bytes:
    """A table of words to patch the code with; compressed ones in pairs."""
    content = bytearray()
    while len(content) < PATCH_BYTES:
        found = word(random)
        content += (found if found & 3 == 3 else found | found << 16).to_bytes(4, "little")
    return bytes(content)


def page_tables() -> bytes:
    """Sv39: eight pages at VIRTUAL, the code's and the data's."""
    tables = bytearray(0x3000)

    def entry(place: int, value: int) -> None:
        tables[place : place + 8] = value.to_bytes(8, "little")

    entry(8, (TABLES + 0x1000) >> 2 | 1)
    entry(0x1000, (TABLES + 0x2000) >> 2 | 1)
    for page in range(2 * CODE_PAGES):
        flags = 0xDB if page < CODE_PAGES else 0xD7
        entry(0x2000 + 8 * page, (CODE + 0x1000 * page) >> 2 | flags)
    return bytes(tables)


def random_program(seed: int) -> dict[int, bytes]:
    """What is in memory, by address, at the start of the program of that number."""
    random = Random(seed)
    return {
        RAM_BASE: RV64.assemble(HANDLER, RAM_BASE),
        CODE: code(random, 0x1000 * CODE_PAGES) + random.randbytes(0x1000 * CODE_PAGES),
        PATCHES: patches(random),
        STATE: random.randbytes(8),
        TABLES: page_tables(),
    }
