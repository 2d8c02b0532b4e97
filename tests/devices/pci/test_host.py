"""The host bridge: slots, decoding wherever the guest puts BARs, interrupt lines, messages."""

import pytest

from .conftest import Card, Root

ABSENT = 0xFFFF_FFFF
COMMAND, BAR0, BAR2, BAR4 = 0x04, 0x10, 0x18, 0x20
MEMORY, MASTER, NO_INTX = 2, 4, 1 << 10
CELL = 0x4010_0000


def place(root: Root, slot: int, bar0: int, bar2: int = 0, bar4: int = 0) -> None:
    for at, value in ((BAR0, bar0 & ABSENT), (BAR0 + 4, bar0 >> 32), (BAR2, bar2), (BAR4, bar4)):
        root.config(slot, at, value)


def test_one_function_is_there(plugged: Root) -> None:
    assert plugged.config(1, 0) == 0x5678_1234
    assert plugged.config(1, 0, size=1) == 0x34
    for slot in (0, 2, 31, 32):
        assert plugged.config(slot, 0) == ABSENT
        plugged.config(slot, 4, 0xFFFF)
    assert plugged.bus.read(0x3000_0000 + (1 << 15 | 1 << 12), 2) == 0xFFFF
    assert plugged.bus.read(0x3FFF_FFFC, 4) == ABSENT
    assert plugged.bus.read(0x3000_8000, 8) == 0


def test_empty_windows_read_as_ones(plugged: Root) -> None:
    for gpa in (0x4000_0000, 0x7FFF_FFFC, 0x4_0000_0000, 0x7_FFFF_FFFC, 0x300_0000):
        assert plugged.bus.read(gpa, 4) == ABSENT
        assert plugged.bus.write(gpa, 4, 1)
    assert plugged.bus.read(0x8_0000_0000, 4) is None


def test_bars_answer_where_they_are_put(plugged: Root, card: Card) -> None:
    place(plugged, 1, CELL, 0x4020_0000)
    assert plugged.bus.read(CELL, 4) == ABSENT
    plugged.config(1, COMMAND, MEMORY, size=2)
    plugged.bus.write(CELL, 4, 17)
    assert card.cells.cell == 17
    assert plugged.bus.read(0x4020_0000, 4) == 0
    place(plugged, 1, 0x5_0000_0000, 0x4020_0000)
    assert plugged.bus.read(CELL, 4) == ABSENT
    assert plugged.bus.read(0x5_0000_0000, 4) == 17
    plugged.config(1, COMMAND, 0, size=2)
    assert plugged.bus.read(0x5_0000_0000, 4) == ABSENT
    assert plugged.bus.exits()["card-bar0"] == 2


@pytest.mark.parametrize("base", [0, 0x3000_0000, 0x300_0000, 0x8000_0000, 0x8_0000_0000, 1 << 63])
def test_outside_the_windows_nothing_is_decoded(plugged: Root, card: Card, base: int) -> None:
    plugged.config(1, COMMAND, MEMORY, size=2)
    place(plugged, 1, base)
    assert plugged.bus.write(CELL, 4, 1)
    plugged.bus.write(base, 4, 3)
    assert card.cells.cell == 0
    assert plugged.config(1, 0) == 0x5678_1234


def test_of_two_that_overlap_the_lower_slot_answers(plugged: Root, card: Card, ram) -> None:
    other = Card(ram)
    assert plugged.host.plug("other", other) == 2
    for slot in (2, 1):
        place(plugged, slot, CELL, 0x4020_0000)
        plugged.config(slot, COMMAND, MEMORY, size=2)
    plugged.bus.write(CELL, 4, 5)
    assert (card.cells.cell, other.cells.cell) == (5, 0)
    place(plugged, 1, 0x4030_0000, 0x4031_0000)
    plugged.bus.write(CELL, 4, 7)
    assert (card.cells.cell, other.cells.cell) == (5, 7)


def test_two_change_places(plugged: Root, card: Card, ram) -> None:
    other = Card(ram)
    plugged.host.plug("other", other)
    for slot, base in ((1, CELL), (2, CELL + 0x2000)):
        place(plugged, slot, base)
        plugged.config(slot, COMMAND, MEMORY, size=2)
    place(plugged, 1, CELL + 0x2000)
    place(plugged, 2, CELL)
    plugged.bus.write(CELL, 4, 1)
    plugged.bus.write(CELL + 0x2000, 4, 2)
    assert (card.cells.cell, other.cells.cell) == (2, 1)


def test_slots_run_out(root: Root, ram) -> None:
    for number in range(31):
        root.host.plug(f"card{number}", Card(ram))
    assert root.config(31, 0) == 0x5678_1234
    with pytest.raises(ValueError, match="no free PCI slot"):
        root.host.plug("late", Card(ram))


def test_lines_are_swizzled_and_shared(root: Root, ram) -> None:
    cards = [Card(ram) for _ in range(5)]
    for number, card in enumerate(cards):
        root.host.plug(f"card{number}", card)

    def levels() -> list[bool]:
        return [line.level for line in root.lines]

    cards[0].set_intx(True)
    assert levels() == [False, True, False, False]
    cards[4].set_intx(True)
    cards[3].set_intx(True)
    assert levels() == [True, True, False, False]
    assert root.config(1, 0x06, size=2) == 1 << 3 | 1 << 4
    cards[0].set_intx(False)
    assert levels() == [True, True, False, False]
    root.config(5, COMMAND, NO_INTX, size=2)
    assert levels() == [True, False, False, False]
    assert root.config(5, 0x06, size=2) & 1 << 3
    root.config(5, COMMAND, 0, size=2)
    assert levels() == [True, True, False, False]


def test_msix_takes_the_lines_place(plugged: Root, card: Card) -> None:
    card.set_intx(True)
    at = plugged.capability(1, 0x11)
    plugged.config(1, at + 2, 0x8000, size=2)
    assert not plugged.lines[1].level
    assert not plugged.config(1, 0x06, size=2) & 1 << 3
    plugged.config(1, at + 2, 0, size=2)
    assert plugged.lines[1].level


def test_a_message_that_comes_back_is_not_sent_again(plugged: Root, card: Card) -> None:
    plugged.config(1, COMMAND, MASTER, size=2)
    plugged.config(1, plugged.capability(1, 0x11) + 2, 0x8000, size=2)
    card.vectors.write(0, 8, 0x2800_0000)
    card.vectors.write(8, 8, 1)
    arrived = []

    def bounce(address: int, data: int) -> None:
        arrived.append(data)
        card.vectors.raise_vector(0)

    plugged.host._send_msi = bounce
    card.vectors.raise_vector(0)
    card.vectors.raise_vector(0)
    assert arrived == [1, 1]
