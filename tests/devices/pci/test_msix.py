"""MSI-X: the table, masks at two levels, what is pending and when it goes out."""

import pytest

from hospes.base import wire
from hospes.base.errors import GuestError
from hospes.devices.pci.msix import Msix

from .conftest import Card, Root

MESSAGE = (0x2800_0000, 42)
PENDING = 0x800


class Port:
    """A table with a gate."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, int]] = []
        self.msix = Msix(4, lambda address, data: self.sent.append((address, data)))
        self.msix.set_open(True)

    def fill(self, vector: int, address: int, data: int, masked: bool = False) -> None:
        at = 16 * vector
        for offset, value in ((0, address & 0xFFFF_FFFF), (4, address >> 32), (8, data)):
            self.msix.write(at + offset, 4, value)
        self.msix.write(at + 12, 4, int(masked))


@pytest.fixture
def port() -> Port:
    return Port()


def test_vectors_start_masked_and_empty(port: Port) -> None:
    assert [port.msix.read(16 * n + 8, 8) for n in range(4)] == [1 << 32] * 4
    port.msix.raise_vector(0)
    assert port.sent == []
    assert port.msix.read(PENDING, 4) == 1


def test_messages(port: Port) -> None:
    port.fill(2, 0x1_2345_6780, 99)
    assert port.msix.read(32, 8) == 0x1_2345_6780
    port.msix.raise_vector(2)
    port.msix.raise_vector(2)
    assert port.sent == [(0x1_2345_6780, 99)] * 2
    assert port.msix.read(PENDING, 8) == 0


def test_one_that_is_masked_waits_and_is_sent_once(port: Port) -> None:
    port.fill(1, *MESSAGE, masked=True)
    for _ in range(3):
        port.msix.raise_vector(1)
    assert port.msix.read(PENDING, 4) == 2
    port.msix.write(16 + 12, 4, 0)
    port.msix.write(16 + 12, 4, 0)
    assert port.sent == [MESSAGE]
    assert port.msix.read(PENDING, 4) == 0


def test_a_closed_function_waits_as_well(port: Port) -> None:
    port.fill(0, *MESSAGE)
    port.fill(3, MESSAGE[0], 43)
    port.msix.set_open(False)
    port.msix.raise_vector(3)
    port.msix.raise_vector(0)
    assert (port.sent, port.msix.read(PENDING, 4)) == ([], 9)
    port.msix.set_open(True)
    assert port.sent == [MESSAGE, (MESSAGE[0], 43)]


def test_what_the_guest_cannot_have(port: Port) -> None:
    port.fill(0, 0x2800_0003, 1)
    assert port.msix.read(0, 4) == 0x2800_0000
    port.msix.write(12, 4, 0xFFFF_FFFF)
    assert port.msix.read(12, 4) == 1
    for offset, size in ((0, 1), (2, 2), (4, 8), (PENDING, 2)):
        with pytest.raises(GuestError, match="MSI-X table access"):
            port.msix.read(offset, size)
        with pytest.raises(GuestError, match="MSI-X table access"):
            port.msix.write(offset, size, 0)
    port.msix.write(PENDING, 4, 0xFF)
    port.msix.write(64, 4, 0xFF)
    assert port.msix.read(PENDING, 4) == port.msix.read(64, 4) == 0
    port.msix.raise_vector(4)
    port.msix.raise_vector(0xFFFF)
    assert port.msix.pending == 0


def test_state_is_kept(port: Port) -> None:
    port.fill(1, *MESSAGE, masked=True)
    port.msix.raise_vector(1)
    other = Port()
    wire.restore(other.msix, wire.encode(port.msix))
    other.msix.write(16 + 12, 4, 0)
    assert other.sent == [MESSAGE]
    with pytest.raises(ValueError, match="vectors"):
        Msix(129, print)


def test_the_capability_opens_and_closes(plugged: Root, card: Card) -> None:
    at = plugged.capability(1, 0x11)
    assert plugged.config(1, at + 2, size=2) == 3
    assert plugged.config(1, at + 4) == 4
    assert plugged.config(1, at + 8) == 0x804
    card.vectors.write(0, 8, MESSAGE[0])
    card.vectors.write(8, 8, MESSAGE[1])
    steps = ((at + 2, 0xC000), (at + 2, 0x8000), (0x04, 4))
    for offset, value in steps:
        card.vectors.raise_vector(0)
        assert plugged.messages == []
        plugged.config(1, offset, value, size=2)
    assert plugged.messages == [MESSAGE]
    plugged.config(1, 0x04, 0, size=2)
    card.vectors.raise_vector(0)
    assert plugged.messages == [MESSAGE]
