"""The Goldfish clock."""

import pytest

from hospes.devices.rtc import Rtc

LOW, HIGH, ALARM_LOW, ALARM_HIGH, ENABLE, CLEAR_ALARM, STATUS, CLEAR = range(0, 0x20, 4)


@pytest.fixture
def rtc(wire, clock) -> Rtc:
    return Rtc(wire, clock)


def now(rtc: Rtc) -> int:
    low = rtc.read(LOW, 4)
    return rtc.read(HIGH, 4) << 32 | low


def arm(rtc: Rtc, at_ns: int) -> None:
    rtc.write(ALARM_HIGH, 4, at_ns >> 32)
    rtc.write(ALARM_LOW, 4, at_ns & 0xFFFF_FFFF)


def test_reading_low_latches_high(rtc: Rtc, clock) -> None:
    clock.set_wall(0x1_FFFF_FFFF)
    low = rtc.read(LOW, 4)
    clock.advance(1)
    assert (rtc.read(HIGH, 4), low) == (1, 0xFFFF_FFFF)
    assert now(rtc) == 0x2_0000_0000


def test_alarm_goes_off_at_its_time(rtc: Rtc, wire, clock) -> None:
    rtc.write(ENABLE, 4, 1)
    arm(rtc, clock.wall_ns() + 5_000_000_000)
    assert rtc.read(STATUS, 4) == 1
    assert rtc.due_in_ns() == 5_000_000_000
    clock.advance(4_999_999_999)
    rtc.tick()
    assert not wire.level
    clock.advance(1)
    rtc.tick()
    assert wire.level
    assert rtc.read(STATUS, 4) == 0
    rtc.write(CLEAR, 4, 1)
    assert not wire.level


def test_alarm_in_the_past_and_disarming(rtc: Rtc, wire, clock) -> None:
    arm(rtc, 5)
    assert not wire.level
    rtc.write(ENABLE, 4, 1)
    assert wire.level
    rtc.write(CLEAR, 4, 1)
    arm(rtc, clock.wall_ns() + 10)
    rtc.write(CLEAR_ALARM, 4, 1)
    assert rtc.due_in_ns() is None


def test_the_guest_sets_its_clock(rtc: Rtc, clock) -> None:
    rtc.write(HIGH, 4, 0x1234)
    rtc.write(LOW, 4, 0x5678)
    assert now(rtc) == 0x1234_0000_5678
    clock.advance(2)
    assert now(rtc) == 0x1234_0000_567A
