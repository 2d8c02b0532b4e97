"""The software TLB: what each kind of flush forgets, address spaces, generations, contexts."""

import pytest
from tests.engine.threaded.guest import (
    CODE,
    DATA,
    FREE,
    FULL,
    HANDLER,
    PAGE,
    TABLES,
    Guest,
    on_both,
)

from hospes.engine.engine import Exit
from hospes.engine.threaded.state import GENERATION_END, GENERATION_STEP, TLB_ENTRIES
from hospes.isa.riscv.encoding import (
    LOAD_PAGE_FAULT,
    MODE_S,
    MODE_U,
    PTE_A,
    PTE_D,
    PTE_R,
    PTE_U,
    PTE_V,
    PTE_W,
    PTE_X,
    SATP_ASID_SHIFT,
    STATUS_MPP_SHIFT,
    STATUS_MPRV,
    STATUS_MXR,
    STATUS_SUM,
    STORE_PAGE_FAULT,
)
from hospes.isa.riscv.priv import refresh

GVA = 0x4000_0000

FLUSHES = GENERATION_END // GENERATION_STEP


def two_frames(guest: Guest) -> None:
    """FREE holds 1, the page behind it 2; GVA is the first."""
    guest.memory.store(FREE, 8, 1)
    guest.memory.store(FREE + PAGE, 8, 2)
    guest.place("wfi", HANDLER)


def leaf(gpa: int, flags: int = FULL) -> int:
    return gpa >> 2 | flags


FENCES = {
    "all": ("sfence.vma", 0),
    "page": ("sfence.vma t0", 0),
    "address space": ("sfence.vma zero, t3", 5),
    "page of an address space": ("sfence.vma t0, t3", 5),
    "page by another address in it": ("addi t1, t0, 0x7ff\nsfence.vma t1", 0),
    "svinval": ("sfence.w.inval\nsinval.vma t0, zero\nsfence.inval.ir", 0),
}


@pytest.mark.parametrize("name", FENCES)
def test_a_fence_forgets(name: str) -> None:
    fence, asid = FENCES[name]

    def scenario(guest: Guest) -> list[int]:
        two_frames(guest)
        guest.page_tables(asid=asid)
        slot = guest.map(GVA, FREE)
        guest.set(t0=GVA, t2=slot, t3=asid, a3=leaf(FREE + PAGE))
        guest.go(f"""
            ld a0, 0(t0)
            sd a3, 0(t2)
            {fence}
            ld a1, 0(t0)
            li a2, 3
            sd a2, 0(t0)
            wfi
        """)
        frames = [guest.memory.load(FREE + n * PAGE, 8) for n in (0, 1)]
        return [guest.get("a0"), guest.get("a1"), *frames]

    assert on_both(scenario) == [1, 2, 1, 3]


def test_a_fence_for_one_page_leaves_the_others() -> None:
    guest = Guest()
    guest.page_tables()
    for number in range(8):
        guest.map(GVA + number * PAGE, FREE + number * PAGE)
    touch = "".join(f"ld a0, 0(t{n % 3})\nadd t{n % 3}, t{n % 3}, a3\n" for n in range(24))
    guest.set(t0=GVA, t1=GVA, t2=GVA, a3=PAGE)
    guest.go(touch + "wfi")
    before = guest.count("tlb_misses")
    guest.set(t0=GVA, t1=GVA, t2=GVA, t3=GVA + 2 * PAGE)
    guest.go("sfence.vma t3\n" + touch + "wfi")
    assert guest.count("tlb_misses") - before == 1


@pytest.mark.parametrize("level", [1, 2])
def test_a_large_page_is_forgotten_by_any_address_in_it(level: int) -> None:
    def scenario(guest: Guest) -> list[int]:
        guest.place("wfi", HANDLER)
        guest.page_tables()
        gva, size = 0x1_0000_0000, 1 << (12 + 9 * level)
        offset = FREE - guest.memory.base
        physical = guest.memory.base
        guest.memory.store(FREE, 8, 7)
        slot = guest.map(gva, physical, FULL, level)
        guest.set(t0=gva + offset, t1=gva + size - 8, t2=slot, a3=0)
        guest.go("""
            ld a0, 0(t0)
            sd a3, 0(t2)
            sfence.vma t1
            ld a1, 0(t0)
            wfi
        """)
        return [guest.get("a0"), guest.get("a1"), *guest.trap()[:2]]

    assert on_both(scenario) == [7, 0, LOAD_PAGE_FAULT, 0x1_0000_0000 + FREE - CODE]


def test_a_flush_of_code_in_a_large_page() -> None:
    def scenario(guest: Guest) -> int:
        gva = 0x1_0000_0000
        guest.place("wfi", HANDLER)
        guest.page_tables()
        slot = guest.map(gva, CODE, FULL, level=1)
        guest.place("li a0, 1\njr t2", FREE)
        guest.set(t0=gva + FREE - CODE, t1=gva, t3=slot, a3=0)
        guest.go("""
            la t2, back
            jr t0
            back: sd a3, 0(t3)
            sfence.vma t1
            li a0, 0
            jr t0
        """)
        return guest.get("a0") + guest.trap()[0]

    assert on_both(scenario) == 12


SWAP = """
    again:
    sd a2, 0(t2)
    sfence.vma {operands}
    ld t1, 0(t0)
    add a0, a0, t1
    sd a3, 0(t2)
    sfence.vma {operands}
    ld t1, 0(t0)
    slli t1, t1, 16
    add a0, a0, t1
    addi a1, a1, -1
    bnez a1, again
    wfi
"""


@pytest.mark.parametrize("operands", ["", "zero, t3"])
def test_generations_run_out(operands: str) -> None:
    turns = FLUSHES + 40

    def scenario(guest: Guest) -> int:
        two_frames(guest)
        guest.page_tables(asid=3)
        slot = guest.map(GVA, FREE)
        guest.set(t0=GVA, t2=slot, t3=3, a0=0, a1=turns, a2=leaf(FREE), a3=leaf(FREE + PAGE))
        guest.go(SWAP.format(operands=operands), 100_000)
        return guest.get("a0")

    assert on_both(scenario) == turns * (1 + (2 << 16))


@pytest.mark.parametrize("flushes", range(FLUSHES - 8, FLUSHES + 2))
def test_the_last_generation_gives_way_to_one_that_no_handler_holds(flushes: int) -> None:
    """An old address space with the first generation is current when they run out: the fence that
    clears the tables must still be noticed, as the code behind it is another by then."""
    gva = 0x4000_0000

    def scenario(guest: Guest) -> list[int]:
        guest.place("wfi", HANDLER)
        guest.page_tables(asid=0)
        slot = guest.map(gva, FREE)
        program = "sd a3, 0(t2)\nsfence.vma\nli a0, {}\njr t3"
        guest.place(program.format(1), FREE)
        guest.place(program.format(2), FREE + PAGE)
        guest.set(t0=gva, t2=slot, a3=leaf(FREE + PAGE), a1=flushes, a2=1)
        guest.h.x[20] = guest.h.satp
        guest.h.x[21] = guest.h.satp | 1 << SATP_ASID_SHIFT
        guest.go("""
            csrw satp, s5
            again:
            sfence.vma zero, a2
            addi a1, a1, -1
            bnez a1, again
            csrw satp, s4
            la t3, back
            jr t0
            back: wfi
        """)
        return [guest.get("a0")]

    assert on_both(scenario) == [2]


def second_root(guest: Guest) -> int:
    """A second set of tables, with RAM as in the first; its root."""
    root = TABLES + 0x8_0000
    guest.memory.store(root + 16, 8, guest.memory.load(TABLES + 16, 8))
    return root


@pytest.mark.parametrize("asids", [(1, 2), (1, 65), (0, 64), (0xFFFF, 1)])
def test_address_spaces_keep_apart(asids: tuple[int, int]) -> None:
    def scenario(guest: Guest) -> list[int]:
        two_frames(guest)
        guest.page_tables()
        guest.map(GVA, FREE)
        root = second_root(guest)
        first = TABLES
        for level in (2, 1, 0):
            entry = GVA >> (12 + 9 * level) & 0x1FF
            if level == 0:
                guest.memory.store(root + 8 * entry, 8, leaf(FREE + PAGE))
            else:
                following = root + PAGE
                guest.memory.store(root + 8 * entry, 8, following >> 2 | PTE_V)
                root = following
        root = TABLES + 0x8_0000
        scheme = 8 << 60
        guest.h.x[20] = scheme | asids[0] << SATP_ASID_SHIFT | first >> 12
        guest.h.x[21] = scheme | asids[1] << SATP_ASID_SHIFT | root >> 12
        guest.set(t0=GVA, a0=0, a1=6)
        guest.go("""
            again:
            csrw satp, s4
            ld t1, 0(t0)
            add a0, a0, t1
            csrw satp, s5
            ld t1, 0(t0)
            slli t1, t1, 16
            add a0, a0, t1
            addi a1, a1, -1
            bnez a1, again
            wfi
        """)
        return [guest.get("a0")]

    assert on_both(scenario) == [6 + (12 << 16)]


def test_an_address_space_seen_again_is_still_known() -> None:
    guest = Guest()
    guest.page_tables(asid=1)
    guest.map(GVA, FREE)
    guest.map(GVA + PAGE, FREE)
    guest.h.x[20], guest.h.x[21] = guest.h.satp, guest.h.satp ^ 3 << SATP_ASID_SHIFT
    guest.set(t0=GVA, t1=GVA + PAGE, a1=50)
    guest.go("""
        again:
        csrw satp, s4
        ld t2, 0(t0)
        csrw satp, s5
        ld t2, 0(t1)
        addi a1, a1, -1
        bnez a1, again
        wfi
    """)
    assert guest.count("tlb_misses") == 2


@pytest.mark.parametrize("asid", [1, 2])
def test_a_flush_of_an_address_space_that_is_not_current(asid: int) -> None:
    def scenario(guest: Guest) -> list[int]:
        two_frames(guest)
        guest.page_tables(asid=1)
        slot = guest.map(GVA, FREE)
        guest.h.x[20], guest.h.x[21] = guest.h.satp, guest.h.satp ^ 3 << SATP_ASID_SHIFT
        guest.set(t0=GVA, t2=slot, t3=asid, a3=leaf(FREE + PAGE))
        guest.go("""
            ld a0, 0(t0)
            csrw satp, s5
            ld a1, 0(t0)
            sd a3, 0(t2)
            sfence.vma zero, t3
            wfi
        """)
        guest.go(f"csrw satp, s{3 + asid}\nld a2, 0(t0)\nwfi")
        return [guest.get("a0"), guest.get("a1"), guest.get("a2")]

    assert on_both(scenario) == [1, 1, 2]


def test_pages_that_share_an_entry() -> None:
    def scenario(guest: Guest) -> int:
        two_frames(guest)
        guest.page_tables()
        guest.map(GVA, FREE)
        guest.map(GVA + TLB_ENTRIES * PAGE, FREE + PAGE)
        guest.set(t0=GVA, t1=GVA + TLB_ENTRIES * PAGE, a0=0, a1=10)
        guest.go("""
            again:
            ld t2, 0(t0)
            add a0, a0, t2
            ld t2, 0(t1)
            add a0, a0, t2
            addi a1, a1, -1
            bnez a1, again
            wfi
        """)
        return guest.get("a0")

    assert on_both(scenario) == 30


@pytest.mark.parametrize("how", ["epoch", "resync"])
def test_python_asks_for_a_flush(how: str) -> None:
    guest = Guest()
    two_frames(guest)
    guest.page_tables()
    slot = guest.map(GVA, FREE)
    guest.set(t0=GVA)
    guest.go("ld a0, 0(t0)\nwfi")
    guest.memory.store(slot, 8, leaf(FREE + PAGE))
    if how == "epoch":
        guest.memory.nested.shared.epoch += 1
    else:
        guest.h.resync = 1
    flushes = guest.count("tlb_flushes")
    guest.go("ld a0, 0(t0)\nwfi")
    assert guest.get("a0") == 2
    assert guest.count("tlb_flushes") == flushes + 1
    assert guest.h.resync == 0
    guest.run(1)
    assert guest.count("tlb_flushes") == flushes + 1


def test_another_address_space_set_from_python() -> None:
    """As after a snapshot is loaded: satp is written, and resync asks the engine to look."""
    guest = Guest()
    two_frames(guest)
    guest.page_tables(asid=7)
    guest.map(GVA, FREE)
    guest.set(t0=GVA)
    guest.go("ld a0, 0(t0)\nwfi")
    assert guest.state().asid == 7
    guest.page_tables(asid=9)
    guest.go("ld a0, 0(t0)\nwfi")
    assert guest.state().asid == 9
    assert guest.get("a0") == 1


RIGHTS = {
    "a page of U is closed to S": (PTE_R | PTE_W | PTE_U, MODE_S, 0, False, False),
    "SUM opens it": (PTE_R | PTE_W | PTE_U, MODE_S, STATUS_SUM, True, True),
    "a page of S is closed to U": (PTE_R | PTE_W, MODE_U, STATUS_SUM, False, False),
    "an executable page is not readable": (PTE_X, MODE_S, 0, False, False),
    "MXR makes it so": (PTE_X, MODE_S, STATUS_MXR, True, False),
    "MXR and SUM": (PTE_X | PTE_U, MODE_S, STATUS_MXR | STATUS_SUM, True, False),
    "a read-only page": (PTE_R, MODE_S, 0, True, False),
}


@pytest.mark.parametrize("name", RIGHTS)
def test_rights_follow_the_context(name: str) -> None:
    """The same page is touched with its rights off and on in turn: tables are per context."""
    flags, mode, bits, readable, writable = RIGHTS[name]

    def scenario(guest: Guest) -> list[int]:
        guest.map(GVA, FREE, flags | PTE_V | PTE_A | PTE_D)
        guest.page_tables()
        guest.h.mode, guest.h.medeleg, guest.h.mtvec = 3, 0, HANDLER
        guest.place("csrr s2, mcause\nwfi", HANDLER)
        guest.place("ld a0, 0(t0)\nwfi", DATA)
        guest.place("sd zero, 0(t0)\nwfi", DATA + 0x100)
        found = []
        for place in (DATA, DATA + 0x100):
            for status in (0, bits, 0, bits):
                guest.h.mode = 3
                guest.h.mstatus = status | STATUS_MPRV | mode << STATUS_MPP_SHIFT
                refresh(guest.h)
                guest.set(t0=GVA, s2=0)
                guest.h.pc = place
                assert guest.run() is Exit.WFI
                found.append(guest.get("s2"))
        return found

    found = on_both(scenario)
    assert found[1] == found[3] == (0 if readable else LOAD_PAGE_FAULT)
    assert found[5] == found[7] == (0 if writable else STORE_PAGE_FAULT)


def test_a_return_to_the_next_instruction_in_another_mode() -> None:
    """mret goes to the instruction behind it: from there on fetches are translated."""

    def scenario(guest: Guest) -> list[int]:
        guest.place("wfi", HANDLER)
        guest.map(CODE + PAGE, CODE + PAGE)
        guest.map(FREE, FREE + PAGE)
        guest.place("li a0, 1\njr t2", FREE)
        guest.place("li a0, 2\nwfi", FREE + PAGE)
        guest.h.satp = 8 << 60 | TABLES >> 12
        guest.h.mstatus = MODE_S << STATUS_MPP_SHIFT
        guest.set(t1=FREE)
        guest.go("""
            la t0, next
            csrw mepc, t0
            la t2, back
            jr t1
            back: mret
            next: jr t1
        """)
        return [guest.get("a0"), guest.h.mode, guest.h.mcause]

    assert on_both(scenario) == [2, MODE_S, 0]


def test_the_first_store_to_a_clean_page_sets_its_dirty_bit() -> None:
    def scenario(guest: Guest) -> list[int]:
        guest.place("wfi", HANDLER)
        guest.page_tables()
        slot = guest.map(GVA, FREE, PTE_V | PTE_R | PTE_W)
        guest.set(t0=GVA, t2=slot)
        guest.go("""
            ld a0, 0(t0)
            ld a1, 0(t2)
            sd t0, 0(t0)
            ld a2, 0(t2)
            wfi
        """)
        return [guest.get("a1") & (PTE_A | PTE_D), guest.get("a2") & (PTE_A | PTE_D)]

    assert on_both(scenario) == [PTE_A, PTE_A | PTE_D]
