"""Goldfish real-time clock: wall time in nanoseconds, with an alarm."""

from typing import Final

from hospes.base.clock import Clock
from hospes.devices.device import Device, Reg
from hospes.devices.irq.line import Irq

_LOW: Final = 0xFFFF_FFFF


class Rtc(Device):
    """Reading time_low latches time_high; writing alarm_low arms the alarm."""

    compatible, size = "google,goldfish-rtc", 0x1000
    time_low, time_high = Reg(0x00), Reg(0x04)
    alarm_low, alarm_high = Reg(0x08), Reg(0x0C)
    irq_enabled, clear_alarm = Reg(0x10), Reg(0x14)
    alarm_status, clear_interrupt = Reg(0x18), Reg(0x1C)

    high: int = 0             # latched by the last read of time_low
    offset_ns: int = 0        # the guest's clock minus the host's, set by the guest
    alarm_ns: int = 0         # in the guest's time
    armed: bool = False
    pending: bool = False
    enabled: bool = False

    def __init__(self, irq: Irq, clock: Clock) -> None:
        super().__init__()
        self.irq = irq
        self.clock = clock

    def read_time_low(self) -> int:
        """The low half of now; latches the high half."""
        now = self._now_ns()
        self.high = now >> 32
        return now & _LOW

    def read_time_high(self) -> int:
        """The half latched last."""
        return self.high

    def write_time_low(self, value: int) -> None:
        """Set the clock's low half."""
        now = self._now_ns()
        self._set_now(now & ~_LOW | value)

    def write_time_high(self, value: int) -> None:
        """Set the clock's high half."""
        now = self._now_ns()
        self._set_now(now & _LOW | value << 32)

    def read_alarm_low(self) -> int:
        """The low half of the alarm's time."""
        return self.alarm_ns & _LOW

    def read_alarm_high(self) -> int:
        """The high half of the alarm's time."""
        return self.alarm_ns >> 32

    def write_alarm_low(self, value: int) -> None:
        """Complete the alarm's time and arm it; one in the past goes off at once."""
        self.alarm_ns = self.alarm_ns & ~_LOW | value
        self.armed = True
        self.tick()

    def write_alarm_high(self, value: int) -> None:
        """The high half; written before the low one."""
        self.alarm_ns = self.alarm_ns & _LOW | value << 32

    def read_irq_enabled(self) -> int:
        """Whether an alarm interrupts."""
        return int(self.enabled)

    def write_irq_enabled(self, value: int) -> None:
        """Let an alarm interrupt, or not."""
        self.enabled = bool(value & 1)
        self._update()

    def write_clear_alarm(self, value: int) -> None:
        """Disarm."""
        self.armed = False

    def read_alarm_status(self) -> int:
        """Whether an alarm is armed."""
        return int(self.armed)

    def write_clear_interrupt(self, value: int) -> None:
        """Acknowledge an alarm that has gone off."""
        self.pending = False
        self._update()

    def tick(self) -> None:
        """Let a due alarm go off."""
        if self.armed and self._now_ns() >= self.alarm_ns:
            self.armed, self.pending = False, True
        self._update()

    def due_in_ns(self) -> int | None:
        """Until the alarm."""
        return max(0, self.alarm_ns - self._now_ns()) if self.armed else None

    def _now_ns(self) -> int:
        return (self.clock.wall_ns() + self.offset_ns) & 0xFFFF_FFFF_FFFF_FFFF

    def _set_now(self, now_ns: int) -> None:
        self.offset_ns = now_ns - self.clock.wall_ns()

    def _update(self) -> None:
        self.irq.set(self.pending and self.enabled)
