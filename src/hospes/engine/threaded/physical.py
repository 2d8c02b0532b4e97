"""Page tables in guest RAM, as the native walker reads and updates them; in the subset."""

from hospes.base.bits import u64
from hospes.engine.threaded.attend import ram_address, ram_slot
from hospes.engine.threaded.raw import peek64, poke64
from hospes.engine.threaded.state import EngineState
from hospes.engine.threaded.tlb import note_dirty_code
from hospes.memory.nested import CODE, CODE_DIRTY, DIRTY


def physical_present(h: EngineState, gpa: int) -> bool:
    """Whether an aligned u64 lies in RAM."""
    return u64(gpa - h.ram_base) < h.ram_bytes


def physical_load(h: EngineState, gpa: int) -> int:
    """The u64 at an aligned address in RAM."""
    return peek64(ram_address(h, gpa))


def physical_compare_exchange(h: EngineState, gpa: int, expected: int, value: int) -> bool:
    """Replace an aligned u64 in RAM if it is as expected; the page becomes dirty."""
    address = ram_address(h, gpa)
    if peek64(address) != expected:
        return False
    poke64(address, value)
    slot = ram_slot(h, gpa)
    entry = peek64(slot) | DIRTY
    if (entry & CODE) != 0 and (entry & CODE_DIRTY) == 0:
        note_dirty_code(h, u64(gpa - h.ram_base) >> 12)
        entry = entry | CODE_DIRTY
    poke64(slot, entry)
    return True
