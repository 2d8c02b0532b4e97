"""Pages of ops: made at a frame's first fetch, dropped or renewed by fence.i; in the subset."""

from hospes.base.bits import u64
from hospes.engine.threaded.parcels import forget_around
from hospes.engine.threaded.raw import (
    copy,
    handler,
    lines_differ,
    peek16,
    peek64,
    poke16,
    poke64,
)
from hospes.engine.threaded.state import (
    ACCESS_DONE,
    ACCESS_TRAP,
    AFTER_STRADDLE_SLOT,
    CODE_FRAME,
    CODE_OPS,
    CODE_PAGE,
    CODE_PAGE_BYTES,
    CODE_SHADOW,
    CODE_STRADDLE,
    NEXT_PAGE_SLOT,
    OP_BYTES,
    PARCELS,
    CodeSpace,
    EngineState,
)
from hospes.engine.threaded.tlb import (
    DIRTY_CODE,
    DIRTY_CODE_COUNT,
    fill_fetch,
    frame_allows,
    revoke_tags,
)
from hospes.isa.riscv.encoding import EXECUTE, FETCH_ACCESS_FAULT
from hospes.isa.riscv.mmu import translate
from hospes.isa.subset import cold
from hospes.memory.nested import CODE, CODE_DIRTY, DIRTY_CODE_MAX, FRAME_MASK, TAGGED

USED = CodeSpace.offsets["used"]
LIMIT = CodeSpace.offsets["limit"]
FREE = CodeSpace.offsets["free"]
DROPS = CodeSpace.offsets["drops"]

LINE_BYTES = 64
STALE_PARCELS_MAX = 512
"""A page with more stale parcels than this is given up rather than patched."""


def fetch(h: EngineState) -> int:
    """The op of the instruction at h.next_pc; 0 if there is none, with h.access telling why."""
    return fetch_at(h, h.next_pc)


def fetch_at(h: EngineState, gva: int) -> int:
    """The op of the instruction at a guest virtual address, entered into the fetch TLB."""
    h.fetch_misses = u64(h.fetch_misses + 1)
    cause = translate(h, gva, EXECUTE)
    offset = u64(h.walk_gpa - h.ram_base)
    if cause == 0 and offset >= h.ram_bytes:
        cause = FETCH_ACCESS_FAULT
    if cause != 0:
        h.access = ACCESS_TRAP
        h.trap_cause = cause
        h.trap_tval = gva
        return 0
    if not frame_allows(h, h.walk_gpa, EXECUTE):
        return 0
    h.access = ACCESS_DONE
    ops = code_of(h, offset >> 12)
    fill_fetch(h, gva, ops)
    return u64(ops + ((gva & 0xFFF) << 3))


def code_of(h: EngineState, page: int) -> int:
    """The ops of a page of RAM, made now if there are none."""
    ops = peek64(u64(h.code_of_page + (page << 3)))
    if ops != 0:
        return ops
    return new_code_page(h, page)


@cold
def new_code_page(h: EngineState, page: int) -> int:
    """A page of undecoded ops; its frame loses its write tags, so that stores are noticed."""
    code = take_code_page(h)
    slot = u64(h.nested + (page << 3))
    entry = peek64(slot)
    poke64(slot, (entry | CODE) & ~(CODE_DIRTY | TAGGED))
    frame = u64(h.frames + (page << 12) + (entry & FRAME_MASK))
    poke64(u64(code + CODE_FRAME), frame)
    poke64(u64(code + CODE_PAGE), page)
    poke64(u64(code + CODE_STRADDLE), 0)
    copy(u64(code + CODE_SHADOW), frame, 4096)
    ops = u64(code + CODE_OPS)
    clear_ops(h, ops)
    poke64(u64(h.code_of_page + (page << 3)), ops)
    if (entry & TAGGED) != 0:
        revoke_tags(h)
    return ops


def take_code_page(h: EngineState) -> int:
    """Room for a page of ops; all code is dropped when there is none left."""
    space = h.code_space
    code = peek64(u64(space + FREE))
    if code != 0:
        poke64(u64(space + FREE), peek64(code))
        return code
    if peek64(u64(space + USED)) >= peek64(u64(space + LIMIT)):
        drop_all_code(h)
    used = peek64(u64(space + USED))
    poke64(u64(space + USED), u64(used + 1))
    return u64(h.code_pages + used * CODE_PAGE_BYTES)


def clear_ops(h: EngineState, ops: int) -> None:
    """Every parcel's op decodes itself when it is reached."""
    decode = handler("decode")
    place = ops
    end = u64(ops + PARCELS * OP_BYTES)
    while place < end:
        poke64(place, decode)
        poke64(u64(place + 8), 0)
        place = u64(place + OP_BYTES)
    poke64(u64(ops + NEXT_PAGE_SLOT * OP_BYTES), handler("next_page"))
    poke64(u64(ops + AFTER_STRADDLE_SLOT * OP_BYTES), handler("next_page"))


@cold
def drop_all_code(h: EngineState) -> None:
    """Forget all ops of all pages."""
    space = h.code_space
    used = peek64(u64(space + USED))
    number = 0
    while number < used:
        code = u64(h.code_pages + number * CODE_PAGE_BYTES)
        release_page(h, peek64(u64(code + CODE_PAGE)))
        number = u64(number + 1)
    poke64(u64(space + USED), 0)
    poke64(u64(space + FREE), 0)
    poke64(u64(space + DROPS), u64(peek64(u64(space + DROPS)) + 1))
    poke64(u64(h.shared + DIRTY_CODE_COUNT), 0)
    revoke_tags(h)


def release_page(h: EngineState, page: int) -> None:
    """A page of RAM has no ops any more and is plain data again."""
    slot = u64(h.nested + (page << 3))
    poke64(slot, peek64(slot) & ~(CODE | CODE_DIRTY))
    poke64(u64(h.code_of_page + (page << 3)), 0)


@cold
def renew_code(h: EngineState) -> None:
    """fence.i: drop the ops whose parcels changed in the pages written since the last one."""
    count = peek64(u64(h.shared + DIRTY_CODE_COUNT))
    if count == 0:
        return
    if count > DIRTY_CODE_MAX:
        drop_all_code(h)
        return
    number = 0
    while number < count:
        page = peek64(u64(h.shared + DIRTY_CODE + (number << 3)))
        ops = peek64(u64(h.code_of_page + (page << 3)))
        if ops != 0:
            renew_page(h, page, ops)
        number = u64(number + 1)
    poke64(u64(h.shared + DIRTY_CODE_COUNT), 0)
    revoke_tags(h)


def renew_page(h: EngineState, page: int, ops: int) -> None:
    """Drop a page's stale ops, or the page when most of it changed; protect it again."""
    code = u64(ops - CODE_OPS)
    stale = renew_ops(h, code, ops)
    if stale > STALE_PARCELS_MAX:
        release_page(h, page)
        poke64(code, peek64(u64(h.code_space + FREE)))
        poke64(u64(h.code_space + FREE), code)
        return
    slot = u64(h.nested + (page << 3))
    poke64(slot, peek64(slot) & ~(CODE_DIRTY | TAGGED))


def renew_ops(h: EngineState, code: int, ops: int) -> int:
    """Reset the ops that changed parcels are part of; returns how many parcels changed."""
    frame = peek64(u64(code + CODE_FRAME))
    shadow = u64(code + CODE_SHADOW)
    stale = 0
    line = 0
    while line < 4096:
        if lines_differ(u64(frame + line), u64(shadow + line)):
            stale = u64(stale + renew_line(frame, shadow, ops, line))
        line = u64(line + LINE_BYTES)
    return stale


def renew_line(frame: int, shadow: int, ops: int, line: int) -> int:
    """renew_ops for the parcels of one line."""
    stale = 0
    offset = line
    while offset < u64(line + LINE_BYTES):
        now = peek16(u64(frame + offset))
        if peek16(u64(shadow + offset)) != now:
            poke16(u64(shadow + offset), now)
            stale = u64(stale + 1)
            forget_around(ops, offset)
        offset = u64(offset + 2)
    return stale
