"""The `sifive,test` register: the guest ends the machine by writing how it ended."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hospes.devices.device import Device, Reg

FINISHER_FAIL: Final = 0x3333
FINISHER_PASS: Final = 0x5555
FINISHER_RESET: Final = 0x7777


class PowerKind(StrEnum):
    """What the guest asked for."""

    OFF = "off"
    RESET = "reset"


@dataclass(frozen=True)
class PowerEvent:
    """The guest ended itself: how, and with which exit code (0: success)."""

    kind: PowerKind
    code: int = 0


PowerCallback = Callable[[PowerEvent], None]


class TestFinisher(Device):
    """Poweroff, failure (code in the upper 16 bits) and reset; other values do nothing."""

    __test__ = False  # not a test case, whatever its name suggests to a collector
    compatible, also_compatible = "sifive,test1", ("sifive,test0", "syscon")
    size = 0x1000
    finish = Reg(0x0, partial=True)

    def __init__(self, on_power: PowerCallback) -> None:
        super().__init__()
        self.on_power = on_power

    def write_finish(self, value: int) -> None:
        """The status in the low 16 bits, the code of a failure above."""
        status, code = value & 0xFFFF, value >> 16
        if status == FINISHER_PASS:
            self.on_power(PowerEvent(PowerKind.OFF))
        elif status == FINISHER_FAIL:
            self.on_power(PowerEvent(PowerKind.OFF, code or 1))
        elif status == FINISHER_RESET:
            self.on_power(PowerEvent(PowerKind.RESET))
