"""Physical memory protection: sixteen entries of 4 KiB grain, kept ready as address ranges."""

from typing import Final

from hospes.base.bits import U64_MAX, u64
from hospes.isa.riscv.encoding import (
    MODE_M,
    PMP_A,
    PMP_L,
    PMP_NA4,
    PMP_NAPOT,
    PMP_RWX,
    PMP_TOR,
    READ,
    WRITE,
)
from hospes.isa.riscv.hart import Hart
from hospes.isa.subset import cold, flush_tlb, inline

ENTRIES: Final = 16
ADDRESS_MASK: Final = (1 << 54) - 1
GRAIN_TOR: Final = (1 << 10) - 1
"""pmpaddr bits below the grain, G = 10; zero for OFF and TOR (Privileged ISA, 3.7.1)."""
GRAIN_NAPOT: Final = (1 << 9) - 1
"""pmpaddr bits that read as ones for NAPOT."""


def refresh_entry(h: Hart, entry: int) -> None:
    """Set the inclusive byte range that an entry matches; base above last when it is none."""
    mode = h.pmpcfg[entry & 15] & PMP_A
    address = h.pmpaddr[entry & 15] & ADDRESS_MASK
    base = 1
    last = 0
    if mode == PMP_NAPOT:
        ones = address | GRAIN_NAPOT
        base = (ones & (ones + 1)) << 2
        last = ((ones | (ones + 1)) << 2) | 3
    elif mode == PMP_TOR:
        bottom = 0
        if entry != 0:
            bottom = h.pmpaddr[(entry - 1) & 15] & ADDRESS_MASK & ~GRAIN_TOR
        top = address & ~GRAIN_TOR
        if bottom < top:
            base = bottom << 2
            last = u64((top << 2) - 1)
    h.pmp_base[entry & 15] = base
    h.pmp_last[entry & 15] = last


@cold
def refresh_pmp(h: Hart) -> None:
    """Recompute the ranges after a change of pmpcfg or pmpaddr, and forget what relied on them."""
    h.pmp_count = 0
    entry = 0
    while entry < ENTRIES:
        refresh_entry(h, entry)
        entry = u64(entry + 1)
        if h.pmp_base[(entry - 1) & 15] <= h.pmp_last[(entry - 1) & 15]:
            h.pmp_count = entry
    h.pmp_low = 1
    h.pmp_high = 0
    flush_tlb(h)


@cold
def find_region(h: Hart, gpa: int) -> None:
    """Find the lowest-numbered entry that matches gpa and the range over which it alone governs.

    An entry matches whole pages, so no access made page by page can match one only in part
    (Privileged ISA, 3.7.1.3 "Priority and Matching Logic").
    """
    low = 0
    high = U64_MAX
    match = 0
    entry = 0
    found = 0
    while found == 0 and entry < h.pmp_count:
        base = h.pmp_base[entry & 15]
        last = h.pmp_last[entry & 15]
        if base <= last:
            if gpa < base:
                high = min_u64(high, u64(base - 1))
            elif gpa > last:
                low = max_u64(low, u64(last + 1))
            else:
                low = max_u64(low, base)
                high = min_u64(high, last)
                match = h.pmpcfg[entry & 15]
                found = 1
        entry = u64(entry + 1)
    h.pmp_low = low
    h.pmp_high = high
    h.pmp_match = match


def min_u64(a: int, b: int) -> int:
    """The smaller of two u64."""
    return a if a < b else b


def max_u64(a: int, b: int) -> int:
    """The larger of two u64."""
    return a if a > b else b


@inline
def pmp_permissions(h: Hart, gpa: int, mode: int) -> int:
    """The accesses (READ, WRITE, EXECUTE) that PMP grants in a mode at a physical address.

    M-mode is bound by locked entries only; below it what matches no entry is refused.
    """
    if gpa < h.pmp_low or gpa > h.pmp_high:
        find_region(h, gpa)
    granted = h.pmp_match & PMP_RWX
    if mode == MODE_M and (h.pmp_match & PMP_L) == 0:
        granted = PMP_RWX
    return granted


def read_pmpcfg(h: Hart, first: int) -> int:
    """pmpcfg0 or pmpcfg2: eight entries' configuration bytes from entry first."""
    value = 0
    entry = 0
    while entry < 8:
        value = u64(value | (h.pmpcfg[(first + entry) & 15] << ((entry << 3) & 63)))
        entry = u64(entry + 1)
    return value


def write_pmpcfg(h: Hart, first: int, value: int) -> None:
    """Locked bytes stay; W without R is refused; NA4 becomes NAPOT, as the grain is not 4."""
    entry = 0
    while entry < 8:
        index = (first + entry) & 15
        new = (value >> ((entry << 3) & 63)) & (PMP_L | PMP_A | PMP_RWX)
        if (new & (READ | WRITE)) == WRITE:
            new = new & ~WRITE
        if (new & PMP_A) == PMP_NA4:
            new = new | PMP_NAPOT
        if (h.pmpcfg[index] & PMP_L) == 0:
            h.pmpcfg[index] = new
        entry = u64(entry + 1)
    refresh_pmp(h)


def read_pmpaddr(h: Hart, entry: int) -> int:
    """An entry's address as its mode shows the grain; the bits written are kept underneath."""
    address = h.pmpaddr[entry & 15]
    if (h.pmpcfg[entry & 15] & PMP_NAPOT) >= PMP_NA4:
        return address | GRAIN_NAPOT
    return address & ~GRAIN_TOR


def write_pmpaddr(h: Hart, entry: int, value: int) -> None:
    """Refused for a locked entry, and below an entry that is locked as top of a range."""
    locked = h.pmpcfg[entry & 15] & PMP_L
    if entry < ENTRIES - 1:
        above = h.pmpcfg[(entry + 1) & 15]
        if (above & PMP_L) != 0 and (above & PMP_A) == PMP_TOR:
            locked = PMP_L
    if locked == 0:
        h.pmpaddr[entry & 15] = value & ADDRESS_MASK
        refresh_pmp(h)


def span_shift(h: Hart, gpa: int, shift: int) -> int:
    """The given page shift if PMP treats the page around gpa alike throughout, else 12."""
    base = gpa & ~((1 << (shift & 63)) - 1)
    last = gpa | ((1 << (shift & 63)) - 1)
    if shift != 12 and (base < h.pmp_low or last > h.pmp_high):
        return 12
    return shift
