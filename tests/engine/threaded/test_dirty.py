"""Dirty tracking of stores by native code, page tables' A and D included."""

from tests.engine.threaded.guest import CODE, DATA, FREE, HANDLER, PAGE, TABLES, Guest

from hospes.engine.engine import Exit
from hospes.isa.riscv.encoding import PTE_R, PTE_V, PTE_W
from hospes.memory.nested import DIRTY, TAGGED

GVA = 0x4000_0000


def stores(guest: Guest, *places: int) -> None:
    """Store a doubleword at each address."""
    guest.h.pc = CODE
    for place in places:
        guest.h.pc = CODE
        guest.set(t0=place)
        assert guest.run() is Exit.WFI


def ready() -> Guest:
    guest = Guest()
    guest.place("sd t0, 0(t0)\nwfi")
    guest.place("wfi", HANDLER)
    guest.run()
    guest.memory.dirty.take()
    return guest


def test_a_store_after_each_take_is_seen() -> None:
    guest = ready()
    for _ in range(5):
        stores(guest, FREE, FREE + 8, FREE + 16)
        assert guest.memory.dirty.take() == [FREE]
    assert guest.memory.dirty.take() == []


def test_a_store_in_the_middle_of_a_loop_is_seen() -> None:
    """The loop holds the page in its TLB while the log is taken between two slices."""
    guest = Guest()
    guest.place("again: sd t1, 0(t0)\naddi t1, t1, 1\nj again")
    guest.set(t0=FREE)
    guest.memory.dirty.take()
    for _ in range(4):
        guest.run(3 * 1000)
        assert guest.memory.dirty.take() == [FREE]


def test_every_stored_page_is_listed_once() -> None:
    guest = ready()
    pages = [FREE + n * PAGE for n in (3, 1, 2, 9)]
    stores(guest, *pages, *pages, FREE + 20 * PAGE - 4)
    expected = sorted({*pages, FREE + 19 * PAGE, FREE + 20 * PAGE})
    assert guest.memory.dirty.peek() == expected
    assert guest.memory.dirty.take() == expected


def test_loads_dirty_nothing() -> None:
    guest = Guest()
    guest.place("again: ld t1, 0(t0)\nadd t0, t0, t2\nbltu t0, t3, again\nwfi")
    guest.run(0)
    guest.memory.dirty.take()
    guest.set(t0=FREE, t2=PAGE, t3=FREE + 50 * PAGE)
    assert guest.run() is Exit.WFI
    assert guest.memory.dirty.take() == []


def test_a_load_first_does_not_hide_the_store() -> None:
    guest = ready()
    guest.set(t0=FREE)
    guest.go("ld t1, 0(t0)\nld t1, 8(t0)\nsd t1, 16(t0)\nwfi")
    assert FREE in guest.memory.dirty.take()


def test_stores_of_another_hart_and_of_the_host() -> None:
    guest = ready()
    other = guest.hart(1)
    other.x[5] = FREE + PAGE
    guest.engine.run(other, 100)
    guest.memory.store(DATA, 1, 1)
    stores(guest, FREE)
    assert guest.memory.dirty.take() == [DATA, FREE, FREE + PAGE]
    other.pc = CODE
    guest.engine.run(other, 100)
    assert guest.memory.dirty.take() == [FREE + PAGE]


def test_accessed_bits_dirty_the_table() -> None:
    guest = Guest()
    guest.place("wfi", HANDLER)
    guest.page_tables()
    slot = guest.map(GVA, FREE, PTE_V | PTE_R | PTE_W)
    guest.set(t0=GVA)
    guest.place("ld t1, 0(t0)\nwfi")
    guest.memory.dirty.take()
    guest.run()
    assert guest.memory.dirty.take() == [slot & ~(PAGE - 1)]
    assert slot > TABLES


def test_a_write_tag_is_marked_in_the_table_of_frames() -> None:
    guest = ready()
    page = (FREE - guest.memory.base) >> 12
    guest.set(t0=FREE)
    guest.go("ld t1, 0(t0)\nwfi")
    assert not int(guest.memory.nested.entries[page]) & (DIRTY | TAGGED)
    stores(guest, FREE)
    assert int(guest.memory.nested.entries[page]) & (DIRTY | TAGGED) == DIRTY | TAGGED
    guest.memory.dirty.take()
    assert not int(guest.memory.nested.entries[page]) & (DIRTY | TAGGED)
