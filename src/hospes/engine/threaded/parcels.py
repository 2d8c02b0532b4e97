"""From the parcels of a page to its ops, in the subset: decoding in place, and undoing it."""

from hospes.base.bits import u64, udiv
from hospes.engine.threaded.raw import decode_word, fuse, handler, peek16, peek64, poke16, poke64
from hospes.engine.threaded.state import (
    CODE_FRAME,
    CODE_OPS,
    CODE_PAGE_BYTES,
    CODE_SHADOW,
    CODE_STRADDLE,
    OP_BYTES,
    EngineState,
)
from hospes.isa.subset import cold

FAR_OFFSET = 1 << 20
"""An offset from which no jump stays in its page."""
LAST_PARCEL = 4094
FUSED_REACH = 6
"""How many bytes before a parcel an instruction can start that is fused with one holding it."""


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
