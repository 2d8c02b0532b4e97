"""Supervisor-level CSRs of the Advanced Interrupt Architecture (Ssaia), on harts that have it.

The priorities of major interrupts (iprio) are read-only zero, as the specification allows.
"""

from typing import Final

from hospes.isa.riscv.csr_table import Csr, csr
from hospes.isa.riscv.hart import FILE_WORDS, Hart
from hospes.isa.riscv.interrupt_file import DELIVERED, IDENTITIES, drive_external, top_identity
from hospes.isa.riscv.trap import highest, update_timer

SELECT_MASK: Final = 0x1FF
IPRIO_FIRST: Final = 0x30
IPRIO_LAST: Final = 0x3F
EIDELIVERY: Final = 0x70
EITHRESHOLD: Final = 0x72
EIP_FIRST: Final = 0x80
EIE_FIRST: Final = 0xC0
FILE_LAST: Final = 0xFF
NO_IDENTITY_0: Final = ~1


def select_exists(h: Hart) -> int:
    """Whether sireg stands for a register now: odd-numbered parts are of RV32 only (AIA, 2.2)."""
    select = h.siselect
    if select >= IPRIO_FIRST and select <= IPRIO_LAST:
        return 1 - (select & 1)
    if select >= EIP_FIRST and select <= FILE_LAST:
        return 1 - (select & 1)
    return 1 if select >= EIDELIVERY and select < EIP_FIRST else 0


def write_sireg(h: Hart, value: int) -> None:
    """Write what siselect names; the file may interrupt, or no longer interrupt, at once."""
    select = h.siselect
    word = (select >> 1) & (FILE_WORDS - 1)
    bits = value & NO_IDENTITY_0 if word == 0 else value
    if select == EIDELIVERY:
        h.eidelivery = value & DELIVERED
    elif select == EITHRESHOLD:
        h.eithreshold = value & IDENTITIES
    elif select >= EIP_FIRST and select < EIP_FIRST + 2 * FILE_WORDS:
        h.eip[word] = bits
    elif select >= EIE_FIRST and select < EIE_FIRST + 2 * FILE_WORDS:
        h.eie[word] = bits
    drive_external(h)


@csr(0x151, "sireg", write=write_sireg)
def read_sireg(h: Hart) -> int:
    """What siselect names; zero where the file has no identities."""
    select = h.siselect
    word = (select >> 1) & (FILE_WORDS - 1)
    if select == EIDELIVERY:
        return h.eidelivery
    if select == EITHRESHOLD:
        return h.eithreshold
    if select >= EIP_FIRST and select < EIP_FIRST + 2 * FILE_WORDS:
        return h.eip[word]
    if select >= EIE_FIRST and select < EIE_FIRST + 2 * FILE_WORDS:
        return h.eie[word]
    return 0


def write_stopei(h: Hart, value: int) -> None:
    """Claim: the identity that a read reports is no longer pending (AIA, 3.9)."""
    identity = top_identity(h)
    if identity != 0:
        word = (identity >> 6) & (FILE_WORDS - 1)
        h.eip[word] = h.eip[word] & ~(1 << (identity & 63))
        drive_external(h)


@csr(0x15C, "stopei", write=write_stopei)
def read_stopei(h: Hart) -> int:
    """The first identity that is pending and enabled, twice: it is its own priority."""
    identity = top_identity(h)
    return (identity << 16) | identity


@csr(0xDB0, "stopi")
def read_stopi(h: Hart) -> int:
    """The major interrupt that the supervisor would take next, of priority 1 (AIA, 5.4.2)."""
    update_timer(h)
    pending = (h.mip | h.lines | h.timer_due) & h.mie & h.mideleg
    if pending == 0:
        return 0
    return ((highest(pending) & 63) << 16) | 1


STORAGE: Final = (Csr(0x150, "siselect", field="siselect", write_mask=SELECT_MASK),)
