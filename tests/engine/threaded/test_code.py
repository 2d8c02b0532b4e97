"""Pages of decoded code: changed by guest and host, dropped, given up, shared, straddled."""

import pytest
from tests.engine.threaded.guest import (
    CODE,
    DATA,
    FREE,
    FULL,
    HANDLER,
    PAGE,
    Guest,
    on_both,
)

from hospes.base.errors import HospesError
from hospes.engine.engine import Exit
from hospes.engine.threaded.engine import ThreadedEngine
from hospes.isa.riscv.encoding import (
    FETCH_ACCESS_FAULT,
    FETCH_PAGE_FAULT,
    ILLEGAL_INSTRUCTION,
    PTE_V,
)
from hospes.isa.riscv.profile import RV64
from hospes.memory.nested import CODE as CODE_FLAG
from hospes.memory.nested import CODE_DIRTY, DIRTY_CODE_MAX
from hospes.memory.space import Memory

CALL = """
    la t2, back
    jr t1
    back: wfi
"""
GVA = 0x4000_0000


def call(guest: Guest, target: int) -> int:
    """Run from CODE: jump to a target that returns by `jr t2`; the value of a0."""
    guest.set(t1=target, a0=0)
    guest.h.pc = CODE
    assert guest.run() is Exit.WFI
    return guest.get("a0")


def ready(guest: Guest) -> None:
    guest.place(CALL)
    guest.place("wfi", HANDLER)


def test_the_guest_changes_code_and_says_so() -> None:
    def scenario(guest: Guest) -> list[int]:
        guest.place("li a0, 1\njr t2", FREE)
        guest.set(t1=FREE, t3=int.from_bytes(RV64.assemble("li a0, 2"), "little"))
        guest.go("""
            la t2, first
            jr t1
            first: mv a1, a0
            sw t3, 0(t1)
            fence.i
            la t2, second
            jr t1
            second: wfi
        """)
        return [guest.get("a1"), guest.get("a0")]

    assert on_both(scenario) == [1, 2]


def test_the_guest_changes_the_instruction_after_its_fence() -> None:
    def scenario(guest: Guest) -> int:
        guest.set(t3=int.from_bytes(RV64.assemble("addi a0, a0, 100"), "little"), a0=0, a1=3)
        guest.go("""
            la t1, changed
            again:
            sw t3, 0(t1)
            fence.i
            changed: addi a0, a0, 1
            addi t3, t3, 0
            addi a1, a1, -1
            bnez a1, again
            wfi
        """)
        return guest.get("a0")

    assert on_both(scenario) == 300


def test_the_host_changes_code() -> None:
    def scenario(guest: Guest) -> list[int]:
        ready(guest)
        guest.place("fence.i\nli a0, 1\njr t2", FREE)
        values = [call(guest, FREE)]
        for value in (2, 3):
            guest.memory.write(FREE + 4, RV64.assemble(f"li a0, {value}"))
            values.append(call(guest, FREE))
        guest.memory.store(FREE + 4, 4, 0)
        call(guest, FREE)
        return [*values, guest.h.mcause, guest.h.mepc]

    assert on_both(scenario) == [1, 2, 3, ILLEGAL_INSTRUCTION, FREE + 4]


def test_stores_to_a_page_of_code_are_noticed_once_between_fences() -> None:
    guest = Guest()
    ready(guest)
    guest.place("fence.i\njr t2", FREE)
    call(guest, FREE)
    page = (FREE - CODE) >> 12
    entries, shared = guest.memory.nested.entries, guest.memory.nested.shared
    assert int(entries[page]) & (CODE_FLAG | CODE_DIRTY) == CODE_FLAG
    guest.set(t0=FREE)
    guest.go("sw zero, 64(t0)\nsw zero, 128(t0)\nsw zero, 0x7fc(t0)\nwfi")
    assert int(entries[page]) & CODE_DIRTY
    assert shared.dirty_code_count == 1
    call(guest, FREE)
    assert int(entries[page]) & (CODE_FLAG | CODE_DIRTY) == CODE_FLAG
    assert shared.dirty_code_count == 0


def test_only_what_changed_is_decoded_anew() -> None:
    guest = Guest()
    ready(guest)
    guest.place("fence.i\n" + "addi a0, a0, 1\n" * 200 + "jr t2", FREE)
    assert call(guest, FREE) == 200
    guest.memory.write(FREE + 400, RV64.assemble("addi a0, a0, 1001"))
    before = guest.count("decoded")
    assert call(guest, FREE) == 1200
    assert guest.count("decoded") - before < 10


def test_an_instruction_decoded_over_an_older_one_drops_it() -> None:
    """A jump into the middle of a decoded instruction, whose bytes have changed since, decodes
    the new bytes; at the fence the older instruction must not pass for fresh."""

    def scenario(guest: Guest) -> int:
        guest.place("wfi", HANDLER)
        guest.place("addi a0, a0, 0x100\njr t2", FREE)
        guest.set(t1=FREE, t3=int.from_bytes(RV64.assemble("c.jr t2"), "little"))
        guest.go("""
            la t2, first
            jr t1
            first: sh t3, 2(t1)
            la t2, second
            addi t0, t1, 2
            jr t0
            second: fence.i
            la t2, third
            li a0, 0
            jr t1
            third: wfi
        """)
        return guest.get("a0")

    assert on_both(scenario) == -1992 & (1 << 64) - 1


def test_a_page_that_mostly_changed_is_given_up_and_its_room_used_again() -> None:
    guest = Guest()
    ready(guest)
    guest.place("fence.i\nli a0, 1\njr t2", FREE)
    assert call(guest, FREE) == 1
    used = guest.count("code_pages")
    guest.memory.write(FREE, b"\xff" * PAGE)
    guest.place("fence.i\nli a0, 2\njr t2", FREE)
    assert call(guest, FREE) == 2
    assert guest.count("code_pages") == used
    guest.place("li a0, 3\njr t2", FREE + PAGE)
    assert call(guest, FREE + PAGE) == 3
    assert guest.count("code_pages") == used + 1
    assert guest.count("code_drops") == 0


def test_a_page_given_up_while_it_runs() -> None:
    """The fence is in the page that changed: what follows is fetched from the new one."""

    def scenario(guest: Guest) -> int:
        new = RV64.assemble("fence.i\nli a0, 77\nwfi", FREE + 0x40)
        guest.memory.write(DATA, new + b"\x01\x00" * 2000)
        guest.set(a0=0, t0=FREE + 0x40, t1=DATA, t3=FREE + 0xF00)
        guest.place(
            """
            copy:
            ld t2, 0(t1)
            sd t2, 0(t0)
            addi t1, t1, 8
            addi t0, t0, 8
            bltu t0, t3, copy
            j .+0x2c
        """,
            FREE,
        )
        guest.memory.write(FREE + 0x40, RV64.assemble("fence.i\nli a0, 5\nwfi"))
        guest.h.pc = FREE + 0x40
        guest.run()
        assert guest.get("a0") == 5
        guest.h.pc = FREE
        guest.run()
        return guest.get("a0")

    assert on_both(scenario) == 77


@pytest.mark.parametrize("code_pages", [2, 3, 5, 64])
def test_many_pages_in_little_room(code_pages: int) -> None:
    """A chain of jumps through twenty pages, several times over."""

    def scenario(guest: Guest) -> tuple[int, int]:
        for number in range(20):
            step = "jr t2" if number == 19 else "li t0, 0x1000\nadd t1, t1, t0\njr t1"
            guest.place(f"addi a0, a0, {number}\n{step}", FREE + number * PAGE)
        ready(guest)
        values = [call(guest, FREE) for _ in range(4)]
        assert len(set(values)) == 1
        return values[0], guest.h.instret

    assert on_both(scenario, code_pages=code_pages)[0] == sum(range(20))


def test_exhaustion_is_counted_and_leaves_plain_pages_behind() -> None:
    guest = Guest(code_pages=3)
    ready(guest)
    for number in range(6):
        guest.place("jr t2", FREE + number * PAGE)
        call(guest, FREE + number * PAGE)
    assert guest.count("code_drops") >= 2
    assert guest.count("code_pages") <= 3
    entries = guest.memory.nested.entries
    flagged = [page for page, entry in enumerate(entries) if int(entry) & CODE_FLAG]
    assert len(flagged) == guest.count("code_pages")


def test_too_little_room_is_refused() -> None:
    with pytest.raises(HospesError, match=r"1 page of code .* at least 2"):
        ThreadedEngine(Memory(PAGE), code_pages=1)


def test_more_stale_pages_than_are_remembered() -> None:
    def scenario(guest: Guest) -> list[int]:
        ready(guest)
        pages = DIRTY_CODE_MAX + 20
        fence = FREE + pages * PAGE
        guest.place("fence.i\njr t2", fence)
        values = []
        for value in (1, 2):
            for number in range(pages):
                guest.place(f"li a0, {value}\njr t2", FREE + number * PAGE)
            call(guest, fence)
            values += [call(guest, FREE + number * PAGE) for number in (0, 100, pages - 1)]
            for number in range(pages):
                call(guest, FREE + number * PAGE)
        return values

    def roomy(guest: Guest) -> list[int]:
        assert guest.memory.end > FREE + (DIRTY_CODE_MAX + 21) * PAGE
        return scenario(guest)

    assert on_both(roomy) == [1, 1, 1, 2, 2, 2]


STRADDLE = "nop\n" * ((PAGE - 4) // 4) + "c.nop\nli a0, {value}\njr t2"
LAST = PAGE - 2


def straddle(guest: Guest, value: int, gpa: int = FREE) -> None:
    """`li a0, value` across the boundary between two pages, then a return."""
    guest.memory.write(gpa + LAST, RV64.assemble(f"li a0, {value}\njr t2"))


def test_an_instruction_across_two_pages() -> None:
    def scenario(guest: Guest) -> tuple[list[int], int]:
        ready(guest)
        straddle(guest, 100)
        return [call(guest, FREE + LAST) for _ in range(3)], guest.h.instret

    values, _ = on_both(scenario)
    assert values == [100] * 3


HALVES = {
    "first half": (("addi a0, zero, 116", "sltiu a0, zero, 116", "addi a0, zero, 116"), 0),
    "second half": (("addi a0, zero, 100", "addi a0, zero, 116", "addi a0, zero, -1"), 2),
}


@pytest.mark.parametrize("which", HALVES)
def test_half_of_a_straddling_instruction_changes(which: str) -> None:
    texts, start = HALVES[which]

    def scenario(guest: Guest) -> list[int]:
        ready(guest)
        guest.place("fence.i\njr t2", FREE - PAGE)
        guest.place(f"{texts[0]}\njr t2", FREE + LAST)
        values = []
        for text in texts:
            guest.memory.write(FREE + LAST + start, RV64.assemble(text)[start : start + 2])
            call(guest, FREE - PAGE)
            values.append(call(guest, FREE + LAST))
        return values

    values = on_both(scenario)
    assert values[0] != values[1] != values[2]


def test_the_second_page_of_a_straddling_instruction_is_mapped_elsewhere() -> None:
    def scenario(guest: Guest) -> list[int]:
        first, second, third = FREE, FREE + PAGE, FREE + 2 * PAGE
        straddle(guest, 100, first)
        guest.memory.write(third, RV64.assemble("li a0, 200\njr t2")[2:])
        guest.page_tables()
        guest.map(GVA, first)
        guest.map(GVA + PAGE, second)
        ready(guest)
        values = [call(guest, GVA + LAST)]
        guest.map(GVA + PAGE, third)
        guest.place("sfence.vma\njr t2", DATA)
        call(guest, DATA)
        return [*values, call(guest, GVA + LAST)]

    assert on_both(scenario) == [100, 200]


def test_the_second_page_of_a_straddling_instruction_is_absent() -> None:
    """The trap value is the address of the part that faults, the place that of the instruction
    (Privileged ISA, 3.1.16)."""

    def scenario(guest: Guest) -> tuple[int, ...]:
        straddle(guest, 100)
        guest.page_tables()
        guest.map(GVA, FREE)
        guest.map(GVA + PAGE, FREE + PAGE, PTE_V)
        ready(guest)
        call(guest, GVA + LAST)
        return (*guest.trap(), guest.h.instret)

    cause, value, place, _ = on_both(scenario)
    assert (cause, value, place) == (FETCH_PAGE_FAULT, GVA + PAGE, GVA + LAST)


def test_a_straddling_instruction_at_the_end_of_memory() -> None:
    def scenario(guest: Guest) -> tuple[int, int, int]:
        ready(guest)
        end = guest.memory.end
        guest.memory.write(end - 2, RV64.assemble("li a0, 1")[:2])
        call(guest, end - 2)
        return guest.trap()

    cause, value, place = on_both(scenario)
    end = Guest().memory.end
    assert (cause, value, place) == (FETCH_ACCESS_FAULT, end, end - 2)


@pytest.mark.parametrize("code_pages", [2, 3, 4])
def test_straddling_instructions_in_little_room(code_pages: int) -> None:
    def scenario(guest: Guest) -> tuple[list[int], int]:
        ready(guest)
        for number in range(4):
            straddle(guest, number, FREE + 2 * number * PAGE)
        values = [
            call(guest, FREE + 2 * number * PAGE + LAST) for _ in range(3) for number in range(4)
        ]
        return values, guest.h.instret

    values, _ = on_both(scenario, code_pages=code_pages)
    assert values == [0, 1, 2, 3] * 3


def test_a_straddling_jump_and_branch() -> None:
    def scenario(guest: Guest) -> tuple[list[int], int]:
        ready(guest)
        values = []
        for text in ("j {target}", "beq zero, zero, {target}", "call {target}"):
            guest.place("li a0, 9\njr t2", DATA + 0x100)
            guest.place("li a0, 4\njr t2", FREE + 0x200)
            for target in (FREE + 0x200, FREE + PAGE + 0x10):
                guest.place("li a0, 5\njr t2", FREE + PAGE + 0x10)
                guest.place(text.format(target=f"{target:#x}"), FREE + LAST)
                guest.place("fence.i\njr t2", DATA)
                call(guest, DATA)
                values.append(call(guest, FREE + LAST))
        return values, guest.h.instret

    values, _ = on_both(scenario)
    assert values == [4, 5] * 3


def test_an_illegal_instruction_across_two_pages_has_its_bits() -> None:
    def scenario(guest: Guest) -> tuple[int, int, int]:
        ready(guest)
        guest.memory.store(FREE + LAST, 4, 0xBEEF_FFFF)
        call(guest, FREE + LAST)
        return guest.trap()

    assert on_both(scenario) == (ILLEGAL_INSTRUCTION, 0xBEEF_FFFF, FREE + LAST)


def test_one_page_at_two_addresses_is_decoded_once() -> None:
    guest = Guest()
    guest.page_tables()
    guest.map(GVA, FREE, FULL)
    ready(guest)
    guest.place("li a0, 8\njr t2", FREE)
    assert call(guest, FREE) == 8
    before = guest.count("decoded")
    assert call(guest, GVA) == 8
    assert guest.count("decoded") == before


def test_straight_on_into_the_next_page() -> None:
    def scenario(guest: Guest) -> tuple[int, int]:
        ready(guest)
        guest.place("addi a0, a0, 1\n" * (PAGE // 4 + 3) + "jr t2", FREE)
        return call(guest, FREE), guest.h.instret

    assert on_both(scenario)[0] == PAGE // 4 + 3


@pytest.mark.parametrize("code_pages", [3, 64])
def test_a_page_that_one_hart_drops_while_another_is_in_it(code_pages: int) -> None:
    """The room of the page is used for other code by then; the other hart must not go on there."""
    guest = Guest(code_pages=code_pages)
    ready(guest)
    other = guest.hart(1)
    guest.place("spin: addi a0, a0, 1\nj spin", FREE)
    other.pc = FREE
    guest.engine.run(other, 101)
    guest.memory.write(FREE, RV64.assemble("addi a0, a0, 16\nj .-4") + b"\xff" * (PAGE - 8))
    guest.place("fence.i\njr t2", DATA)
    call(guest, DATA)
    for number in range(1, 6):
        guest.place("c.nop\n" * 8 + "jr t2", FREE + number * PAGE)
        call(guest, FREE + number * PAGE)
    other.x[10] = 0
    guest.engine.run(other, 100)
    assert other.x[10] in (50 * 16, 50 * 16 + 16)
    assert other.mcause == 0
