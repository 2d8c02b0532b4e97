"""Pages of ops: made at a frame's first fetch, dropped or renewed by fence.i; in the subset."""

from hospes.base.bits import u64, udiv
from hospes.engine.threaded.raw import (
    copy,
    decode_word,
    fuse,
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
    FETCH_ADDEND,
    FETCH_ENTRY_SHIFT,
    NEXT_PAGE_SLOT,
    OP_BYTES,
    PARCELS,
    STRADDLE_SLOT,
    CodeSpace,
    EngineState,
)
from hospes.engine.threaded.tlb import (
    DIRTY_CODE,
    DIRTY_CODE_COUNT,
    INDEX_MASK,
    PAGE_MASK,
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

FAR_OFFSET = 1 << 20
"""An offset from which no jump stays in its page."""
LAST_PARCEL = 4094
LINE_BYTES = 64
FUSED_REACH = 6
"""How many bytes before a parcel an instruction can start that is fused with one holding it."""
FETCH_AGAIN = 1
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


def forget_around(ops: int, offset: int) -> None:
    """Reset every op that may hold what was decoded from a parcel.

    That is its own op and the one before, of which it may be the second half: these lose their
    operands too. The ops up to three parcels before may be fused with one of the two; they are
    decoded anew, but keep their operands, for their own predecessors may be fused with them.
    """
    first = u64(offset - min(offset, FUSED_REACH))
    while first <= offset:
        place = u64(ops + (first << 3))
        poke64(place, handler("decode"))
        if u64(first + 2) >= offset:
            poke64(u64(place + 8), 0)
        first = u64(first + 2)


@cold
def decode_op(h: EngineState, op: int) -> None:
    """Decode the instruction of an op in place."""
    h.decoded = u64(h.decoded + 1)
    place = u64(op - h.code_pages)
    code = u64(h.code_pages + udiv(place, CODE_PAGE_BYTES) * CODE_PAGE_BYTES)
    offset = u64(op - (code + CODE_OPS)) >> 3
    low = take_parcel(code, offset)
    if (low & 3) != 3:
        decode_word(h, op, low, offset)
        fuse_around(op, offset, 2)
    elif offset == LAST_PARCEL:
        poke64(op, handler("straddle"))
    else:
        high = take_parcel(code, u64(offset + 2))
        decode_word(h, op, low | (high << 16), offset)
        fuse_around(op, offset, 4)


def take_parcel(code: int, offset: int) -> int:
    """A parcel as it is now; ops made from an older one are dropped, as no fence.i will see it."""
    now = peek16(u64(peek64(u64(code + CODE_FRAME)) + offset))
    if peek16(u64(code + CODE_SHADOW + offset)) != now:
        poke16(u64(code + CODE_SHADOW + offset), now)
        forget_around(u64(code + CODE_OPS), offset)
    return now


def fuse_around(op: int, offset: int, length: int) -> None:
    """Join a newly decoded op with the instruction behind it and with those before it."""
    if u64(offset + length) <= LAST_PARCEL:
        fuse(op, u64(op + (length << 3)), length == 4)
    if offset >= 2:
        fuse(u64(op - OP_BYTES), op, False)
    if offset >= 4:
        fuse(u64(op - 2 * OP_BYTES), op, True)


@cold
def decode_straddle(h: EngineState, op: int, gva: int) -> int:
    """The op of a 4-byte instruction in a page's last parcel, at gva.

    0 if the next page cannot be fetched; FETCH_AGAIN if all code was dropped meanwhile. The second
    half is looked at each time, for the next page may be another one by now.
    """
    ops = u64(op - LAST_PARCEL * 8)
    code = u64(ops - CODE_OPS)
    first = peek16(u64(code + CODE_SHADOW + LAST_PARCEL))
    next_gva = u64(gva + 2)
    line = u64(h.fetch_table + (((next_gva >> 12) & INDEX_MASK) << FETCH_ENTRY_SHIFT))
    next_ops = u64(peek64(u64(line + FETCH_ADDEND)) + ((next_gva & PAGE_MASK) << 3))
    if peek64(line) != ((next_gva & PAGE_MASK) | h.generation):
        drops = peek64(u64(h.code_space + DROPS))
        next_ops = fetch_at(h, next_gva)
        if next_ops == 0:
            return 0
        if peek64(u64(h.code_space + DROPS)) != drops:
            return FETCH_AGAIN
    frame = peek64(u64(next_ops - CODE_OPS + CODE_FRAME))
    word = first | (peek16(frame) << 16)
    place = u64(ops + STRADDLE_SLOT * OP_BYTES)
    if peek64(u64(code + CODE_STRADDLE)) != word:
        poke64(u64(code + CODE_STRADDLE), word)
        decode_word(h, place, word, FAR_OFFSET)
    return place


def instruction_bits(h: EngineState, op: int) -> int:
    """The bits of the instruction an op stands for, as an illegal instruction's trap value."""
    place = u64(op - h.code_pages)
    code = u64(h.code_pages + udiv(place, CODE_PAGE_BYTES) * CODE_PAGE_BYTES)
    offset = u64(op - (code + CODE_OPS)) >> 3
    if offset >= 4096:
        return peek64(u64(code + CODE_STRADDLE))
    shadow = u64(code + CODE_SHADOW + offset)
    low = peek16(shadow)
    if (low & 3) != 3:
        return low
    return low | (peek16(u64(shadow + 2)) << 16)
