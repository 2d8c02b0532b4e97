"""Random guests whose code and page tables keep changing, in lockstep with the reference engine.

In S-mode a jumble of 2- and 4-byte instructions runs over four virtual pages, entered at any
parcel near the pages' ends, so instructions overlap and lie across pages. An ecall has M-mode
change a parcel there (and execute fence.i) or exchange a frame under a virtual page (and execute
sfence.vma). Every other trap goes on somewhere else. S-mode cannot store to code, so nothing
changes without its fence.
"""

import random
from typing import Final

from hospes.engine.lockstep import Lockstep, Side
from hospes.engine.port import ReferencePort
from hospes.engine.reference import ReferenceEngine
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.engine.timebase import InstructionTimebase
from hospes.isa.insn import Insn
from hospes.isa.riscv.encoding import PTE_A, PTE_D, PTE_R, PTE_U, PTE_V, PTE_W, PTE_X, SATP_SV39
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.pmp import refresh_pmp
from hospes.isa.riscv.priv import refresh, reset
from hospes.isa.riscv.profile import RV64
from hospes.memory.space import RAM_BASE, Memory

PAGE: Final = 4096
MONITOR: Final = RAM_BASE
MONITOR_DATA: Final = RAM_BASE + 0x1000
PARCELS: Final = RAM_BASE + 0x2000
"""4 KiB of parcels to change code with; a parcel is half the size of most instructions."""
ENTRIES: Final = RAM_BASE + 0x3000
"""Page-table entries to exchange frames with."""
TABLES: Final = RAM_BASE + 0x4000
FRAMES: Final = RAM_BASE + 0x8000
"""Four frames of code, and room for what is written behind them."""
DATA: Final = RAM_BASE + 0x1_0000
CODE_GVA: Final = 0x40_0000
DATA_GVA: Final = 0x50_0000
RAM_BYTES: Final = 0x2_0000
DATA_REGISTER: Final = 8
FRAME_COUNT: Final = 4
NEAR: Final = 32
"""How far from a page's end things happen, in bytes."""
LEAF: Final = PTE_V | PTE_A | PTE_D

MONITOR_TEXT: Final = f"""
    csrw mscratch, t0
    csrr t0, mcause
    addi t0, t0, -9
    bnez t0, elsewhere
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0
    andi t0, a0, 3
    beqz t0, remap
    andi t1, a1, 0x3e
    srli t0, a1, 8
    andi t0, t0, 3
    slli t0, t0, 12
    add t1, t1, t0
    li t0, {FRAMES + PAGE - NEAR:#x}
    add t1, t1, t0
    li t2, 0xffe
    and t2, t2, a2
    li t0, {PARCELS:#x}
    add t2, t2, t0
    lhu t2, 0(t2)
    sh t2, 0(t1)
    fence.i
    csrr t0, mscratch
    mret
remap:
    andi t1, a1, 0x18
    li t0, {TABLES + 2 * PAGE:#x}
    add t1, t1, t0
    andi t2, a2, 0x18
    li t0, {ENTRIES:#x}
    add t2, t2, t0
    ld t2, 0(t2)
    sd t2, 0(t1)
    andi t0, a0, 4
    bnez t0, one
    sfence.vma
    csrr t0, mscratch
    mret
one:
    andi t1, t1, 0x18
    slli t1, t1, 9
    li t0, {CODE_GVA:#x}
    add t1, t1, t0
    sfence.vma t1
    csrr t0, mscratch
    mret
elsewhere:
    li t0, {MONITOR_DATA:#x}
    ld t1, 0(t0)
    li t2, 0x5851f42d4c957f2d
    mul t1, t1, t2
    addi t1, t1, 1405
    sd t1, 0(t0)
    srli t1, t1, 30
    andi t0, t1, 3
    slli t0, t0, 12
    andi t1, t1, 0x3e
    add t1, t1, t0
    li t0, {CODE_GVA + PAGE - NEAR:#x}
    add t1, t1, t0
    csrw mepc, t1
    li s0, {DATA_GVA + 0x800:#x}
    csrr t0, mscratch
    mret
"""
"""Registers t0 to t2 are the monitor's; what S-mode keeps in them is changed by every trap."""

JUMPS: Final = {"jal", "jalr", "beq", "bne", "blt", "bge", "bltu", "bgeu"}
MEMORY: Final = {"ld", "lw", "lwu", "lh", "lhu", "lb", "lbu", "sd", "sw", "sh", "sb", "fld", "fsd"}
SYSTEM: Final = {"ecall", "ebreak", "fence_i", "sfence_vma"}
UNWANTED: Final = {"wfi", "mret", "sret"}


def usual_instructions() -> list[Insn]:
    """What code is made of; other encodings come about by overlap and by changed parcels."""
    found = []
    for made in RV64.insns:
        name = made.function.__name__
        atomic = name.startswith(("amo", "lr_", "sc_"))
        if (
            not made.serial
            and not atomic
            and made.function.__module__.endswith(
                ("rv_i", "rv_iw", "rv_m", "zba", "zbb", "zbs", "zicond", "rv_d")
            )
        ):
            found.append(made)
    return found


USUAL: Final = usual_instructions()
NAMED: Final = {made.function.__name__: made for made in RV64.insns if made.length == 4}


def word_of(made: Insn, rng: random.Random) -> int | None:
    """Random operands; memory by the data register, jumps not far."""
    values = {}
    for field in made.fields:
        if field.name.startswith("rs1") and made.function.__name__ in MEMORY:
            values[field.name] = DATA_REGISTER
        elif field.name == "imm" and made.function.__name__ in JUMPS:
            values[field.name] = rng.choice((4, 6, 8, 12, 30, -8, -30, 100, 600, -200))
        elif field.name == "imm" and made.function.__name__ in MEMORY:
            values[field.name] = rng.randrange(max(field.low, -64), min(field.high, 64), 8)
        elif field.name.startswith("rd"):
            values[field.name] = rng.choice([n for n in range(field.low, field.high + 1) if n != 8])
        else:
            values[field.name] = rng.randint(field.low, field.high)
    try:
        return made.encode(values)
    except ValueError:
        return None


def parcels(rng: random.Random, size_bytes: int) -> bytes:
    """Instructions up to a size, an ecall now and then."""
    code = b""
    while len(code) < size_bytes:
        kind = rng.random()
        if kind < 0.06:
            made = NAMED[rng.choice(("ecall", "ecall", "ecall", "ebreak", "fence_i"))]
        elif kind < 0.2:
            made = rng.choice([one for one in USUAL if one.function.__name__ in JUMPS])
        else:
            made = rng.choice(USUAL)
        word = word_of(made, rng)
        if word is not None:
            code += word.to_bytes(made.length, "little")
    return code[:size_bytes]


def fill(memory: Memory, rng: random.Random) -> None:
    """Monitor, tables, code and data."""
    memory.write(MONITOR, RV64.assemble(MONITOR_TEXT, MONITOR))
    memory.store(MONITOR_DATA, 8, rng.getrandbits(64))
    memory.write(PARCELS, parcels(rng, PAGE))
    for number in range(FRAME_COUNT):
        frame = FRAMES + number * PAGE
        memory.write(frame, parcels(rng, PAGE))
        rights = PTE_X if rng.random() < 0.7 else rng.choice((PTE_R | PTE_X, PTE_X | PTE_U, 0))
        memory.store(ENTRIES + 8 * number, 8, frame >> 2 | LEAF | rights)
    memory.write(DATA, rng.randbytes(2 * PAGE))
    memory.store(TABLES, 8, (TABLES + PAGE) >> 2 | PTE_V)
    memory.store(TABLES + PAGE + 8 * 2, 8, (TABLES + 2 * PAGE) >> 2 | PTE_V)
    for number in range(4):
        memory.store(TABLES + 2 * PAGE + 8 * number, 8, memory.load(ENTRIES + 8 * number, 8))
    for number in range(2):
        leaf = (DATA + number * PAGE) >> 2 | LEAF | PTE_R | PTE_W
        memory.store(TABLES + 2 * PAGE + 8 * (0x100 + number), 8, leaf)


def side(kind: type[ReferenceEngine] | type[ThreadedEngine], seed: int, **options: int) -> Side:
    """A machine from a seed."""
    rng = random.Random(seed)
    memory, timebase = Memory(RAM_BYTES), InstructionTimebase()
    fill(memory, rng)
    hart = Hart()
    hart.port = ReferencePort(hart, memory, None, timebase)
    reset(hart)
    hart.mtvec, hart.satp = MONITOR, SATP_SV39 << 60 | TABLES >> 12
    hart.pmpcfg[0], hart.pmpaddr[0] = 0x1F, (1 << 54) - 1
    refresh_pmp(hart)
    for number in range(1, 32):
        hart.x[number] = rng.getrandbits(rng.choice((3, 8, 12, 64)))
        hart.f[number] = rng.getrandbits(64)
    hart.x[DATA_REGISTER] = DATA_GVA + 0x800
    hart.mode, hart.pc, hart.fs = 1, CODE_GVA, 1
    refresh(hart)
    engine = kind(memory, timebase=timebase, **options)
    return Side(kind.__name__, engine, hart, memory, ReferenceEngine(memory, None, timebase).step)


def near(base: int, rng: random.Random) -> int:
    """A parcel not far from the end of one of four pages."""
    return base + PAGE * rng.randrange(1, 1 + FRAME_COUNT) + rng.randrange(-NEAR, NEAR, 2)


def stir(sides: tuple[Side, Side], rng: random.Random) -> None:
    """Go on at another place with other registers, the same on both sides; now and then change code
    or an entry of the table from outside."""
    pc, place = near(CODE_GVA, rng), near(FRAMES, rng)
    values = [rng.getrandbits(rng.choice((3, 8, 15, 64))) for _ in range(32)]
    change, parcel, entry = rng.random(), rng.randrange(0, PAGE, 2), rng.randrange(16)
    for one in sides:
        hart, memory = one.hart, one.memory
        for number in range(1, 32):
            hart.x[number] = values[number]
        hart.x[DATA_REGISTER] = DATA_GVA + 0x800
        hart.pc, hart.mode = pc, 1
        refresh(hart)
        if change < 0.3:
            memory.store(place, 2, memory.load(PARCELS + parcel, 2))
        elif change < 0.4:
            leaf = memory.load(ENTRIES + 8 * (entry & 3), 8)
            memory.store(TABLES + 2 * PAGE + 8 * (entry >> 2), 8, leaf)
        if change < 0.4:
            hart.resync = 1


def differences(
    seed: int, turns: int, instructions: int = 60, **options: int
) -> tuple[list[str], Side]:
    """What differs between the engines after a turn, if anything does; and the leader."""
    rng = random.Random(seed)
    leader, follower = side(ThreadedEngine, seed, **options), side(ReferenceEngine, seed)
    lockstep = Lockstep(leader, follower)
    for turn in range(turns):
        stir((leader, follower), rng)
        found = lockstep.run(instructions, instructions)
        if found is not None:
            return [f"seed {seed}, turn {turn}: {found}"], leader
    return [], leader
