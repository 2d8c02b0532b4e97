"""Runs: budgets, exact instruction counts, kicks, traps without end, several harts, statistics."""

import threading
import time

import pytest
from tests.engine.threaded.guest import (
    CODE,
    DATA,
    FREE,
    HANDLER,
    PAGE,
    Guest,
    on_both,
)

from hospes.engine.engine import Exit
from hospes.engine.reference import ReferenceEngine
from hospes.isa.riscv.encoding import (
    ECALL_FROM_U,
    FETCH_ACCESS_FAULT,
    ILLEGAL_INSTRUCTION,
    INTERRUPT,
    MODE_M,
    MODE_S,
    MSI,
    STATUS_MIE,
    STI,
    STORE_MISALIGNED,
)
from hospes.isa.riscv.hart import Hart
from hospes.isa.riscv.priv import refresh

OVERSHOOT = PAGE // 2
"""At most the rest of a page of 2-byte instructions."""
KICK_SECONDS = 0.05

MIXTURE = """
    li a0, 0
    li a1, 300
    again:
    addi a0, a0, 1
    ld t2, 0(t0)
    sd a0, 8(t0)
    csrr t3, instret
    add a2, a2, t3
    ecall
    .word 0xffffffff
    andi t1, a0, 7
    bnez t1, skip
    ebreak
    call routine
    skip:
    csrrwi zero, mscratch, 3
    fence.i
    addi a1, a1, -1
    bnez a1, again
    wfi
    routine:
    csrr t3, instret
    xor a2, a2, t3
    ret
"""
RETURN_PAST = """
    csrr t2, mepc
    addi t2, t2, 4
    csrw mepc, t2
    csrr t2, mcause
    add a3, a3, t2
    mret
"""


def mixture(guest: Guest) -> None:
    guest.place(RETURN_PAST, HANDLER)
    guest.set(t0=DATA)
    guest.place(MIXTURE.replace(".word 0xffffffff", "csrw cycle, zero"), CODE)


def registers(h: Hart) -> list[int]:
    return [h.pc, h.instret, *list(h.x)[:32], h.mcause, h.mepc, h.mtval, h.mstatus]


@pytest.mark.parametrize("budget", [1, 2, 3, 7, 100, 5000, 1 << 62])
def test_the_count_is_exact_at_every_exit(budget: int) -> None:
    """At each exit the reference, run as far, is in the same state."""
    threaded, reference = Guest(), Guest(ReferenceEngine)
    mixture(threaded)
    mixture(reference)
    reason = Exit.BUDGET
    exits = 0
    while reason is Exit.BUDGET:
        reason = threaded.run(budget)
        exits += 1
        for _ in range(budget + OVERSHOOT if budget < 1 << 20 else 100_000):
            if reference.h.instret == threaded.h.instret and reference.h.pc == threaded.h.pc:
                break
            reference.run(1)
        assert registers(threaded.h) == registers(reference.h)
    assert reason is Exit.WFI
    assert exits > 1 or budget > 10_000


@pytest.mark.parametrize("budget", [1, 10, 1000])
def test_a_run_goes_little_further_than_its_budget(budget: int) -> None:
    guest = Guest()
    guest.place("again: c.nop\n" * 1 + "c.nop\n" * 3000 + "j again")
    for _ in range(20):
        before = guest.h.instret
        assert guest.run(budget) is Exit.BUDGET
        assert budget <= guest.h.instret - before < budget + OVERSHOOT


def test_without_a_budget_nothing_runs() -> None:
    guest = Guest()
    guest.place("j .")
    assert guest.run(0) is Exit.BUDGET
    assert (guest.h.instret, guest.h.pc) == (0, CODE)


ENDLESS = {
    "an illegal instruction": ("csrw cycle, zero", ILLEGAL_INSTRUCTION),
    "a misaligned atomic": ("amoadd.w t1, t1, (t0)", STORE_MISALIGNED),
    "an ecall": ("ecall", ECALL_FROM_U + MODE_M),
    "a jump to nowhere": ("", FETCH_ACCESS_FAULT),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_traps_without_end_are_stopped_by_the_budget(name: str) -> None:
    text, cause = ENDLESS[name]

    def scenario(guest: Guest) -> list[int]:
        guest.place(text, HANDLER)
        guest.set(t0=DATA + 1)
        if not text:
            guest.h.mtvec = 0x1000
        guest.h.pc = guest.h.mtvec
        return [int(guest.run(3000)), guest.h.instret, guest.h.mcause, guest.h.mepc]

    assert on_both(scenario) == [Exit.BUDGET, 0, cause, HANDLER if text else 0x1000]


SPINS = {
    "a jump to itself": "spin: j spin",
    "loads and stores": "spin: ld t1, 0(t0)\nsd t1, 8(t0)\nj spin",
    "system instructions": "spin: csrr t1, mstatus\nsfence.vma\nfence.i\nj spin",
    "calls": "spin: call far\nj spin\nfar: ret",
    "traps": "spin: ecall\nj spin",
    "floating point": "spin: fadd.d f1, f2, f3\nj spin",
}


@pytest.mark.parametrize("name", SPINS)
def test_a_kick_from_another_thread_returns_soon(name: str) -> None:
    """Interrupts are off, the budget is endless; the best of some tries, as the host is busy."""
    guest = Guest()
    guest.place(RETURN_PAST, HANDLER)
    guest.place(SPINS[name])
    guest.h.fs = 1
    refresh(guest.h)
    guest.set(t0=DATA)
    guest.run(1)
    delays = []
    for _ in range(5):
        kicked: list[float] = []

        def kick(kicked: list[float] = kicked) -> None:
            time.sleep(0.01)
            kicked.append(time.perf_counter())
            guest.engine.kick(guest.h)

        thread = threading.Thread(target=kick)
        thread.start()
        assert guest.run(1 << 60) is Exit.KICK
        delays.append(time.perf_counter() - kicked[0])
        thread.join()
        if delays[-1] < KICK_SECONDS:
            break
    assert min(delays) < KICK_SECONDS
    assert guest.run(10) is Exit.BUDGET


def test_a_kick_before_a_run_ends_it_at_once() -> None:
    guest = Guest()
    guest.place("j .")
    guest.run(5)
    before = guest.h.instret
    guest.engine.kick(guest.h)
    assert guest.run(1000) is Exit.KICK
    assert guest.h.instret == before
    assert guest.run(1000) is Exit.BUDGET


def test_wfi_counts_and_is_passed() -> None:
    def scenario(guest: Guest) -> list[int]:
        found = []
        guest.place("wfi\nnop\nwfi")
        for _ in range(2):
            found += [int(guest.run()), guest.h.pc, guest.h.instret]
        return found

    assert on_both(scenario) == [Exit.WFI, CODE + 4, 1, Exit.WFI, CODE + 12, 3]


def test_an_interrupt_line_is_seen_at_the_start_of_a_run() -> None:
    def scenario(guest: Guest) -> list[int]:
        guest.place("spin: j spin", HANDLER)
        guest.place("spin: j spin")
        guest.h.mstatus |= STATUS_MIE
        guest.h.mie = MSI
        guest.run(64)
        guest.h.lines = MSI
        guest.run(64)
        return [guest.h.mcause, guest.h.mepc, guest.h.pc, guest.h.mstatus & STATUS_MIE]

    assert on_both(scenario) == [INTERRUPT | 3, CODE, HANDLER, 0]


def test_the_timer_interrupts_a_loop() -> None:
    """Time follows the instructions, so the run can be repeated; it is looked at now and then."""
    guest = Guest()
    guest.place("csrr a0, time\nspin: j spin", HANDLER)
    guest.place("spin: j spin")
    guest.h.menvcfg |= 1 << 63
    guest.h.stimecmp = 10_000
    guest.h.mstatus |= STATUS_MIE
    guest.h.mie = STI
    assert guest.run(200_000) is Exit.BUDGET
    assert guest.h.mcause == INTERRUPT | 5
    assert 10_000 <= guest.get("a0") < 13_000


def test_opening_interrupts_takes_a_waiting_one_at_once() -> None:
    def scenario(guest: Guest) -> list[int]:
        guest.place("csrr a0, mepc\nspin: j spin", HANDLER)
        guest.h.mie = guest.h.lines = MSI
        guest.place("nop\ncsrsi mstatus, 8\nli a1, 1\nwfi")
        guest.run(100)
        return [guest.get("a0") - CODE, guest.get("a1")]

    assert on_both(scenario) == [8, 0]


def test_harts_share_decoded_code() -> None:
    guest = Guest()
    guest.place("li a0, 100\nagain: addi a0, a0, -1\nbnez a0, again\nwfi")
    guest.run()
    decoded, pages = guest.count("decoded"), guest.count("code_pages")
    other = guest.hart(1)
    assert guest.engine.run(other, 1000) is Exit.WFI
    assert (guest.count("decoded"), guest.count("code_pages")) == (decoded, pages)
    assert other.instret == guest.h.instret


def test_one_hart_changes_what_another_executes() -> None:
    """The fence of one is enough for all, as their code is shared."""
    guest = Guest()
    guest.place("spin: addi a0, a0, 1\nj spin", FREE)
    other = guest.hart(1)
    other.pc = FREE
    guest.engine.run(other, 100)
    guest.set(t0=FREE, t1=0x0640_0513)
    assert guest.go("sw t1, 0(t0)\nfence.i\nwfi") is Exit.WFI
    other.x[10] = 0
    guest.engine.run(other, 100)
    assert other.x[10] == 100


def test_a_fence_of_one_hart_leaves_the_translations_of_another() -> None:
    guest = Guest()
    guest.place("again: ld a0, 0(t0)\nj again")
    other = guest.hart(1)
    for h in (guest.h, other):
        h.x[5] = DATA
        guest.engine.run(h, 100)
    before = guest.count("tlb_misses")
    guest.go("sfence.vma\nwfi")
    guest.engine.run(other, 100)
    assert guest.count("tlb_misses") == before


def test_harts_have_budgets_and_counts_of_their_own() -> None:
    guest = Guest()
    guest.place("spin: j spin")
    harts = [guest.hart(number) for number in range(4)]
    for turn in range(3):
        for number, h in enumerate(harts):
            guest.engine.run(h, 10 * (number + 1))
            assert h.instret == 10 * (number + 1) * (turn + 1)


SWITCHED = """
    li a0, 0
    li a1, 200
    again:
    sw t1, 0(t2)
    fence.i
    changed: addi a0, a0, 1
    sd a2, 0(t3)
    sfence.vma t0
    ld a3, 0(t0)
    add a0, a0, a3
    sd s3, 0(t3)
    sfence.vma
    ld a3, 0(t0)
    slli a3, a3, 8
    add a0, a0, a3
    fadd.d f1, f1, f2
    xori t1, t1, 0
    addi a1, a1, -1
    bnez a1, again
    csrr a2, fflags
    wfi
"""


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("length", [1, 2, 3, 5, 8, 13, 40, 333])
def test_engines_take_turns_on_one_hart(first: int, length: int) -> None:
    """Code and page tables change under both; each must see what the other's guest did."""

    def outcome(lengths: list[int]) -> list[int]:
        guest = Guest()
        guest.page_tables(MODE_S)
        slot = guest.map(0x4000_0000, FREE)
        guest.memory.store(FREE, 8, 1)
        guest.memory.store(FREE + PAGE, 8, 2)
        guest.place("j .", HANDLER)
        guest.place(SWITCHED)
        changed = CODE + 16
        guest.set(t0=0x4000_0000, t1=0x0025_0513, t2=changed, t3=slot)
        guest.set(a2=FREE >> 2 | 0xCF, s3=(FREE + PAGE) >> 2 | 0xCF)
        guest.h.fs = 1
        guest.h.f[1], guest.h.f[2] = 0, 0x3FF0_0000_0000_0001
        refresh(guest.h)
        engines = [guest.engine, guest.reference]
        for turn in range(100_000):
            if engines[(turn + first) % 2].run(guest.h, lengths[turn % 2]) is Exit.WFI:
                break
        return [*registers(guest.h), guest.h.f[1], guest.h.fflags]

    assert outcome([length, length + 1]) == outcome([1 << 40, 1 << 40])


def test_the_hosts_store_between_engines_is_seen_by_both() -> None:
    guest = Guest()
    guest.place("fence.i\naddi a0, a0, 1\nj .")
    guest.run(3)
    guest.memory.store(CODE + 4, 4, 0x0645_0513)
    for engine in (guest.reference, guest.engine, guest.reference):
        guest.h.pc = CODE
        guest.set(a0=0)
        engine.run(guest.h, 3)
        assert guest.get("a0") == 100


def test_a_hart_is_moved_once_and_keeps_its_words() -> None:
    guest = Guest()
    guest.place("j .")
    guest.set(a0=5)
    guest.run(1)
    words = guest.h.words
    guest.reference.run(guest.h, 1)
    guest.run(1)
    assert guest.h.words is words
    assert guest.get("a0") == 5


def test_statistics() -> None:
    guest = Guest()
    guest.place("wfi", HANDLER)
    guest.place("ld a0, 0(t0)\nld a0, 0(t0)\nsfence.vma\necall")
    guest.set(t0=DATA)
    before = guest.engine.statistics()
    assert set(before) == {
        "tlb_misses", "fetch_misses", "tlb_flushes", "decoded", "interrupts", "traps",
        "code_pages", "code_drops",
    }  # fmt: skip
    assert not any(before.values())
    guest.run()
    after = guest.engine.statistics()
    assert (after["tlb_misses"], after["traps"], after["decoded"]) == (1, 1, 5)
    assert (after["code_pages"], after["interrupts"], after["code_drops"]) == (2, 0, 0)
    assert after["tlb_flushes"] >= 2
    assert after["fetch_misses"] >= 2


def test_a_second_hart_of_the_same_place_is_another() -> None:
    """A hart that is gone may leave its id to a new one."""
    guest = Guest()
    guest.place("j .")
    for number in range(5):
        h = guest.hart(number)
        guest.engine.run(h, 10)
        assert h.instret == 10
        assert h.mode == MODE_M
        del h
