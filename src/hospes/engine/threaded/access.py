"""Loads and stores that the TLB could not serve, in the semantics subset.

Each access sets h.access: done, a trap (trap_cause, trap_tval), or an exit to Python (exit_reason).
"""

from hospes.base.bits import u64
from hospes.engine.engine import Exit
from hospes.engine.threaded.raw import (
    peek8,
    peek16,
    peek32,
    peek64,
    poke8,
    poke16,
    poke32,
    poke64,
)
from hospes.engine.threaded.state import (
    ACCESS_DONE,
    ACCESS_EXIT,
    ACCESS_TRAP,
    POSTED_MAX,
    EngineState,
)
from hospes.engine.threaded.tlb import fill_data, frame_allows
from hospes.isa.riscv.encoding import READ, WRITE
from hospes.isa.riscv.mmu import translate
from hospes.isa.subset import cold


def locate(h: EngineState, gva: int, access: int) -> int:
    """Translate an access inside one page and fill the TLB; returns the host address of gva."""
    h.tlb_misses = u64(h.tlb_misses + 1)
    cause = translate(h, gva, access)
    if cause != 0:
        h.access = ACCESS_TRAP
        h.trap_cause = cause
        h.trap_tval = gva
        return 0
    if u64(h.walk_gpa - h.ram_base) >= h.ram_bytes:
        h.access = ACCESS_EXIT
        h.exit_reason = Exit.DEVICE
        h.exit_gva = gva
        h.exit_gpa = h.walk_gpa
        return 0
    if not frame_allows(h, h.walk_gpa, access):
        return 0
    h.access = ACCESS_DONE
    return fill_data(h, gva, access)


@cold
def slow_address(h: EngineState, gva: int, access: int) -> int:
    """The host address of an aligned access, or 0 with h.access saying why not."""
    return locate(h, gva, access)


@cold
def slow_load(h: EngineState, gva: int, size_bytes: int) -> int:
    """The unsigned number of 1, 2, 4 or 8 bytes at a guest virtual address of any alignment."""
    first_bytes = 4096 - (gva & 0xFFF)
    address = locate(h, gva, READ)
    if h.access != ACCESS_DONE:
        return 0
    if size_bytes > first_bytes:
        return load_across(h, gva, address, size_bytes)
    if size_bytes == 8:
        return peek64(address)
    if size_bytes == 4:
        return peek32(address)
    if size_bytes == 2:
        return peek16(address)
    return peek8(address)


@cold
def load_across(h: EngineState, gva: int, address: int, size_bytes: int) -> int:
    """A load whose last bytes lie in the next page."""
    first_bytes = 4096 - (gva & 0xFFF)
    second = locate(h, u64(gva + first_bytes), READ)
    if h.access != ACCESS_DONE:
        return 0
    value = 0
    number = 0
    while number < size_bytes:
        source = u64(address + number)
        if number >= first_bytes:
            source = u64(second + number - first_bytes)
        value = value | u64(peek8(source) << ((number << 3) & 63))
        number = u64(number + 1)
    return value


@cold
def slow_store(h: EngineState, gva: int, size_bytes: int, value: int) -> int:
    """Store the low 1, 2, 4 or 8 bytes at a guest virtual address of any alignment; returns 0."""
    first_bytes = 4096 - (gva & 0xFFF)
    address = locate(h, gva, WRITE)
    if h.access != ACCESS_DONE:
        if h.access == ACCESS_EXIT:
            post_store(h, size_bytes, value)
        return 0
    if size_bytes > first_bytes:
        return store_across(h, gva, address, size_bytes, value)
    if size_bytes == 8:
        poke64(address, value)
    elif size_bytes == 4:
        poke32(address, value)
    elif size_bytes == 2:
        poke16(address, value)
    else:
        poke8(address, value)
    return 0


def post_store(h: EngineState, size_bytes: int, value: int) -> None:
    """Keep a store to a device register that only takes data, instead of leaving for it.

    Python carries the stores out, in order, before it looks at the reason of the next exit.
    """
    if u64(h.exit_gpa - h.posted_base) >= h.posted_bytes or h.posted >= POSTED_MAX:
        return
    number = h.posted & (POSTED_MAX - 1)
    h.posted_gpa[number] = h.exit_gpa
    h.posted_size[number] = size_bytes
    h.posted_value[number] = value
    h.posted = u64(number + 1)
    h.exit_reason = Exit.BUDGET
    h.access = ACCESS_DONE


@cold
def store_across(h: EngineState, gva: int, address: int, size_bytes: int, value: int) -> int:
    """A store whose last bytes lie in the next page; both pages are checked before either."""
    first_bytes = 4096 - (gva & 0xFFF)
    second = locate(h, u64(gva + first_bytes), WRITE)
    if h.access != ACCESS_DONE:
        return 0
    number = 0
    while number < size_bytes:
        target = u64(address + number)
        if number >= first_bytes:
            target = u64(second + number - first_bytes)
        poke8(target, value >> ((number << 3) & 63))
        number = u64(number + 1)
    return 0
