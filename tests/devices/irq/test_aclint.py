"""Software interrupts and timers."""

import pytest

from hospes.base import wire
from hospes.base.errors import GuestError
from hospes.devices.irq.aclint import Aclint
from hospes.devices.irq.line import MSIP, MTIP


class Ticks:
    now = 1000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


@pytest.fixture
def aclint(harts, ticks: Ticks) -> Aclint:
    return Aclint(harts, ticks)


def test_software_interrupts(aclint: Aclint, harts) -> None:
    aclint.write(4, 4, 0xFFFF_FFFF)
    assert [hart.mip for hart in harts] == [0, MSIP]
    assert aclint.read(4, 4) == 1
    aclint.write(4, 4, 0)
    assert harts[1].mip == 0


def test_timer_fires_at_its_tick_and_clears_on_rewrite(aclint: Aclint, harts, ticks) -> None:
    assert aclint.next_deadline() is None
    aclint.write(0x4000, 8, 1500)
    aclint.write(0x4008, 8, 1200)
    assert aclint.next_deadline() == 1200
    assert aclint.due_in_ns() == 20_000
    ticks.now = 1200
    aclint.tick()
    assert [hart.mip for hart in harts] == [0, MTIP]
    assert aclint.next_deadline() == 1500
    aclint.write(0x4008, 8, 2**64 - 1)
    assert harts[1].mip == 0
    aclint.write(0x4000, 8, 7)
    assert harts[0].mip == MTIP


def test_halves_of_the_wide_registers(aclint: Aclint, ticks) -> None:
    ticks.now = 0x1_0000_0002
    assert aclint.read(0xBFF8, 8) == ticks.now
    assert (aclint.read(0xBFF8, 4), aclint.read(0xBFFC, 4)) == (2, 1)
    aclint.write(0x4000, 4, 5)
    aclint.write(0x4004, 4, 2)
    assert aclint.read(0x4000, 8) == 0x2_0000_0005
    aclint.write(0xBFF8, 8, 0)
    assert aclint.read(0xBFF8, 8) == ticks.now


def test_absent_harts_are_the_guests_error(aclint: Aclint) -> None:
    for offset, size in ((8, 4), (0x4010, 8), (0x8000, 4)):
        with pytest.raises(GuestError):
            aclint.read(offset, size)


def test_state(aclint: Aclint, harts, ticks) -> None:
    aclint.write(0x4000, 8, 1)
    other = Aclint(harts, ticks)
    wire.restore(other, wire.encode(aclint))
    assert other.fired == [True, False]
