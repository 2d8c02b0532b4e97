"""A hart's supervisor-level interrupt file: which identities are pending and enabled (AIA, 3.8)."""

from typing import Final

from hospes.base.bits import ctz64
from hospes.isa.riscv.encoding import SEI
from hospes.isa.riscv.hart import FILE_WORDS, Hart
from hospes.isa.riscv.trap import poll_interrupts

IDENTITIES: Final = 64 * FILE_WORDS - 1
"""Identities 1 to this exist."""
DELIVERED: Final = 1
"""eidelivery: the file drives sip.SEIP; no other controller can take its place."""


def top_identity(h: Hart) -> int:
    """The lowest identity that is pending, enabled and below eithreshold; 0 if there is none."""
    found = 0
    for number in range(FILE_WORDS):
        both = h.eip[FILE_WORDS - 1 - number] & h.eie[FILE_WORDS - 1 - number]
        if both != 0:
            found = 64 * (FILE_WORDS - 1 - number) + ctz64(both)
    if h.eithreshold != 0 and found >= h.eithreshold:
        return 0
    return found


def drive_external(h: Hart) -> None:
    """Let the hart's external interrupt line follow the file (AIA, 3.10)."""
    if h.eidelivery == DELIVERED and top_identity(h) != 0:
        h.lines = h.lines | SEI
        poll_interrupts(h)
    else:
        h.lines = h.lines & ~SEI


def receive_message(h: Hart, identity: int) -> None:
    """A message arrives: its identity becomes pending, or is ignored if it does not exist.

    That can only raise the line, so what else is pending does not matter.
    """
    if identity == 0 or identity > IDENTITIES:
        return
    word = (identity >> 6) & (FILE_WORDS - 1)
    bit = 1 << (identity & 63)
    h.eip[word] = h.eip[word] | bit
    if (h.eie[word] & bit) != 0 and h.eidelivery == DELIVERED:
        threshold = h.eithreshold
        if threshold == 0 or identity < threshold:
            h.lines = h.lines | SEI
            poll_interrupts(h)
