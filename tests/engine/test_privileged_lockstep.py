"""Random privileged programs: the threaded engine gets where the reference engine gets."""

import random
from typing import Final

import pytest

from hospes.engine.engine import Exit
from hospes.engine.reference import ReferenceEngine
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.engine.timebase import InstructionTimebase
from hospes.isa.riscv.csr import CSR_NUMBERS, CSRS
from hospes.isa.riscv.hart import MODE_M, MODE_S, Hart
from hospes.isa.riscv.interrupt_file import receive_message
from hospes.isa.riscv.pmp import refresh_pmp
from hospes.isa.riscv.priv import reset, set_mode
from hospes.isa.riscv.profile import RV64
from hospes.memory.space import RAM_BASE, Memory

INSTRUCTIONS: Final = 400
BATCHES: Final = 160
M_HANDLER: Final = RAM_BASE + 0x8000
S_HANDLER: Final = RAM_BASE + 0x8100
DATA: Final = RAM_BASE + 0x9000
TABLES: Final = RAM_BASE + 0x1_0000
COMPARED_BYTES: Final = 0x2_0000

ENGINE_WORDS: Final = {
    "poll", "resync", "csr_value", "next_pc", "walk_gpa", "walk_permissions", "walk_shift",
    "walk_leaf_shift", "timer_due", "pmp_low", "pmp_high", "pmp_match", "exit_reason",
    "exit_instruction", "exit_gva", "exit_gpa", "exit_cause", "exit_tval",
}  # fmt: skip
"""Words that are not architectural and may differ."""
HANDLED: Final = {"mtvec", "stvec"}
ANY_CSR: Final = [
    found.number for found in CSRS.values()
    if found.name not in HANDLED and not found.name.startswith(("hpm", "mhpm"))
]  # fmt: skip
ABSENT: Final = [0x000, 0x747, 0x3A1, 0xC03, 0xB03]
OFTEN: Final = [
    CSR_NUMBERS[name]
    for name in (
        "mstatus", "sstatus", "fcsr", "frm", "menvcfg", "mcounteren", "scounteren", "stimecmp",
        "mip", "sip", "mie", "sie", "sepc", "mepc", "satp", "medeleg", "mideleg", "pmpcfg0",
    )
]  # fmt: skip
AIA: Final = [CSR_NUMBERS[name] for name in ("siselect", "sireg", "stopei", "stopi", "sie", "sip")]
SELECTS: Final = (0x30, 0x31, 0x70, 0x71, 0x72, 0x80, 0x82, 0x83, 0x86, 0xC0, 0xC4, 0xFE, 0x100)
SYSTEM: Final = (
    "ecall", "ebreak", "mret", "sret", "wfi", "sfence.vma", "sinval.vma", "sfence.w.inval",
    "fence.i",
)  # fmt: skip
LEAF_FLAGS: Final = (0x0F, 0xCF, 0xDF, 0x4F, 0x1F, 0xDF, 0x5B)


def encode(name: str, /, **fields: int) -> int:
    return RV64.by_name[name][0].encode(fields)


def random_instruction(choose: random.Random, often: list[int]) -> int:
    kind = choose.random()
    csr = choose.choice(often if choose.random() < 0.4 else ANY_CSR + ABSENT)
    rd = choose.randrange(31)
    if kind < 0.5:
        name = choose.choice(("csrrw", "csrrs", "csrrc"))
        return encode(name, rd=rd, csr=csr, rs1=choose.randrange(30))
    if kind < 0.7:
        name = choose.choice(("csrrwi", "csrrsi", "csrrci"))
        return encode(name, rd=rd, csr=csr, uimm=choose.randrange(32))
    if kind < 0.76:
        return encode(choose.choice(SYSTEM))
    if kind < 0.8:
        return encode(choose.choice(("cbo.clean", "cbo.zero", "cbo.inval")), rs1=30)
    if kind < 0.85:
        return encode("fadd.d", rd=1, rs1=2, rs2=3, rm=choose.randrange(8))
    if kind < 0.9:
        return encode("sd", rs1=30, rs2=choose.randrange(30), imm=choose.randrange(-16, 16))
    source, imm = choose.randrange(32), choose.randrange(-2048, 2048)
    return encode("addi", rd=choose.randrange(1, 30), rs1=source, imm=imm)


def handler(level: str) -> list[int]:
    """Skip four bytes past the trap and return."""
    scratch, epc = CSR_NUMBERS[f"{level}scratch"], CSR_NUMBERS[f"{level}epc"]
    return [
        encode("csrrw", rd=0, csr=scratch, rs1=31),
        encode("csrrs", rd=31, csr=epc, rs1=0),
        encode("addi", rd=31, rs1=31, imm=4),
        encode("csrrw", rd=0, csr=epc, rs1=31),
        encode("csrrs", rd=31, csr=scratch, rs1=0),
        encode(f"{level}ret"),
    ]


def random_value(choose: random.Random) -> int:
    return choose.choice(
        [
            choose.getrandbits(64),
            choose.getrandbits(20),
            1 << choose.randrange(64),
            RAM_BASE + choose.randrange(0, 4 * INSTRUCTIONS, 4),
            8 << 60 | choose.choice([0, 1 << 44]) | TABLES >> 12,
            9 << 60 | (TABLES + 0x3000) >> 12,
            10 << 60 | (TABLES + 0x4000) >> 12,
            0x1F1F_1F1F_1F1F_1F1F,
            0xB3FF,
        ]
    )


def build_tables(memory: Memory, choose: random.Random) -> None:
    """Identity maps with random rights: gigabyte leaves, and 4 KiB pages where the program is."""
    for slot in range(8):
        flags = 0xCF | choose.choice([0, 0x10])
        memory.store(TABLES + 8 * slot, 8, slot << 30 >> 2 | flags)
    middle, last = TABLES + 0x1000, TABLES + 0x2000
    memory.store(TABLES + 16, 8, middle >> 2 | 1)
    memory.store(middle, 8, last >> 2 | 1)
    for slot in range(256):
        memory.store(last + 8 * slot, 8, (RAM_BASE + (slot << 12)) >> 2 | choose.choice(LEAF_FLAGS))
    memory.store(TABLES + 0x3000, 8, TABLES >> 2 | 1)
    memory.store(TABLES + 0x4000, 8, (TABLES + 0x3000) >> 2 | 1)


class Side:
    """One engine with its machine; equal seeds make equal machines."""

    def __init__(
        self, kind: type[ReferenceEngine] | type[ThreadedEngine], seed: int, aia: bool
    ) -> None:
        choose = random.Random(seed)
        self.memory = Memory(1 << 20)
        self.engine = kind(self.memory, timebase=InstructionTimebase())
        self.finisher = ReferenceEngine(self.memory, timebase=self.engine.timebase)
        program = [random_instruction(choose, AIA if aia else OFTEN) for _ in range(INSTRUCTIONS)]
        for start, words in (
            (RAM_BASE, [*program, encode("jal", rd=0, imm=0)]),
            (M_HANDLER, handler("m")),
            (S_HANDLER, handler("s")),
        ):
            for number, word in enumerate(words):
                self.memory.store(start + 4 * number, 4, word)
        build_tables(self.memory, choose)
        self.h = h = Hart()
        reset(h)
        h.pc, h.mtvec, h.stvec, h.x[30] = RAM_BASE, M_HANDLER, S_HANDLER, DATA
        for register in range(1, 30):
            h.x[register] = random_value(choose)
        h.pmpcfg[0], h.pmpaddr[0] = 0x1F, (1 << 54) - 1
        if aia:
            h.aia = h.eidelivery = 1
            h.mideleg = 0x222
            for register in range(1, 30, 2):
                h.x[register] = choose.choice(SELECTS)
            set_mode(h, choose.choice((MODE_S, MODE_M)))
            for word in range(len(h.eie)):
                h.eie[word] = choose.getrandbits(64) & ~1
        self.finisher.run(h, 0)
        refresh_pmp(h)

    def traps(self) -> int:
        return self.engine.statistics()["traps"]

    def batch(self) -> int:
        """Run as little as the threaded engine can; the number of instructions and traps."""
        retired, traps = self.h.instret, self.traps()
        steps = 0
        if self.engine.run(self.h, 1) in (Exit.REFERENCE, Exit.DEVICE):
            before = self.h.instret
            self.finisher.step(self.h)
            steps = int(self.h.instret == before)
        return steps + self.h.instret - retired + self.traps() - traps


def differences(a: Hart, b: Hart) -> dict[str, tuple[object, object]]:
    found: dict[str, tuple[object, object]] = {}
    for name in Hart.offsets.keys() - ENGINE_WORDS:
        one, two = getattr(a, name), getattr(b, name)
        if Hart.lengths[name] > 1:
            one, two = list(one)[:32], list(two)[:32]
        if one != two:
            found[name] = (one, two)
    return found


def compare(seed: int, aia: bool) -> None:
    """With AIA, messages arrive between batches."""
    threaded, reference = (Side(kind, seed, aia) for kind in (ThreadedEngine, ReferenceEngine))
    messages = random.Random(seed)
    try:
        for number in range(BATCHES):
            if aia and messages.random() < 0.3:
                identity = messages.randrange(260)
                receive_message(threaded.h, identity)
                receive_message(reference.h, identity)
            pc = reference.h.pc
            reference.engine.run(reference.h, threaded.batch())
            found = differences(reference.h, threaded.h)
            assert not found, f"seed {seed}, batch {number} from {pc:#x}"
        images = [side.memory.read(RAM_BASE, COMPARED_BYTES) for side in (threaded, reference)]
        assert images[0] == images[1], f"seed {seed}"
    finally:
        threaded.memory.close()
        reference.memory.close()


@pytest.mark.parametrize("aia", [False, True], ids=["plain", "aia"])
@pytest.mark.parametrize("seed", range(30))
def test_random_privileged_programs(seed: int, aia: bool) -> None:
    compare(seed, aia)


@pytest.mark.soak
@pytest.mark.parametrize("aia", [False, True], ids=["plain", "aia"])
def test_many_random_privileged_programs(aia: bool) -> None:
    for seed in range(1000, 4000):
        compare(seed, aia)
