"""Claim, complete, priorities, thresholds."""

import pytest

from hospes.base import wire
from hospes.base.errors import GuestError
from hospes.devices.irq.line import MEIP, SEIP
from hospes.devices.irq.plic import Plic

ENABLE, CONTEXT = 0x2000, 0x20_0000


@pytest.fixture
def plic(harts) -> Plic:
    return Plic(harts)


def arm(plic: Plic, source: int, priority: int = 1, context: int = 1) -> None:
    plic.write(4 * source, 4, priority)
    at = ENABLE + 0x80 * context + 4 * (source // 32)
    plic.write(at, 4, plic.read(at, 4) | 1 << source % 32)


def claim(plic: Plic, context: int = 1) -> int:
    return plic.read(CONTEXT + 0x1000 * context + 4, 4)


def complete(plic: Plic, source: int, context: int = 1) -> None:
    plic.write(CONTEXT + 0x1000 * context + 4, 4, source)


def test_a_level_interrupt_from_line_to_completion(plic: Plic, harts) -> None:
    arm(plic, 10)
    line = plic.line(10)
    line.set(True)
    assert harts[0].mip == SEIP
    assert plic.read(0x1000, 4) == 1 << 10
    assert claim(plic) == 10
    assert harts[0].mip == 0
    assert claim(plic) == 0
    complete(plic, 10)
    assert harts[0].mip == SEIP
    assert claim(plic) == 10
    line.set(False)
    complete(plic, 10)
    assert harts[0].mip == 0


def test_priority_then_lowest_number_decides(plic: Plic) -> None:
    for source, priority in ((5, 2), (70, 7), (40, 7), (3, 1)):
        arm(plic, source, priority)
        plic.line(source).set(True)
    assert [claim(plic) for _ in range(5)] == [40, 70, 5, 3, 0]


def test_threshold_masks_the_line_but_not_the_claim(plic: Plic, harts) -> None:
    arm(plic, 8, 3, context=2)
    plic.write(CONTEXT + 0x2000, 4, 3)
    plic.line(8).set(True)
    assert harts[1].mip == 0
    plic.write(CONTEXT + 0x2000, 4, 2)
    assert harts[1].mip == MEIP
    plic.write(CONTEXT + 0x2000, 4, 0xFFFF_FFFF)
    assert plic.read(CONTEXT + 0x2000, 4) == 7
    assert harts[1].mip == 0
    assert claim(plic, 2) == 8


def test_priority_zero_never_interrupts_and_source_zero_does_not_exist(plic: Plic, harts) -> None:
    arm(plic, 9, 8)
    plic.line(9).set(True)
    assert claim(plic) == 0
    plic.write(0, 4, 7)
    plic.write(ENABLE + 0x80, 4, 1)
    assert plic.read(0, 4) == 0
    assert plic.read(ENABLE + 0x80, 4) == 0
    with pytest.raises(ValueError, match="1 to 95"):
        plic.line(96)


def test_completion_by_a_context_without_the_source_is_ignored(plic: Plic) -> None:
    arm(plic, 10)
    plic.line(10).set(True)
    assert claim(plic) == 10
    complete(plic, 10, context=0)
    complete(plic, 4000)
    assert claim(plic) == 0
    complete(plic, 10)
    assert claim(plic) == 10


def test_absent_contexts_are_the_guests_error(plic: Plic) -> None:
    with pytest.raises(GuestError):
        plic.read(CONTEXT + 4 * 0x1000, 4)
    with pytest.raises(GuestError):
        plic.write(ENABLE + 4 * 0x80, 4, 1)
    with pytest.raises(GuestError):
        plic.read(0x4, 8)


def test_state(plic: Plic, harts) -> None:
    arm(plic, 10)
    plic.line(10).set(True)
    other = Plic(harts)
    wire.restore(other, wire.encode(plic))
    assert claim(other) == 10
    other.line(10).set(False)
    complete(other, 10)
    assert claim(other) == 0
