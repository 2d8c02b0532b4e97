"""SBI extension RFENCE: instruction and translation fences on other harts (SBI 2.0, chapter 8)."""

from collections.abc import Sequence
from typing import Final

from hospes.base.bits import U64_MAX
from hospes.firmware.sbi.call import Answer, Extension, Platform, SbiError, failure, select, success
from hospes.isa.riscv.hart import Hart
from hospes.isa.subset import flush_code, flush_tlb, flush_tlb_asid, flush_tlb_page

PAGE_BYTES: Final = 4096
PAGES_ONE_BY_ONE: Final = 32
"""A longer range is dropped with the whole address space: cheaper than page by page."""


def remote_fence_i(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
    """Have the harts in the mask see all earlier stores in their instruction fetches."""
    targets = select(platform, arguments[0], arguments[1])
    if targets is None:
        return failure(SbiError.INVALID_PARAM)
    for target in targets:
        flush_code(target)
    return success()


def remote_sfence_vma(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
    """Have the harts in the mask forget the translations of a2 .. a2 + a3."""
    return fence(platform, arguments, None)


def remote_sfence_vma_asid(platform: Platform, hart: Hart, arguments: Sequence[int]) -> Answer:
    """Have the harts in the mask forget the translations of a2 .. a2 + a3 in address space a4."""
    return fence(platform, arguments, arguments[4] & 0xFFFF)


def fence(platform: Platform, arguments: Sequence[int], asid: int | None) -> Answer:
    """Drop the translations of a range; a size of all ones, or 0 from 0 on, means everything."""
    mask, base, start, size_bytes = arguments[:4]
    targets = select(platform, mask, base)
    if targets is None:
        return failure(SbiError.INVALID_PARAM)
    if size_bytes != U64_MAX and start + size_bytes > U64_MAX + 1:
        return failure(SbiError.INVALID_ADDRESS)
    everything = size_bytes == U64_MAX or (start == 0 and size_bytes == 0)
    first, end = start & -PAGE_BYTES, start + size_bytes
    few = not everything and end - first <= PAGES_ONE_BY_ONE * PAGE_BYTES
    for target in targets:
        if few:
            for gva in range(first, end, PAGE_BYTES):
                flush_tlb_page(target, gva)
        elif asid is not None:
            flush_tlb_asid(target, asid)
        else:
            flush_tlb(target)
    return success()


RFENCE = Extension(
    0x52464E43,
    "RFENCE",
    {0: remote_fence_i, 1: remote_sfence_vma, 2: remote_sfence_vma_asid},
)
