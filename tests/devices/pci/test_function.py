"""Configuration space: identity, masks, sizing, capabilities, memory only for a bus master."""

import pytest

from hospes.base import wire
from hospes.base.errors import GuestError
from hospes.devices.device import Device
from hospes.devices.pci.config import HEADER_BYTES, Layout
from hospes.devices.pci.function import Bar
from hospes.devices.pci.msix import Msix

from .conftest import IDENTITY, Card

COMMAND, STATUS, BAR0 = 0x04, 0x06, 0x10


def test_identity_in_every_width(card: Card) -> None:
    assert card.read_config(0, 4) == 0x5678_1234
    assert card.read_config(2, 2) == 0x5678
    assert card.read_config(8, 4) == 0x0102_0309
    assert [card.read_config(at, 1) for at in (9, 10, 11)] == [3, 2, 1]
    assert card.read_config(0x2C, 4) == 0xEF01_ABCD
    assert card.read_config(0x0E, 1) == 0
    assert card.read_config(0x3D, 1) == 1
    assert card.read_config(0x100, 4) == card.read_config(0xFFC, 4) == 0


@pytest.mark.parametrize(("offset", "size"), [(1, 2), (2, 4), (0, 8), (0xFFF, 2)])
def test_other_accesses_are_refused(card: Card, offset: int, size: int) -> None:
    with pytest.raises(GuestError, match="configuration access"):
        card.read_config(offset, size)
    with pytest.raises(GuestError, match="configuration access"):
        card.write_config(offset, size, 0)


def test_only_writable_bits_change(card: Card) -> None:
    for at in range(0, 0x1000, 4):
        if not BAR0 <= at < 0x28 and not 0x40 <= at < 0x50:
            card.write_config(at, 4, 0xFFFF_FFFF)
    assert card.read_config(0, 4) == 0x5678_1234
    assert card.read_config(COMMAND, 2) == 1 << 1 | 1 << 2 | 1 << 10
    assert card.read_config(STATUS, 2) == 1 << 4
    assert card.read_config(0x3C, 2) == 0x01FF
    card.write_config(COMMAND, 1, 0)
    assert card.read_config(COMMAND, 2) == 1 << 10


def test_bars_tell_their_size_and_kind(card: Card) -> None:
    for at in range(BAR0, 0x28, 4):
        card.write_config(at, 4, 0xFFFF_FFFF)
    assert [card.read_config(at, 4) for at in range(BAR0, 0x28, 4)] == [
        0xFFFF_E004, 0xFFFF_FFFF, 0xFFFF_E008, 0, 0xFFFF_F000, 0,
    ]  # fmt: skip
    card.write_config(BAR0, 4, 0x1234_5678)
    card.write_config(BAR0 + 4, 4, 0x9)
    assert card.bar_base(0) == 0x9_1234_4000


def test_capabilities_are_a_list() -> None:
    layout = Layout(IDENTITY)
    assert layout.add_capability(5, b"abc", b"\xff") == 0x40
    assert layout.add_capability(9, b"x" * 10) == 0x48
    assert layout.start[0x34] == 0x40
    assert layout.start[0x40:0x46] == b"\x05\x48abc\0"
    assert layout.writable[0x40:0x46] == b"\0\0\xff\0\0\0"
    with pytest.raises(ValueError, match="no room"):
        layout.add_capability(9, bytes(HEADER_BYTES))


def test_memory_is_for_a_bus_master(card: Card, ram) -> None:
    with pytest.raises(GuestError, match="not bus master"):
        card.memory.read(ram.base, 4)
    with pytest.raises(GuestError, match="not bus master"):
        card.memory.write(ram.base, b"abcd")
    with pytest.raises(GuestError, match="not bus master"):
        card.memory.windows([(ram.base, 4)])
    card.write_config(COMMAND, 2, 4)
    card.memory.write(ram.base, b"abcd")
    assert card.memory.read(ram.base, 4) == b"abcd"
    assert card.memory.windows([(ram.base, 4)]) == [b"abcd"]
    card.write_config(COMMAND, 2, 0)
    with pytest.raises(GuestError, match="not bus master"):
        card.memory.read(ram.base, 4)


def test_wrong_bars_are_a_mistake_of_ours() -> None:
    class Odd(Device):
        size = 0x1800

    for index, device, wide in ((0, Odd(), False), (5, Msix(1, print), True), (-1, Odd(), True)):
        with pytest.raises(ValueError, match="BAR"):
            Bar(index, device, wide)


def test_state_is_kept(card: Card, ram) -> None:
    card.write_config(COMMAND, 2, 6)
    card.write_config(BAR0, 4, 0x4000_0000)
    card.set_intx(True)
    other = Card(ram)
    wire.restore(other, wire.encode(card))
    other.follow()
    assert other.memory.allowed
    assert other.line
    assert other.placed[0][1] == 0x4000_0000
    assert wire.encode(other) == wire.encode(card)
