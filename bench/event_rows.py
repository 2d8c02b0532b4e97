"""The events of the event table: for each, the guest code that makes it happen over and over.

The code runs in S-mode or U-mode under Sv39. s1 counts iterations down; s0, s2, s3 and s8 to s11
belong to the frame around it (event_program.py); everything else is free.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

CHASE_PAGES: Final = 2048
CHASE_GVA: Final = 0x1_0000_0000
LINE_BYTES: Final = 64
COLD_INSTRUCTIONS: Final = 50_000


class Mode(StrEnum):
    """The privilege level an event happens at."""

    SUPERVISOR = "S"
    USER = "U"


@dataclass(frozen=True)
class Event:
    """One row: `body` makes `per_iteration` events and is repeated `iterations` times.

    That takes a few milliseconds, less than the host's scheduler grants at a time: on a host with
    other work, most repetitions are undisturbed and their median is sound.

    `setup` runs before the clock starts, `prepare` before that in M-mode, `apart` is code put on a
    page of its own. aim_ns is what Hospes wants to reach; with `must`, it must be faster than QEMU.
    With `rate`, the row is shown as events per second, not as time per event.
    """

    key: str
    title: str
    body: str
    per_iteration: int
    iterations: int
    setup: str = ""
    prepare: str = ""
    apart: str = ""
    mode: Mode = Mode.SUPERVISOR
    aim_ns: float | None = None
    must: bool = False
    rate: bool = False

    def iterations_at(self, scale: float) -> int:
        """How often the body runs when everything is made shorter by a factor."""
        return max(1, round(self.iterations * scale))


@dataclass(frozen=True)
class ColdEvent(Event):
    """Code that has not run before: `template` is repeated until there are enough instructions.

    The first instruction of every copy is another one, so that no two copies are the same.
    """

    template: str = ""
    template_instructions: int = 0

    def copies_at(self, scale: float) -> int:
        """How often the template is repeated."""
        return max(1, round(COLD_INSTRUCTIONS * scale / self.template_instructions))


def _repeat(text: str, times: int) -> str:
    return "\n".join([text] * times)


FUNCTIONS: Final = "\n".join(f"function{n}: ret" for n in range(8))
ORDER: Final = (3, 6, 1, 4, 7, 2, 5, 0)
"""The order in which the eight targets of an indirect call or a switch are taken."""

INDIRECT_SETUP: Final = "la s4, 7f\n j 8f\n .balign 8\n7:\n" + "\n".join(
    f".dword function{n}" for n in ORDER
) + "\n8:"
SWITCH: Final = """
    addi t0, t0, 1
    andi t0, t0, 7
    slli t1, t0, 3
    add t1, t1, s4
    ld t1, 0(t1)
    jr t1
"""
SWITCH_SETUP: Final = "la s4, 7f\n j 8f\n .balign 8\n7:\n" + "\n".join(
    f".dword case{n}" for n in ORDER
) + "\n8: li t0, 0"
SWITCH_CASES: Final = "\n".join(f"case{n}: addi a0, a0, {n}\n j case_end" for n in range(8))

FLOAT_SETUP: Final = """
    li t0, 3
    fcvt.d.l fa0, t0
    li t0, 7
    fcvt.d.l fa1, t0
    fdiv.d fa2, fa0, fa1
    fdiv.d fa3, fa1, fa0
    fmv.d fa4, fa2
    fmv.d fa5, fa3
    fmv.d fa6, fa2
    fmv.d fa7, fa3
"""
FLOAT_BODY: Final = """
    fmul.d fa4, fa4, fa2
    fadd.d fa5, fa5, fa2
    fmul.d fa6, fa6, fa2
    fsub.d fa7, fa7, fa2
    fadd.d fa4, fa4, fa3
    fmul.d fa5, fa5, fa2
    fadd.d fa6, fa6, fa3
    fmadd.d fa7, fa7, fa2, fa3
"""
# A flush before each round: QEMU's TLB would grow until it held all the pages.
CHASE: Final = f"""
    sfence.vma
    li t0, {CHASE_PAGES // 16}
7:  {_repeat("ld a0, 0(a0)", 16)}
    addi t0, t0, -1
    bnez t0, 7b
"""
TOUCHES: Final = "sfence.vma\n" + "\n".join(f"ld t{n % 3}, {n * 8}(a{n})" for n in range(8))
TOUCHES_SETUP: Final = f"li a0, {CHASE_GVA:#x}\n li t0, 4096\n" + "\n".join(
    f"add a{n}, a{n - 1}, t0" for n in range(1, 8)
)
ALU_BODY: Final = """
    add a0, a0, a1
    xor a2, a2, a0
    slli a3, a2, 3
    srli a4, a0, 5
    sub a5, a3, a4
    and a6, a5, a2
    or a1, a6, a4
    addi a2, a2, 7
"""
MEMORY_BODY: Final = "\n".join(
    f"ld a{n}, {16 * n}(s4)\n sd a{n}, {16 * n + 8}(s4)" for n in range(8)
)
STRAIGHT: Final = """
    lui t0, 0
    c.addi a0, 5
    add a1, a1, a0
    c.mv a2, a1
    ld a3, 8(s4)
    xor a4, a3, a2
    slli a5, a4, 3
    sd a5, 16(s4)
    c.li a6, 3
    lw a7, 24(s4)
    addiw a7, a7, 1
    sw a7, 28(s4)
    mul t1, a1, a4
    c.add t1, a5
    sltu t2, t1, a1
    lbu t3, 33(s4)
    andi t3, t3, 15
    or a0, a0, t3
    c.sub a2, a3
    auipc t4, 1
    sub t5, t4, a2
    srai t5, t5, 2
    sb t5, 35(s4)
    c.nop
"""
BRANCHING: Final = """
    lui t0, 0
    ld a3, 8(s4)
    c.addi a3, 1
    sd a3, 8(s4)
    bne zero, zero, 9f
    c.mv a2, a3
    add a1, a1, a2
    slli a5, a1, 3
    c.add a5, a3
    lw a7, 24(s4)
    beq zero, zero, 1f
1:  addiw a7, a7, 1
    sw a7, 28(s4)
    c.li a6, 3
    xor a4, a7, a6
    andi a4, a4, 15
    bltu a4, zero, 9f
    lbu t3, 33(s4)
    or a0, a0, t3
    c.sub a2, a3
    sltu t2, a2, a1
    bge zero, zero, 2f
2:  sb t2, 35(s4)
    auipc t4, 1
9:  c.nop
    c.nop
"""

EVENTS: Final = (
    Event("call", "call + ret, another page", _repeat("jal ra, callee", 16), 16, 10_000,
          apart="callee: ret", aim_ns=2),
    Event("call_near", "call + ret, same page", _repeat("jal ra, 7f", 16) + "\n j 8f\n"
          "7: ret\n8:", 16, 10_000, aim_ns=2),
    Event("indirect", "indirect call + ret",
          "\n".join(f"ld t0, {8 * n}(s4)\n jalr t0" for n in range(8)), 8, 20_000,
          setup=INDIRECT_SETUP, apart=FUNCTIONS, aim_ns=4),
    Event("switch", "switch", SWITCH + SWITCH_CASES + "\ncase_end:", 1, 200_000,
          setup=SWITCH_SETUP, aim_ns=4),
    Event("float", "scalar FP operation", _repeat(FLOAT_BODY, 2), 16, 40_000, setup=FLOAT_SETUP,
          aim_ns=1),
    Event("ecall", "ecall + sret, U to S", "ecall", 1, 8_000, mode=Mode.USER, aim_ns=25,
          must=True),
    Event("ecall_m", "ecall + mret, S to M", "ecall", 1, 8_000, aim_ns=25),
    Event("csrr", "csrr", _repeat("csrr t0, sscratch", 16), 16, 5_000, aim_ns=5),
    Event("rdtime", "rdtime", _repeat("rdtime t0", 16), 16, 3_000, aim_ns=15),
    Event("tlb", f"TLB miss (chase over {CHASE_PAGES} pages)", CHASE, CHASE_PAGES, 12,
          setup=f"li a0, {CHASE_GVA:#x}", aim_ns=30, must=True),
    Event("sfence", "sfence.vma + 8 touches", TOUCHES, 1, 2_000, setup=TOUCHES_SETUP,
          aim_ns=300, must=True),
    Event("fence_i", "write code + fence.i + call",
          "xor s4, s4, s5\n sw s4, 0(s6)\n fence.i\n jalr s6", 1, 800,
          setup="la s6, patched\n lw s4, 0(s6)\n li s5, 0x100000",
          apart="patched: addi a0, zero, 0\n ret", aim_ns=300, must=True),
    ColdEvent("cold", "cold code, first run, per instruction", "jalr s8", 1, 1,
              template=BRANCHING, template_instructions=26, aim_ns=60),
    ColdEvent("cold_straight", "cold code without branches, per instruction", "jalr s8", 1, 1,
              template=STRAIGHT, template_instructions=24, aim_ns=60),
    Event("alu_loop", "ALU loop", _repeat(ALU_BODY, 2), 18, 40_000, rate=True),
    Event("memory_loop", "load/store loop", MEMORY_BODY, 18, 40_000,
          setup="la s4, scratch", rate=True),
)  # fmt: skip
