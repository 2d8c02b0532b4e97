"""The software TLB: generations, flushes and refills, in the semantics subset.

A tag holds a page's address and the generation of the address space it was made in, so a flush is
a new generation; tables are cleared only when the generations run out.
"""

from hospes.base.bits import U64_MAX, u64
from hospes.engine.engine import Exit
from hospes.engine.threaded.raw import fill_zero, peek64, poke64
from hospes.engine.threaded.state import (
    ACCESS_EXIT,
    ASID_ERA,
    ASID_SLOTS,
    CONTEXTS,
    DATA_ADDEND,
    DATA_ENTRY_SHIFT,
    DATA_TABLE_SHIFT,
    DATA_WRITE,
    FETCH_ADDEND,
    FETCH_ENTRY_SHIFT,
    FETCH_TABLE_SHIFT,
    GENERATION_END,
    GENERATION_STEP,
    MODES,
    TLB_ENTRIES,
    EngineState,
)
from hospes.isa.riscv.encoding import READ, WRITE
from hospes.isa.subset import cold
from hospes.memory.nested import (
    ABSENT,
    CODE,
    CODE_DIRTY,
    DIRTY,
    DIRTY_CODE_MAX,
    FRAME_MASK,
    PROTECTED,
    TAGGED,
    Shared,
)

EPOCH = Shared.offsets["epoch"]
DIRTY_CODE_COUNT = Shared.offsets["dirty_code_count"]
DIRTY_CODE = Shared.offsets["dirty_code"]
PAGE_MASK = U64_MAX ^ 0xFFF
INDEX_MASK = TLB_ENTRIES - 1


@cold
def clear_tables(h: EngineState) -> None:
    """Zero every table that has been in use, and start the generations anew.

    The generation that handlers hold is skipped: they notice a flush by its being another.
    """
    for context in range(CONTEXTS):
        if ((h.contexts_used >> context) & 1) != 0:
            fill_zero(u64(h.data_tables + (context << DATA_TABLE_SHIFT)), 1 << DATA_TABLE_SHIFT)
    for mode in range(MODES):
        fill_zero(u64(h.fetch_tables + (mode << FETCH_TABLE_SHIFT)), 1 << FETCH_TABLE_SHIFT)
    h.contexts_used = 0
    h.next_generation = GENERATION_STEP
    if h.generation == GENERATION_STEP:
        h.next_generation = 2 * GENERATION_STEP
    forget_address_spaces(h)


def forget_address_spaces(h: EngineState) -> None:
    """No address space but the present one has a generation any more."""
    h.asid_era = u64(h.asid_era + ASID_ERA)


def key_of(h: EngineState, asid: int) -> int:
    """What asid_key holds for an address space whose generation is good."""
    return h.asid_era | asid


def new_generation(h: EngineState) -> None:
    """Give the present address space a generation no tag has."""
    if h.next_generation >= GENERATION_END:
        clear_tables(h)
    h.generation = h.next_generation
    h.next_generation = u64(h.next_generation + GENERATION_STEP)
    slot = h.asid & (ASID_SLOTS - 1)
    h.asid_key[slot] = key_of(h, h.asid)
    h.asid_generation[slot] = h.generation


def flush_all(h: EngineState) -> None:
    """Forget every translation of every address space."""
    h.tlb_flushes = u64(h.tlb_flushes + 1)
    h.large_first = U64_MAX
    h.large_last = 0
    forget_address_spaces(h)
    new_generation(h)


def flush_address_space(h: EngineState, asid: int) -> None:
    """Forget the translations made in one address space."""
    slot = asid & (ASID_SLOTS - 1)
    if asid == h.asid:
        h.tlb_flushes = u64(h.tlb_flushes + 1)
        new_generation(h)
    elif h.asid_key[slot] == key_of(h, asid):
        h.asid_key[slot] = 0


def select_address_space(h: EngineState, asid: int) -> None:
    """Translations from here on belong to this address space; its old ones are good again."""
    slot = asid & (ASID_SLOTS - 1)
    h.asid = asid
    if h.asid_key[slot] == key_of(h, asid):
        h.generation = h.asid_generation[slot]
    else:
        new_generation(h)


def flush_one_page(h: EngineState, gva: int) -> None:
    """Forget one page in every address space; a large page is forgotten by forgetting all."""
    if gva >= h.large_first and gva <= h.large_last:
        flush_all(h)
        return
    h.tlb_flushes = u64(h.tlb_flushes + 1)
    index = (gva >> 12) & INDEX_MASK
    data = u64(h.data_tables + (index << DATA_ENTRY_SHIFT))
    for context in range(CONTEXTS):
        if ((h.contexts_used >> context) & 1) != 0:
            poke64(u64(data + (context << DATA_TABLE_SHIFT)), 0)
            poke64(u64(data + (context << DATA_TABLE_SHIFT) + DATA_WRITE), 0)
    fetch = u64(h.fetch_tables + (index << FETCH_ENTRY_SHIFT))
    for mode in range(MODES):
        poke64(u64(fetch + (mode << FETCH_TABLE_SHIFT)), 0)


def note_large_page(h: EngineState, gva: int) -> None:
    """Remember where pages larger than 4 KiB lie, for flush_one_page."""
    mask = u64((1 << (h.walk_leaf_shift & 63)) - 1)
    first = gva & u64(~mask)
    h.large_first = min(h.large_first, first)
    h.large_last = max(h.large_last, first | mask)


@cold
def note_dirty_code(h: EngineState, page: int) -> None:
    """Remember that a page's decoded instructions may be stale at the next fence.i."""
    count = peek64(u64(h.shared + DIRTY_CODE_COUNT))
    if count < DIRTY_CODE_MAX:
        poke64(u64(h.shared + DIRTY_CODE + (count << 3)), page)
    poke64(u64(h.shared + DIRTY_CODE_COUNT), u64(count + 1))


def frame_allows(h: EngineState, gpa: int, access: int) -> bool:
    """Whether the page's frame is there and open to the access; if not, an exit is asked for."""
    flags = peek64(u64(h.nested + ((u64(gpa - h.ram_base) >> 12) << 3)))
    if (flags & ABSENT) == 0 and (access != WRITE or (flags & PROTECTED) == 0):
        return True
    h.access = ACCESS_EXIT
    h.exit_reason = Exit.FRAME
    h.exit_gpa = gpa
    return False


def fill_data(h: EngineState, gva: int, access: int) -> int:
    """Enter the page of a finished walk into the data TLB; returns the host address of gva.

    The write tag is given when the walk allows stores and the page is dirty already or is being
    written now; a page with decoded code is first noted as stale.
    """
    page = u64(h.walk_gpa - h.ram_base) >> 12
    slot = u64(h.nested + (page << 3))
    entry = peek64(slot)
    tag = (gva & PAGE_MASK) | h.generation
    write_tag = 0
    if access == WRITE:
        if (entry & CODE) != 0 and (entry & CODE_DIRTY) == 0:
            note_dirty_code(h, page)
            entry = entry | CODE_DIRTY
        entry = entry | DIRTY
    clean_code = (entry & CODE) != 0 and (entry & CODE_DIRTY) == 0
    open_to_stores = (entry & (DIRTY | PROTECTED)) == DIRTY and not clean_code
    if (h.walk_permissions & WRITE) != 0 and open_to_stores:
        write_tag = tag
        entry = entry | TAGGED
    poke64(slot, entry)
    read_tag = tag if (h.walk_permissions & READ) != 0 else 0
    context = h.context & (CONTEXTS - 1)
    h.contexts_used = h.contexts_used | (1 << context)
    line = u64(
        h.data_tables
        + (context << DATA_TABLE_SHIFT)
        + (((gva >> 12) & INDEX_MASK) << DATA_ENTRY_SHIFT)
    )
    frame = u64(h.frames + (page << 12) + (entry & FRAME_MASK))
    poke64(line, read_tag)
    poke64(u64(line + DATA_WRITE), write_tag)
    poke64(u64(line + DATA_ADDEND), u64(frame - (gva & PAGE_MASK)))
    if h.walk_leaf_shift > 12:
        note_large_page(h, gva)
    return u64(frame + (gva & 0xFFF))


def fill_fetch(h: EngineState, gva: int, ops: int) -> None:
    """Enter a page of ops into the fetch TLB of the current mode."""
    line = u64(h.fetch_table + (((gva >> 12) & INDEX_MASK) << FETCH_ENTRY_SHIFT))
    poke64(line, (gva & PAGE_MASK) | h.generation)
    poke64(u64(line + FETCH_ADDEND), u64(ops - ((gva & PAGE_MASK) << 3)))
    if h.walk_leaf_shift > 12:
        note_large_page(h, gva)


def catch_up(h: EngineState) -> None:
    """Flush if Python or another hart asked for it since this hart last looked."""
    epoch = peek64(u64(h.shared + EPOCH))
    if epoch != h.seen_epoch:
        h.seen_epoch = epoch
        flush_all(h)


def revoke_tags(h: EngineState) -> None:
    """Make every hart forget its tags; this one at once, the others when they next run."""
    epoch = u64(peek64(u64(h.shared + EPOCH)) + 1)
    poke64(u64(h.shared + EPOCH), epoch)
    h.seen_epoch = epoch
    flush_all(h)
