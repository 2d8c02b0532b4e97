"""Loads and stores that are not simply inside a page of RAM."""

import random
from collections.abc import Callable

import pytest
from tests.engine.threaded.guest import DATA, FREE, FULL, HANDLER, PAGE, Guest, on_both

from hospes.base.bits import U64_MAX
from hospes.engine.engine import Exit
from hospes.isa.riscv.encoding import (
    LOAD_ACCESS_FAULT,
    LOAD_MISALIGNED,
    LOAD_PAGE_FAULT,
    PTE_R,
    PTE_U,
    PTE_V,
    PTE_W,
    STORE_ACCESS_FAULT,
    STORE_MISALIGNED,
    STORE_PAGE_FAULT,
)
from hospes.isa.riscv.profile import RV64
from hospes.memory.nested import CODE_DIRTY, DIRTY

GVA = 0x4000_0000
DEVICE = 0x1000_0000
LOADS = {"lb": 1, "lbu": 1, "lh": 2, "lhu": 2, "lw": 4, "lwu": 4, "ld": 8, "flw": 4, "fld": 8}
STORES = {"sb": 1, "sh": 2, "sw": 4, "sd": 8, "fsw": 4, "fsd": 8}
ATOMICS = {"amoadd.w": 4, "amoswap.d": 8, "lr.w": 4, "lr.d": 8, "sc.w": 4, "sc.d": 8}


def text_of(name: str) -> str:
    """The instruction on the address in t0, from or into t1 (f6)."""
    register = "f6" if name.startswith("f") else "t1"
    if name in LOADS or name in STORES:
        return f"{name} {register}, 0(t0)"
    return f"{name} t1, (t0)" if name.startswith("lr") else f"{name} t1, t2, (t0)"


def prepare(guest: Guest, name: str) -> int:
    """Place the instruction; its address."""
    guest.place("wfi", HANDLER)
    guest.place(f"{text_of(name)}\nwfi", DATA)
    guest.h.fs = 3
    return DATA


def execute(guest: Guest, gva: int, value: int = 0) -> tuple[int, ...]:
    """Run it once; registers, and the trap if there was one."""
    h = guest.h
    h.mcause = h.scause = h.mtval = h.stval = 0
    guest.set(t0=gva, t1=value, t2=value)
    h.f[6] = value
    h.pc = DATA
    before = h.instret
    reason = guest.finish()
    if reason is not Exit.WFI:
        return (int(reason),)
    return h.x[6], h.f[6], h.instret - before, h.pc, *guest.trap()[:2]


@pytest.mark.parametrize("name", LOADS)
def test_loads_at_every_offset(name: str) -> None:
    def scenario(guest: Guest) -> list[tuple[int, ...]]:
        prepare(guest, name)
        data = random.Random(1).randbytes(2 * PAGE)
        guest.memory.write(FREE, data)
        offsets = [*range(9), *range(PAGE - 9, PAGE + 9)]
        return [execute(guest, FREE + offset) for offset in (*offsets, *offsets)]

    on_both(scenario)


@pytest.mark.parametrize("name", STORES)
def test_stores_at_every_offset(name: str) -> None:
    def scenario(guest: Guest) -> list[bytes]:
        prepare(guest, name)
        values = random.Random(2)
        found = []
        for offset in (*range(9), *range(PAGE - 9, PAGE + 9), 3, PAGE - 3):
            guest.memory.write(FREE, bytes(2 * PAGE))
            execute(guest, FREE + offset, values.getrandbits(64))
            found.append(guest.memory.read(FREE, 2 * PAGE))
        return found

    on_both(scenario)


@pytest.mark.parametrize("name", STORES)
def test_stores_across_pages_that_lie_apart(name: str) -> None:
    size = STORES[name]

    def scenario(guest: Guest) -> list[bytes]:
        prepare(guest, name)
        guest.page_tables()
        guest.map(GVA, FREE + 8 * PAGE)
        guest.map(GVA + PAGE, FREE)
        for offset in range(1, size):
            execute(guest, GVA + PAGE - offset, 0x0123_4567_89AB_CDEF * offset)
        return [guest.memory.read(FREE + 9 * PAGE - 8, 8), guest.memory.read(FREE, 8)]

    on_both(scenario)


SECOND = {
    "absent": 0,
    "read-only": PTE_V | PTE_R,
    "of U": FULL | PTE_U,
    "without R": PTE_V | PTE_W,
}


@pytest.mark.parametrize("name", ["lh", "lw", "ld", "fld", "sh", "sw", "sd", "fsd"])
@pytest.mark.parametrize("rights", SECOND)
def test_the_second_page_faults(name: str, rights: str) -> None:
    """Nothing is stored, nothing is loaded; the value is the second page's address."""
    size = (LOADS | STORES)[name]
    faults = not (name in LOADS and rights == "read-only")

    def scenario(guest: Guest) -> list[object]:
        prepare(guest, name)
        guest.memory.write(FREE, b"\x55" * 2 * PAGE)
        guest.page_tables()
        guest.map(GVA, FREE)
        guest.map(GVA + PAGE, FREE + PAGE, SECOND[rights])
        found: list[object] = [
            execute(guest, GVA + PAGE - offset, 7) for offset in range(1, size) for _ in range(2)
        ]
        return [guest.memory.read(FREE, 2 * PAGE) == b"\x55" * 2 * PAGE, *found]

    intact, *found = on_both(scenario)
    assert intact
    cause = LOAD_PAGE_FAULT if name in LOADS else STORE_PAGE_FAULT
    for one in found:
        assert isinstance(one, tuple)
        assert not faults or one[:1] + one[4:] == (7, cause, GVA + PAGE)


def test_the_first_page_faults_first() -> None:
    def scenario(guest: Guest) -> tuple[int, ...]:
        prepare(guest, "sd")
        guest.page_tables()
        guest.map(GVA, FREE, 0)
        guest.map(GVA + PAGE, FREE + PAGE, 0)
        return execute(guest, GVA + PAGE - 3, 7)

    assert on_both(scenario)[4:] == (STORE_PAGE_FAULT, GVA + PAGE - 3)


BEYOND: dict[str, Callable[[Guest], int]] = {
    "from RAM into nothing": lambda guest: guest.memory.end - 3,
    "from nothing into RAM": lambda guest: guest.memory.base - 3,
    "around the top of the address space": lambda guest: U64_MAX - 2,
    "at the top of the address space": lambda guest: U64_MAX - 7,
    "misaligned where a device may be": lambda guest: DEVICE + 1,
}


@pytest.mark.parametrize("place", BEYOND)
@pytest.mark.parametrize("name", ["ld", "sd"])
def test_accesses_not_wholly_in_ram(name: str, place: str) -> None:
    """A device takes no part of an access, so it is an access fault of the first part outside."""

    def scenario(guest: Guest) -> tuple[int, ...]:
        prepare(guest, name)
        guest.memory.write(guest.memory.end - 8, b"\x55" * 8)
        found = execute(guest, BEYOND[place](guest), 7)
        assert guest.memory.read(guest.memory.end - 8, 8) == b"\x55" * 8
        return found

    guest = Guest()
    found = on_both(scenario)
    cause = LOAD_ACCESS_FAULT if name == "ld" else STORE_ACCESS_FAULT
    value = guest.memory.end if place == "from RAM into nothing" else BEYOND[place](guest)
    assert found[4:] == (cause, value)


@pytest.mark.parametrize("name", [*LOADS, *STORES])
def test_a_device_access_leaves_everything_as_it_was(name: str) -> None:
    guest = Guest()
    prepare(guest, name)
    guest.page_tables()
    guest.map(GVA, DEVICE)
    guest.set(t0=GVA + 8, t1=3)
    guest.h.f[6] = 4
    guest.place(f"nop\n{text_of(name)}\nwfi", FREE)
    guest.h.pc, before = FREE, guest.h.instret
    assert guest.run() is Exit.DEVICE
    h = guest.h
    word = int.from_bytes(RV64.assemble(text_of(name)), "little")
    assert (h.pc, h.exit_gva, h.exit_gpa) == (FREE + 4, GVA + 8, DEVICE + 8)
    assert (h.exit_instruction, h.instret - before) == (word, 1)
    assert (h.x[6], h.f[6]) == (3, 4)
    assert guest.run() is Exit.DEVICE
    assert h.instret - before == 1


@pytest.mark.parametrize("name", ATOMICS)
def test_atomics(name: str) -> None:
    size = ATOMICS[name]

    def scenario(guest: Guest) -> list[object]:
        prepare(guest, name)
        guest.page_tables()
        guest.memory.write(FREE, bytes(range(256)))
        guest.map(GVA, FREE)
        guest.map(GVA + PAGE, FREE, PTE_V | PTE_R)
        guest.map(GVA + 2 * PAGE, FREE, 0)
        guest.map(GVA + 3 * PAGE, 0x5000_0000)
        guest.h.reservation, guest.h.reserved_value = GVA, 0x0302_0100
        places = (0, 8, 0, 1, size // 2, PAGE, 2 * PAGE, PAGE - size, 3 * PAGE)
        found: list[object] = [execute(guest, GVA + place, 9) for place in places]
        return [*found, guest.memory.read(FREE, PAGE)]

    found = on_both(scenario)
    misaligned = LOAD_MISALIGNED if name.startswith("lr") else STORE_MISALIGNED
    causes = [one[4] for one in found[:-2] if isinstance(one, tuple) and len(one) > 4]
    assert causes[:3] == [0, 0, 0]
    assert set(causes[3:5]) <= {misaligned, LOAD_ACCESS_FAULT, STORE_ACCESS_FAULT}


def test_a_store_over_decoded_code_marks_it_once_it_is_written() -> None:
    guest = Guest()
    prepare(guest, "sd")
    guest.place("wfi", FREE)
    guest.h.pc = FREE
    guest.run()
    page = (FREE - guest.memory.base) >> 12
    guest.memory.dirty.take()
    guest.place("ld a0, 0(t0)\nwfi", FREE + PAGE)
    guest.set(t0=FREE + 64)
    guest.h.pc = FREE + PAGE
    guest.run()
    assert not int(guest.memory.nested.entries[page]) & (CODE_DIRTY | DIRTY)
    execute(guest, FREE + 64, 7)
    assert int(guest.memory.nested.entries[page]) & CODE_DIRTY
    assert int(guest.memory.nested.entries[page]) & DIRTY


def test_a_store_across_into_code_marks_the_second_page() -> None:
    guest = Guest()
    prepare(guest, "sd")
    guest.place("wfi", FREE + PAGE)
    guest.h.pc = FREE + PAGE
    guest.run()
    execute(guest, FREE + PAGE - 4, 0x1111_1111_2222_2222)
    first, second = (int(guest.memory.nested.entries[0x20 + n]) for n in (0, 1))
    assert second & CODE_DIRTY
    assert not first & CODE_DIRTY
    assert guest.memory.load(FREE + PAGE - 4, 8) == 0x1111_1111_2222_2222
