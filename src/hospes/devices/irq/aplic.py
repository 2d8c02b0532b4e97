"""APLIC: turns interrupt lines into messages (AIA, chapter 4), as one supervisor-level domain.

The domain has no parent, no children, and only MSI delivery mode; messages go to the harts' pages
of the IMSIC, whose address is wired in.
"""

from typing import Final

from hospes.base.bits import bswap64
from hospes.devices.device import Device, Reg, RegArray
from hospes.devices.irq.imsic import FILE_BYTES
from hospes.devices.irq.line import SendMessage

SOURCES: Final = 96
"""Sources 1 to this exist."""
SOURCES_MAX: Final = 1023

DOMAIN_FIXED: Final = 0x8000_0004
"""domaincfg: its mark, and DM (MSI delivery mode)."""
DOMAIN_IE: Final = 1 << 8
SOURCE_DELEGATED: Final = 1 << 10
DETACHED, EDGE1, EDGE0, LEVEL1, LEVEL0 = 1, 4, 5, 6, 7
MODES: Final = frozenset((DETACHED, EDGE1, EDGE0, LEVEL1, LEVEL0))
"""The source modes that make a source active."""
INVERTED: Final = frozenset((EDGE0, LEVEL0))
LEVELS: Final = frozenset((LEVEL1, LEVEL0))
HART_SHIFT: Final = 18
EIID_MASK: Final = 0x7FF
TARGET_MASK: Final = 0x3FFF << HART_SHIFT | EIID_MASK
_WORDS: Final = 32
_WORD: Final = 0xFFFF_FFFF


class Aplic(Device):
    """Sends the message of a source that is pending, enabled, and in an enabled domain, once.

    Bit n of `levels`, `pending` and `enables` is source n's: its wire is high, it is pending, it is
    enabled. Of a source that is inactive, pending and enable bits and target are zero.
    """

    compatible, size = "riscv,aplic", 0x8000
    domaincfg = Reg(0x0)
    sourcecfg = RegArray(0x4, count=SOURCES_MAX)
    setip = RegArray(0x1C00, count=_WORDS)
    setipnum = Reg(0x1CDC)
    in_clrip = RegArray(0x1D00, count=_WORDS)
    clripnum = Reg(0x1DDC)
    setie = RegArray(0x1E00, count=_WORDS)
    setienum = Reg(0x1EDC)
    clrie = RegArray(0x1F00, count=_WORDS)
    clrienum = Reg(0x1FDC)
    setipnum_le = Reg(0x2000)
    setipnum_be = Reg(0x2004)
    genmsi = Reg(0x3000)
    target = RegArray(0x3004, count=SOURCES_MAX)

    domain: int = 0
    extempore: int = 0
    levels: int = 0
    pending: int = 0
    enables: int = 0
    modes: list[int]
    targets: list[int]

    def __init__(self, imsic_gpa: int, send: SendMessage) -> None:
        super().__init__()
        self._imsic_gpa = imsic_gpa
        self._send = send
        self.modes = [0] * (SOURCES + 1)
        self.targets = [0] * (SOURCES + 1)

    def line(self, source: int) -> "AplicInput":
        """The input line of a source (1 to 96)."""
        if not 0 < source <= SOURCES:
            raise ValueError(f"the APLIC has sources 1 to {SOURCES}, not {source}")
        return AplicInput(self, source)

    def read_domaincfg(self) -> int:
        """Little-endian, sending messages, and whether it does."""
        return DOMAIN_FIXED | self.domain

    def write_domaincfg(self, value: int) -> None:
        """Only IE can be changed."""
        self.domain = value & DOMAIN_IE
        self._forward(self.pending)

    def read_sourcecfg(self, index: int) -> int:
        """The source mode; register 0 is that of source 1."""
        return self.modes[index + 1] if index < SOURCES else 0

    def write_sourcecfg(self, index: int, value: int) -> None:
        """A reserved mode, or one that would delegate, makes the source inactive (4.5.2).

        An active level that is there already becomes pending: its rise will not come.
        """
        source = index + 1
        if source > SOURCES:
            return
        mode = value & 7
        if value & SOURCE_DELEGATED or mode not in MODES:
            mode = self.targets[source] = 0
        self.modes[source] = mode
        bit = 1 << source
        if not mode:
            self.pending &= ~bit
            self.enables &= ~bit
        elif mode in LEVELS:
            self.pending = self.pending & ~bit | (bit if self._rectified(source) else 0)
            self._forward(bit)

    def read_setip(self, word: int) -> int:
        """32 pending bits."""
        return self.pending >> 32 * word & _WORD

    def write_setip(self, word: int, value: int) -> None:
        """Make sources pending, where that is possible."""
        for source in _sources(word, value):
            self.write_setipnum(source)

    def write_setipnum(self, source: int) -> None:
        """Make a source pending; a level-sensitive one only while its input is high (4.7)."""
        if self._active(source) and (self.modes[source] not in LEVELS or self._rectified(source)):
            self.pending |= 1 << source
            self._forward(1 << source)

    def write_setipnum_le(self, source: int) -> None:
        """The same: the domain is little-endian."""
        self.write_setipnum(source)

    def write_setipnum_be(self, value: int) -> None:
        """The same, from a writer whose bytes are in the other order."""
        self.write_setipnum(bswap64(value) >> 32)

    def read_in_clrip(self, word: int) -> int:
        """32 rectified inputs."""
        first = 32 * word
        sources = range(max(first, 1), min(first + 32, SOURCES + 1))
        return sum(1 << source - first for source in sources if self._rectified(source))

    def write_in_clrip(self, word: int, value: int) -> None:
        """Take pending bits back."""
        self.pending &= ~(value << 32 * word)

    def write_clripnum(self, source: int) -> None:
        """Take a source's pending bit back."""
        if self._active(source):
            self.pending &= ~(1 << source)

    def read_setie(self, word: int) -> int:
        """32 enable bits."""
        return self.enables >> 32 * word & _WORD

    def write_setie(self, word: int, value: int) -> None:
        """Enable active sources."""
        for source in _sources(word, value):
            self.write_setienum(source)

    def write_setienum(self, source: int) -> None:
        """Enable an active source."""
        if self._active(source):
            self.enables |= 1 << source
            self._forward(1 << source)

    def write_clrie(self, word: int, value: int) -> None:
        """Disable sources."""
        self.enables &= ~(value << 32 * word)

    def write_clrienum(self, source: int) -> None:
        """Disable a source."""
        if self._active(source):
            self.enables &= ~(1 << source)

    def read_genmsi(self) -> int:
        """The last extempore message; never busy, for it was sent at once."""
        return self.extempore

    def write_genmsi(self, value: int) -> None:
        """Send a message, whether or not the domain is enabled (4.5.15)."""
        self.extempore = value & TARGET_MASK
        self._send_to(self.extempore)

    def read_target(self, index: int) -> int:
        """Hart and identity of a source's messages; register 0 is that of source 1."""
        return self.targets[index + 1] if index < SOURCES else 0

    def write_target(self, index: int, value: int) -> None:
        """Where an active source's messages go; there are no guest interrupt files."""
        if self._active(index + 1):
            self.targets[index + 1] = value & TARGET_MASK

    def set_level(self, source: int, level: bool) -> None:
        """A device drives its line."""
        bit = 1 << source
        if bool(self.levels & bit) == level:
            return
        self.levels ^= bit
        mode = self.modes[source]
        if mode in (0, DETACHED):
            return
        if self._rectified(source):
            self.pending |= bit
            self._forward(bit)
        elif mode in LEVELS:
            self.pending &= ~bit

    def _active(self, source: int) -> bool:
        return 0 < source <= SOURCES and self.modes[source] != 0

    def _rectified(self, source: int) -> bool:
        """The input as the source mode sees it (4.5.2)."""
        mode = self.modes[source]
        return mode > DETACHED and bool(self.levels >> source & 1) != (mode in INVERTED)

    def _forward(self, among: int) -> None:
        """Send what is ready among these sources, lowest number first; it is then not pending."""
        ready = self.pending & self.enables & among if self.domain else 0
        self.pending &= ~ready
        while ready:
            source = (ready & -ready).bit_length() - 1
            ready &= ready - 1
            self._send_to(self.targets[source])

    def _send_to(self, target: int) -> None:
        """A message to the interrupt file of a hart (4.9.1)."""
        self._send(
            self._imsic_gpa + (target >> HART_SHIFT) * FILE_BYTES, target & EIID_MASK
        )


class AplicInput:
    """A source's interrupt line; its level is the APLIC's state, so it has none to restore."""

    def __init__(self, aplic: Aplic, source: int) -> None:
        self._aplic = aplic
        self._source = source

    def set(self, level: bool) -> None:
        """Drive the line high or low."""
        self._aplic.set_level(self._source, level)


def _sources(word: int, value: int) -> list[int]:
    """The numbers of the sources whose bits are set in a word of a row."""
    return [32 * word + bit for bit in range(32) if value >> bit & 1]
