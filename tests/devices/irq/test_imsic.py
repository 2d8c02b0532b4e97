"""The pages that take messages."""

import pytest

from hospes.base.errors import GuestError
from hospes.devices.bus import Bus
from hospes.devices.irq.imsic import Imsic

BASE = 0x2800_0000


@pytest.fixture
def received() -> list[tuple[int, int]]:
    return []


@pytest.fixture
def imsic(received: list[tuple[int, int]]) -> Imsic:
    return Imsic(
        [lambda identity, hart=hart: received.append((hart, identity)) for hart in range(3)]
    )


def test_each_hart_has_a_page(imsic: Imsic, received: list[tuple[int, int]]) -> None:
    for hart in (2, 0, 1):
        imsic.write(0x1000 * hart, 4, 10 + hart)
    assert received == [(2, 12), (0, 10), (1, 11)]


def test_the_other_byte_order(imsic: Imsic, received: list[tuple[int, int]]) -> None:
    """3.5: seteipnum_be."""
    imsic.write(0x1004, 4, 0x0403_0201)
    assert received == [(1, 0x0102_0304)]


def test_all_reads_are_zero(imsic: Imsic) -> None:
    assert [imsic.read(offset, 4) for offset in (0, 4, 0x2000, 0x2004)] == [0, 0, 0, 0]


def test_other_accesses_are_refused(imsic: Imsic, received: list[tuple[int, int]]) -> None:
    """3.5: only aligned words; the rest of a page is reserved."""
    for offset, size in ((0, 1), (0, 2), (0, 8), (2, 2), (8, 4), (0xFFC, 4), (0x3000, 4)):
        with pytest.raises(GuestError):
            imsic.write(offset, size, 1)
        with pytest.raises(GuestError):
            imsic.read(offset, size)
    assert received == []


def test_pages_end_with_the_harts(imsic: Imsic) -> None:
    bus = Bus()
    bus.map("imsic", BASE, imsic, 3 * 0x1000)
    assert bus.read(BASE + 0x2004, 4) == 0
    assert bus.read(BASE + 0x3000, 4) is None
