"""What the threaded engine keeps beside the architectural state, and how its memory is laid out."""

from __future__ import annotations

from typing import Final

from hospes.base.layout import Struct, Word, Words
from hospes.isa.riscv.hart import Hart

# One block of memory per hart: the words, then the data TLBs, then the fetch TLBs.
TLB_ENTRIES: Final = 1024
DATA_ENTRY_BYTES: Final = 32
DATA_ENTRY_SHIFT: Final = 5
DATA_WRITE: Final = 8
DATA_ADDEND: Final = 16
"""A data entry: read tag, write tag, addend (host minus guest address), one word unused."""
DATA_TABLE_SHIFT: Final = 15
CONTEXTS: Final = 16
FETCH_ENTRY_SHIFT: Final = 4
FETCH_ADDEND: Final = 8
"""A fetch entry: tag, addend (address of the page's op 0 minus 8 times its guest address)."""
FETCH_TABLE_SHIFT: Final = 14
MODES: Final = 4
STATE_BYTES: Final = 1 << 14
DATA_TABLES_OFFSET: Final = STATE_BYTES
FETCH_TABLES_OFFSET: Final = DATA_TABLES_OFFSET + (CONTEXTS << DATA_TABLE_SHIFT)
BLOCK_BYTES: Final = FETCH_TABLES_OFFSET + (MODES << FETCH_TABLE_SHIFT)

# A tag is a page's address with the generation of its address space in bits 3 to 11.
GENERATION_STEP: Final = 8
GENERATION_END: Final = 1 << 12

# An op: one for each 2-byte parcel of a page.
OP_BYTES: Final = 16
OP_IMM: Final = 8
OP_RD: Final = 12
OP_RS1: Final = 13
OP_RS2: Final = 14
OP_RS3: Final = 9
OP_FUSE: Final = 15
"""The number by which fuse.py knows the op's instruction; rs3 shares the immediate's bytes."""

# A code page: the frame's host address and number, the parcels the ops were decoded from, the ops,
# and behind them the op that goes on to the next page and room for a straddling instruction.
CODE_FRAME: Final = 0
CODE_PAGE: Final = 8
CODE_STRADDLE: Final = 16
CODE_SHADOW: Final = 64
CODE_OPS: Final = CODE_SHADOW + 4096
PARCELS: Final = 2048
NEXT_PAGE_SLOT: Final = PARCELS
STRADDLE_SLOT: Final = PARCELS + 2
AFTER_STRADDLE_SLOT: Final = STRADDLE_SLOT + 2
CODE_PAGE_BYTES: Final = CODE_OPS + (PARCELS + 8) * OP_BYTES
STRADDLE_SHIFT: Final = 2 * (STRADDLE_SLOT - (PARCELS - 1))
"""How far a straddling instruction's op lies behind its place, in bytes of guest code."""

POSTED_MAX: Final = 64
"""Device stores kept until the next exit."""

# How an access out of line ended.
ACCESS_DONE: Final = 0
ACCESS_TRAP: Final = 1
ACCESS_EXIT: Final = 2

ASID_SLOTS: Final = 64
ASID_ERA: Final = 1 << 16
"""asid_key holds an ASID and, above its 16 bits, the era it is known in; 0 is before all eras."""


class CodeSpace(Struct):
    """The code pages of a machine, which its harts share: how many of `limit` have been handed
    out, the first of a chain of those given back, and how often all were dropped."""

    used = Word()
    limit = Word()
    free = Word()
    drops = Word()


class EngineState(Hart):
    """A hart with the words that only the threaded engine uses.

    instret_end minus the budget register is the number of retired instructions; run_end is where
    the present run ends. `posted` device stores wait in posted_gpa, _size and _value. access,
    trap_cause and trap_tval: how an access or an instruction ended.
    """

    instret_end = Word()
    run_end = Word()
    access = Word()
    trap_cause = Word()
    trap_tval = Word()

    generation = Word()
    next_generation = Word()
    data_tables = Word()
    fetch_tables = Word()
    fetch_table = Word()
    contexts_used = Word()
    large_first = Word()
    large_last = Word()
    asid = Word()
    asid_era = Word()
    asid_key = Words(ASID_SLOTS)
    asid_generation = Words(ASID_SLOTS)
    seen_epoch = Word()

    ram_base = Word()
    ram_bytes = Word()
    nested = Word()
    frames = Word()
    shared = Word()

    code_pages = Word()
    code_of_page = Word()
    code_space = Word()

    posted_base = Word()
    posted_bytes = Word()
    posted = Word()
    posted_gpa = Words(POSTED_MAX)
    posted_size = Words(POSTED_MAX)
    posted_value = Words(POSTED_MAX)

    clock_gettime = Word()
    clock_base_ns = Word()
    clock_from_instret = Word()
    clock_seconds = Word()
    clock_nanoseconds = Word()
    host_mxcsr = Word()
    guest_mxcsr = Word()

    tlb_misses = Word()
    fetch_misses = Word()
    tlb_flushes = Word()
    decoded = Word()
    interrupts = Word()
    traps = Word()


assert EngineState.size_bytes <= STATE_BYTES
