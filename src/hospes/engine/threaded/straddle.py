"""An instruction that lies across two pages, in the subset: its op is behind its first page's."""

from hospes.base.bits import u64
from hospes.engine.threaded.code import DROPS, fetch_at
from hospes.engine.threaded.parcels import FAR_OFFSET, LAST_PARCEL
from hospes.engine.threaded.raw import decode_word, peek16, peek64, poke64
from hospes.engine.threaded.state import (
    CODE_FRAME,
    CODE_OPS,
    CODE_SHADOW,
    CODE_STRADDLE,
    FETCH_ADDEND,
    FETCH_ENTRY_SHIFT,
    OP_BYTES,
    STRADDLE_SLOT,
    EngineState,
)
from hospes.engine.threaded.tlb import INDEX_MASK, PAGE_MASK
from hospes.isa.subset import cold

FETCH_AGAIN = 1


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
