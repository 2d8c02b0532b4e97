"""PLIC: platform-level interrupt controller (RISC-V PLIC specification 1.0.0) in QEMU's layout.

Contexts are numbered as on that board: hart n has M-mode context 2n and S-mode context 2n + 1.
Sources are level-triggered; a request withdrawn before it is claimed is dropped, as QEMU's gateways
do, so that a driver is not called for nothing.
"""

from collections.abc import Sequence
from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.device import Device, RegArray
from hospes.devices.irq.line import MEIP, SEIP, HartLines

SOURCES: Final = 96
"""Source 0 does not exist."""
PRIORITY_MAX: Final = 7
_WORDS: Final = SOURCES // 32
_CONTEXTS_MAX: Final = 1024
_ENABLE_WORDS: Final = 32
_WORD: Final = 0xFFFF_FFFF


class Plic(Device):
    """Picks, per context, the pending and enabled source of highest priority, lowest first."""

    compatible, size = "sifive,plic-1.0.0", 0x60_0000
    priority = RegArray(0x0, count=SOURCES)
    pending = RegArray(0x1000, count=_WORDS)
    enable = RegArray(0x2000, count=_CONTEXTS_MAX * _ENABLE_WORDS)
    threshold = RegArray(0x20_0000, count=_CONTEXTS_MAX, stride=0x1000)
    claim = RegArray(0x20_0004, count=_CONTEXTS_MAX, stride=0x1000)

    levels: int = 0       # bit n: source n's line is high
    claimed: int = 0      # bit n: source n is between claim and complete
    priorities: list[int]
    enables: list[int]
    thresholds: list[int]
    outputs: list[bool]

    def __init__(self, lines: Sequence[HartLines]) -> None:
        super().__init__()
        self.lines = lines
        contexts = 2 * len(lines)
        self.priorities = [0] * SOURCES
        self.enables = [0] * contexts
        self.thresholds = [0] * contexts
        self.outputs = [False] * contexts

    def line(self, source: int) -> "PlicInput":
        """The input line of a source (1 to 95)."""
        if not 0 < source < SOURCES:
            raise ValueError(f"the PLIC has sources 1 to {SOURCES - 1}, not {source}")
        return PlicInput(self, source)

    def read_priority(self, source: int) -> int:
        """0 (never interrupts) to 7."""
        return self.priorities[source]

    def write_priority(self, source: int, value: int) -> None:
        """WARL: three bits."""
        if source:
            self.priorities[source] = value & PRIORITY_MAX
            self._update()

    def read_pending(self, word: int) -> int:
        """32 pending bits."""
        return (self.levels & ~self.claimed) >> 32 * word & _WORD

    def read_enable(self, index: int) -> int:
        """32 enable bits of a context."""
        context, word = divmod(index, _ENABLE_WORDS)
        self._check(context)
        return self.enables[context] >> 32 * word & _WORD

    def write_enable(self, index: int, value: int) -> None:
        """Source 0 and those above the last one stay disabled."""
        context, word = divmod(index, _ENABLE_WORDS)
        self._check(context)
        if word < _WORDS:
            kept = self.enables[context] & ~(_WORD << 32 * word)
            self.enables[context] = (kept | value << 32 * word) & ~1
            self._update()

    def read_threshold(self, context: int) -> int:
        """Sources of this priority and below do not interrupt the context."""
        self._check(context)
        return self.thresholds[context]

    def write_threshold(self, context: int, value: int) -> None:
        """WARL: three bits."""
        self._check(context)
        self.thresholds[context] = value & PRIORITY_MAX
        self._update()

    def read_claim(self, context: int) -> int:
        """Claim: the source to serve or 0; the threshold does not matter here (section 8)."""
        self._check(context)
        source, _ = self._best(context)
        if source:
            self.claimed |= 1 << source
            self._update()
        return source

    def write_claim(self, context: int, value: int) -> None:
        """Complete: a source not enabled for the context is ignored (section 9)."""
        self._check(context)
        if value < SOURCES and self.enables[context] >> value & 1:
            self.claimed &= ~(1 << value)
            self._update()

    def set_level(self, source: int, level: bool) -> None:
        """A device drives its line."""
        bit = 1 << source
        if bool(self.levels & bit) != level:
            self.levels ^= bit
            self._update()

    def _best(self, context: int) -> tuple[int, int]:
        """Source and priority of what the context would claim; (0, 0) when nothing is pending."""
        waiting = self.levels & ~self.claimed & self.enables[context]
        best, best_priority = 0, 0
        while waiting:
            source = (waiting & -waiting).bit_length() - 1
            waiting &= waiting - 1
            if self.priorities[source] > best_priority:
                best, best_priority = source, self.priorities[source]
        return best, best_priority

    def _update(self) -> None:
        """Drive the harts' external interrupt lines."""
        for context, output in enumerate(self.outputs):
            level = self._best(context)[1] > self.thresholds[context]
            if level != output:
                self.outputs[context] = level
                self.lines[context >> 1](SEIP if context & 1 else MEIP, level)

    def _check(self, context: int) -> None:
        if context >= len(self.outputs):
            raise GuestError(f"the PLIC has {len(self.outputs)} contexts, not {context + 1}")


class PlicInput:
    """A source's interrupt line; its level is the PLIC's state, so it has none to restore."""

    def __init__(self, plic: Plic, source: int) -> None:
        self._plic = plic
        self._source = source

    def set(self, level: bool) -> None:
        """Drive the line high or low."""
        self._plic.set_level(self._source, level)
