"""ACLINT in the SiFive CLINT's layout: software interrupts and timer compare of each hart."""

from collections.abc import Callable, Sequence
from typing import Final

from hospes.base.bits import U64_MAX
from hospes.base.errors import GuestError
from hospes.devices.device import Device, Reg, RegArray
from hospes.devices.irq.line import MSIP, MTIP, HartLines

HARTS_MAX: Final = 4095
TICK_NS: Final = 100
"""One tick of the 10 MHz timebase."""


class Aclint(Device):
    """`mtime` is the harts' own `time` counter, so writing it is ignored."""

    compatible, also_compatible = "sifive,clint0", ("riscv,clint0",)
    size = 0x10000
    hart_lines = (MSIP, MTIP)
    msip = RegArray(0x0, count=HARTS_MAX)
    mtimecmp = RegArray(0x4000, 8, count=HARTS_MAX, partial=True)
    mtime = Reg(0xBFF8, 8, partial=True)

    software: list[bool]
    compare: list[int]
    fired: list[bool]

    def __init__(self, lines: Sequence[HartLines], timebase: Callable[[], int]) -> None:
        super().__init__()
        self.lines = lines
        self.timebase = timebase
        self.software = [False] * len(lines)
        self.compare = [U64_MAX] * len(lines)
        self.fired = [False] * len(lines)

    def read_msip(self, hart: int) -> int:
        """Bit 0: the software interrupt of a hart."""
        self._check(hart)
        return int(self.software[hart])

    def write_msip(self, hart: int, value: int) -> None:
        """Raise or clear the software interrupt of a hart."""
        self._check(hart)
        level = bool(value & 1)
        if level != self.software[hart]:
            self.software[hart] = level
            self.lines[hart](MSIP, level)

    def read_mtimecmp(self, hart: int) -> int:
        """When the timer interrupt of a hart is due, in ticks."""
        self._check(hart)
        return self.compare[hart]

    def write_mtimecmp(self, hart: int, value: int) -> None:
        """MTIP is high from the tick mtime reaches the value."""
        self._check(hart)
        self.compare[hart] = value
        self._compare(hart, self.timebase())

    def read_mtime(self) -> int:
        """The timebase."""
        return self.timebase()

    def next_deadline(self) -> int | None:
        """The earliest tick at which an MTIP that is low goes high; None if none is set."""
        pairs = zip(self.compare, self.fired, strict=True)
        return min((at for at, fired in pairs if not fired and at != U64_MAX), default=None)

    def due_in_ns(self) -> int | None:
        """The same as a delay."""
        deadline = self.next_deadline()
        return None if deadline is None else max(0, deadline - self.timebase()) * TICK_NS

    def tick(self) -> None:
        """Raise the timer interrupts that have become due."""
        now = self.timebase()
        for hart in range(len(self.lines)):
            self._compare(hart, now)

    def _compare(self, hart: int, now: int) -> None:
        level = now >= self.compare[hart]
        if level != self.fired[hart]:
            self.fired[hart] = level
            self.lines[hart](MTIP, level)

    def _check(self, hart: int) -> None:
        if hart >= len(self.lines):
            raise GuestError(f"there is no hart {hart} among {len(self.lines)}")
