"""The bare-metal program of the event table: the same bytes for QEMU's and our virt board.

It starts in M-mode at 0x8000_0000, makes Sv39 tables, runs every event in S-mode or U-mode between
two readings of `time`, and prints one line per repetition: the row's number and the ticks.
"""

from typing import Final

from bench.event_rows import (
    CHASE_GVA,
    CHASE_PAGES,
    EVENTS,
    LINE_BYTES,
    ColdEvent,
    Event,
    Mode,
)
from hospes.isa.riscv.profile import RV64

BASE: Final = 0x8000_0000
TICK_NS: Final = 100
BEGIN: Final = b"begin\n"
END: Final = b"end\n"
TRAPPED: Final = b"trap "

USER_OFFSET: Final = 0x4000_0000
"""How far above its own address the program is mapped for U-mode."""

START: Final = f"""
    .equ UART, 0x10000000
    .equ FINISHER, 0x100000
    .equ TABLES, 0x81000000
    .equ CHASE, 0x82000000
    .equ COLD, 0x84000000
    .equ CHASE_PAGES, {CHASE_PAGES}
    la t0, machine_trap
    csrw mtvec, t0
    la t0, supervisor_trap
    csrw stvec, t0
    li t0, 0x2000              # FS: Initial
    csrs mstatus, t0
    li t0, 0x100               # ecall from U-mode goes to S-mode
    csrw medeleg, t0
    li t0, -1
    csrw mcounteren, t0
    csrw scounteren, t0
    csrw pmpaddr0, t0
    li t0, 0x1f                # one region over everything: NAPOT, RWX
    csrw pmpcfg0, t0
    call make_tables
    li t0, (8 << 60) | (TABLES >> 12)
    csrw satp, t0
    sfence.vma
    la a0, begin_text
    call print_text
    li s9, COLD
    j first_row
"""

# Root: the program for S-mode, again for U-mode, and the pages of the chase, whose second-level
# table is at TABLES + 4096 and whose leaves follow it. Page x of the chase points to page
# 1229 x + 577, a cycle through all of them, on another cache line of each.
TABLES: Final = f"""
make_tables:
    li t0, TABLES
    li t1, ({BASE:#x} >> 2) | 0xcf
    sd t1, 16(t0)
    ori t1, t1, 0x10
    sd t1, 24(t0)
    li t1, ((TABLES + 4096) >> 2) | 1
    sd t1, 32(t0)
    li t2, TABLES + 4096
    li t1, ((TABLES + 8192) >> 2) | 1
    li t3, CHASE_PAGES / 512
1:  sd t1, 0(t2)
    addi t2, t2, 8
    addi t1, t1, 1024
    addi t3, t3, -1
    bnez t3, 1b
    li t2, TABLES + 8192
    li t1, (CHASE >> 2) | 0xcf
    li t3, 0
    li t4, CHASE_PAGES
2:  sd t1, 0(t2)
    addi t2, t2, 8
    addi t1, t1, 1024
    mv a0, t3
    mv a4, ra
    call chase_offset
    mv a1, a0
    li a2, 1229
    mul a0, t3, a2
    addi a0, a0, 577
    andi a0, a0, CHASE_PAGES - 1
    call chase_offset
    mv ra, a4
    li a2, CHASE
    add a1, a1, a2
    li a2, {CHASE_GVA:#x}
    add a0, a0, a2
    sd a0, 0(a1)
    addi t3, t3, 1
    bne t3, t4, 2b
    ret
chase_offset:                   # a0: page number; result: its link's place, offset from page 0
    slli a2, a0, 12
    beqz a0, 3f
    li a3, {LINE_BYTES}
    mul a0, a0, a3
    li a3, 0xfc0
    and a0, a0, a3
    add a2, a2, a0
3:  mv a0, a2
    ret
"""

TRAPS: Final = """
    .balign 4
machine_trap:
    csrr t0, mcause
    li t1, 9
    bne t0, t1, 1f
    csrr t0, mepc
    addi t0, t0, 4
    csrw mepc, t0
    mret
1:  li t1, 3
    bne t0, t1, 2f
    jr s11
2:  la a0, trap_text
    call print_text
    csrr a0, mcause
    call print_hex
    csrr a0, mepc
    call print_hex
    csrr a0, mtval
    call print_hex
    j power_off
    .balign 4
supervisor_trap:
    csrr t0, sepc
    addi t0, t0, 4
    csrw sepc, t0
    sret
"""

PRINTING: Final = """
print_row:                      # a0: row, a1: ticks
    mv a6, ra
    mv a7, a1
    call print_hex
    mv a0, a7
    call print_hex
    li a0, '\\n'
    call print_character
    jr a6
print_hex:                      # a0, without leading zeros, and a blank
    mv a5, ra
    mv a4, a0
    li a3, 64
1:  addi a3, a3, -4
    beqz a3, 2f
    srl a0, a4, a3
    beqz a0, 1b
2:  srl a0, a4, a3
    andi a0, a0, 15
    addi a0, a0, '0'
    li a2, '9'
    ble a0, a2, 3f
    addi a0, a0, 'a' - '9' - 1
3:  call print_character
    addi a3, a3, -4
    bgez a3, 2b
    li a0, ' '
    call print_character
    jr a5
print_text:                     # a0: address of a text that ends with 0
    mv a5, ra
    mv a4, a0
1:  lbu a0, 0(a4)
    beqz a0, 2f
    call print_character
    addi a4, a4, 1
    j 1b
2:  jr a5
print_character:
    li t0, UART
1:  lbu t1, 5(t0)
    andi t1, t1, 0x20
    beqz t1, 1b
    sb a0, 0(t0)
    ret
power_off:
    li t0, FINISHER
    li t1, 0x5555
    sw t1, 0(t0)
1:  j 1b
begin_text: .asciz "begin\\n"
end_text: .asciz "end\\n"
trap_text: .asciz "trap "
    .balign 4096
scratch: .space 4096
"""


def assemble_events(scale: float = 1.0, repetitions: int = 5) -> bytes:
    """The program as a raw image for 0x8000_0000; scale shortens or lengthens every loop."""
    rows = [_row(number, event, scale, repetitions) for number, event in enumerate(EVENTS)]
    finish = "all_done:\n la a0, end_text\n call print_text\n j power_off\n"
    parts = [START, TABLES, TRAPS, PRINTING, "first_row:\n", *rows, "j all_done\n", finish]
    return RV64.assemble("".join(parts), BASE)


def events_made(event: Event, scale: float) -> int:
    """How many events one repetition of a row consists of."""
    if isinstance(event, ColdEvent):
        return event.copies_at(scale) * event.template_instructions
    return event.iterations_at(scale) * event.per_iteration


def read_results(output: bytes, scale: float = 1.0) -> dict[str, list[float]]:
    """Nanoseconds per event, by row and repetition, from what the program printed."""
    results: dict[str, list[float]] = {event.key: [] for event in EVENTS}
    text = output.partition(BEGIN)[2].partition(END)[0].decode("ascii")
    for line in text.splitlines():
        number, ticks = (int(word, 16) for word in line.split())
        event = EVENTS[number]
        results[event.key].append(ticks * TICK_NS / events_made(event, scale))
    return results


def _row(number: int, event: Event, scale: float, repetitions: int) -> str:
    offset = USER_OFFSET if event.mode is Mode.USER else 0
    previous = "li t0, 0x1800\n csrc mstatus, t0"
    if event.mode is Mode.SUPERVISOR:
        previous += "\n li t0, 0x800\n csrs mstatus, t0"
    prepare = _cold_code(number, event, scale) if isinstance(event, ColdEvent) else event.prepare
    return f"""
    li s0, {repetitions}
repeat_{number}:
    {prepare}
    la s11, back_{number}
    la t0, body_{number}
    li t1, {offset}
    add t0, t0, t1
    csrw mepc, t0
    {previous}
    mret
    .balign 4096
body_{number}:
    {event.setup}
    li s1, {event.iterations_at(scale)}
    rdtime s2
loop_{number}:
    {event.body}
    addi s1, s1, -1
    bnez s1, loop_{number}
    rdtime s3
    ebreak
    .balign 4096
    {event.apart}
    .balign 4096
back_{number}:
    li a0, {number}
    sub a1, s3, s2
    call print_row
    addi s0, s0, -1
    beqz s0, next_{number}
    j repeat_{number}
next_{number}:
"""


def _cold_code(number: int, event: ColdEvent, scale: float) -> str:
    """Copy the template to memory not used before (from s9 on); leave its address in s8."""
    return f"""
    mv s8, s9
    la s4, scratch
    li t0, {event.copies_at(scale)}
    li a0, 0
again_{number}:
    la t1, template_{number}
    la t2, template_end_{number}
copy_{number}:
    lhu t3, 0(t1)
    sh t3, 0(s9)
    addi t1, t1, 2
    addi s9, s9, 2
    bne t1, t2, copy_{number}
    la t1, template_{number}
    sub t1, t2, t1
    sub t1, s9, t1
    slli t3, a0, 12
    ori t3, t3, 0x2b7           # lui t0, a0
    sh t3, 0(t1)
    srli t3, t3, 16
    sh t3, 2(t1)
    addi a0, a0, 1
    addi t0, t0, -1
    bnez t0, again_{number}
    li t3, 0x8082               # c.jr ra
    sh t3, 0(s9)
    li t3, 8191
    add s9, s9, t3
    li t3, -4096
    and s9, s9, t3
    fence.i
    j ready_{number}
template_{number}:
    {event.template}
template_end_{number}:
ready_{number}:
"""
