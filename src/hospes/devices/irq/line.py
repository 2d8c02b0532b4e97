"""Interrupt lines: what a device drives, and what an interrupt controller drives in a hart."""

from collections.abc import Callable
from typing import Final, Protocol

MSIP: Final = 1 << 3
MTIP: Final = 1 << 7
SEIP: Final = 1 << 9
MEIP: Final = 1 << 11

HartLines = Callable[[int, bool], None]
"""Sets (True) or clears the given mip bit among one hart's interrupt lines."""


class Irq(Protocol):
    """A device's interrupt output, level-triggered."""

    def set(self, level: bool) -> None:
        """Drive the line high or low."""
        ...


MessagePort = Callable[[int], None]
"""Takes a message for one hart's interrupt file: the identity that becomes pending."""

SendMessage = Callable[[int, int], None]
"""Sends a message-signalled interrupt: a 32-bit write of data (second) to an address (first)."""
