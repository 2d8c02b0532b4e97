"""Source modes, pending and enable bits, and the messages that come of them (AIA, chapter 4)."""

import pytest

from hospes.base import wire
from hospes.base.errors import GuestError
from hospes.devices.irq.aplic import SOURCES, Aplic

IMSIC = 0x2800_0000
DETACHED, EDGE1, EDGE0, LEVEL1, LEVEL0 = 1, 4, 5, 6, 7
SETIP, SETIPNUM, IN_CLRIP, CLRIPNUM = 0x1C00, 0x1CDC, 0x1D00, 0x1DDC
SETIE, SETIENUM, CLRIE, CLRIENUM = 0x1E00, 0x1EDC, 0x1F00, 0x1FDC
LE, BE, GENMSI, TARGET = 0x2000, 0x2004, 0x3000, 0x3000
SOURCE = 40


class Sent(list[tuple[int, int]]):
    """Messages, as (hart, identity)."""

    def send(self, address: int, data: int) -> None:
        assert (address - IMSIC) % 0x1000 == 0
        self.append(((address - IMSIC) >> 12, data))

    def take(self) -> list[tuple[int, int]]:
        messages = list(self)
        self.clear()
        return messages


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def aplic(sent: Sent) -> Aplic:
    return Aplic(IMSIC, sent.send)


def arm(aplic: Aplic, mode: int, source: int = SOURCE, hart: int = 1, identity: int = 99) -> None:
    """Configure a source and enable it and the domain."""
    aplic.write(4 * source, 4, mode)
    aplic.write(TARGET + 4 * source, 4, hart << 18 | identity)
    aplic.write(SETIENUM, 4, source)
    aplic.write(0, 4, 1 << 8)


def pending(aplic: Aplic, source: int = SOURCE) -> bool:
    return bool(aplic.read(SETIP + 4 * (source // 32), 4) >> source % 32 & 1)


def test_domain_configuration(aplic: Aplic) -> None:
    """4.5.1: little-endian, MSI delivery only; IE alone can be written, and is off at reset."""
    assert aplic.read(0, 4) == 0x8000_0004
    aplic.write(0, 4, 0xFFFF_FFFF)
    assert aplic.read(0, 4) == 0x8000_0104
    aplic.write(0, 4, 0)
    assert aplic.read(0, 4) == 0x8000_0004


def test_source_modes(aplic: Aplic) -> None:
    """4.5.2: reserved modes and delegation make a source inactive; some sources do not exist."""
    for value, mode in ((1, 1), (2, 0), (4, 4), (3, 0), (7, 7), (0x406, 0), (0xFFF8 | 5, 0)):
        aplic.write(4 * SOURCE, 4, value)
        assert aplic.read(4 * SOURCE, 4) == mode
    for source in (SOURCES + 1, 1023):
        aplic.write(4 * source, 4, 4)
        assert aplic.read(4 * source, 4) == 0


def test_an_inactive_source_keeps_nothing(aplic: Aplic) -> None:
    """4.5.2: its pending and enable bits and its target are read-only zeros."""
    arm(aplic, EDGE1)
    aplic.write(0, 4, 0)
    aplic.write(SETIPNUM, 4, SOURCE)
    assert pending(aplic)
    for _ in range(2):
        aplic.write(4 * SOURCE, 4, 0)
        registers = (SETIP + 4, SETIE + 4, TARGET + 4 * SOURCE)
        assert [aplic.read(register, 4) for register in registers] == [0, 0, 0]
        for register in (SETIPNUM, SETIENUM, LE):
            aplic.write(register, 4, SOURCE)
        aplic.write(SETIP + 4, 4, 0xFFFF_FFFF)
        aplic.write(SETIE + 4, 4, 0xFFFF_FFFF)
        aplic.write(TARGET + 4 * SOURCE, 4, 5)


@pytest.mark.parametrize(
    ("mode", "messages"),
    [(DETACHED, [0, 0, 0]), (EDGE1, [1, 0, 1]), (EDGE0, [0, 1, 0]), (LEVEL1, [1, 0, 1])],
)
def test_what_the_wire_does(aplic: Aplic, sent: Sent, mode: int, messages: list[int]) -> None:
    """4.7: the messages of a rise, a fall and another rise."""
    arm(aplic, mode)
    line = aplic.line(SOURCE)
    for level, count in zip((True, False, True), messages, strict=True):
        line.set(level)
        line.set(level)
        assert sent.take() == [(1, 99)] * count
        assert not pending(aplic)


def test_an_inverted_level(aplic: Aplic, sent: Sent) -> None:
    line = aplic.line(SOURCE)
    line.set(True)
    arm(aplic, LEVEL0)
    assert sent.take() == []
    line.set(False)
    assert sent.take() == [(1, 99)]


@pytest.mark.parametrize(("mode", "kept"), [(EDGE1, True), (LEVEL1, False)])
def test_a_pending_source_waits_to_be_enabled(
    aplic: Aplic, sent: Sent, mode: int, kept: bool
) -> None:
    """4.9: a message takes pending, enable and IE; a level that falls is no longer pending."""
    arm(aplic, mode)
    aplic.write(CLRIENUM, 4, SOURCE)
    line = aplic.line(SOURCE)
    line.set(True)
    assert pending(aplic)
    line.set(False)
    assert pending(aplic) == kept
    line.set(True)
    aplic.write(0, 4, 0)
    aplic.write(SETIENUM, 4, SOURCE)
    assert sent.take() == []
    aplic.write(0, 4, 1 << 8)
    assert sent.take() == [(1, 99)]
    assert not pending(aplic)


def test_a_level_is_asked_for_again(aplic: Aplic, sent: Sent) -> None:
    """4.9.2: a level that stays high sends once; setipnum repeats it while it is high."""
    arm(aplic, LEVEL1)
    line = aplic.line(SOURCE)
    line.set(True)
    assert sent.take() == [(1, 99)]
    for register in (SETIPNUM, LE):
        aplic.write(register, 4, SOURCE)
        assert sent.take() == [(1, 99)]
    aplic.write(BE, 4, SOURCE << 24)
    aplic.write(SETIP + 4, 4, 1 << SOURCE - 32)
    assert sent.take() == [(1, 99)] * 2
    line.set(False)
    for register in (SETIPNUM, LE):
        aplic.write(register, 4, SOURCE)
    aplic.write(SETIP + 4, 4, 1 << SOURCE - 32)
    assert sent.take() == []
    assert not pending(aplic)


def test_a_level_that_is_high_already_is_not_missed(aplic: Aplic, sent: Sent) -> None:
    aplic.line(SOURCE).set(True)
    arm(aplic, LEVEL1)
    assert sent.take() == [(1, 99)]


@pytest.mark.parametrize("mode", [DETACHED, EDGE1, EDGE0])
def test_software_sets_pending_bits(aplic: Aplic, sent: Sent, mode: int) -> None:
    arm(aplic, mode)
    aplic.write(SETIPNUM, 4, SOURCE)
    assert sent.take() == [(1, 99)]


def test_software_clears_pending_bits(aplic: Aplic, sent: Sent) -> None:
    arm(aplic, EDGE1)
    aplic.write(0, 4, 0)
    for register, value in ((CLRIPNUM, SOURCE), (IN_CLRIP + 4, 1 << SOURCE - 32)):
        aplic.write(SETIPNUM, 4, SOURCE)
        aplic.write(register, 4, value)
        assert not pending(aplic)
    aplic.write(0, 4, 1 << 8)
    assert sent.take() == []


def test_rectified_inputs(aplic: Aplic) -> None:
    """4.5.2: of edges and levels, with inversion; zero of others."""
    for source, mode in ((32, LEVEL1), (33, LEVEL0), (34, EDGE1), (35, EDGE0), (36, DETACHED)):
        aplic.write(4 * source, 4, mode)
    assert aplic.read(IN_CLRIP + 4, 4) == 0b01010
    for source in range(32, 38):
        aplic.line(source).set(True)
    assert aplic.read(IN_CLRIP + 4, 4) == 0b00101


def test_enable_bits(aplic: Aplic) -> None:
    for source in (33, 34, 63):
        aplic.write(4 * source, 4, EDGE1)
    aplic.write(SETIE + 4, 4, 0xFFFF_FFFF)
    assert aplic.read(SETIE + 4, 4) == 1 << 1 | 1 << 2 | 1 << 31
    aplic.write(CLRIE + 4, 4, 1 << 2)
    aplic.write(CLRIENUM, 4, 63)
    assert aplic.read(SETIE + 4, 4) == 1 << 1
    write_only = (CLRIE, CLRIENUM, SETIENUM, SETIPNUM, CLRIPNUM, LE, BE)
    assert [aplic.read(register, 4) for register in write_only] == [0] * 7


def test_target_has_no_guest_index(aplic: Aplic) -> None:
    """4.5.16: without the H extension it is read-only zero, and bit 11 is reserved."""
    aplic.write(4 * SOURCE, 4, EDGE1)
    aplic.write(TARGET + 4 * SOURCE, 4, 0xFFFF_FFFF)
    assert aplic.read(TARGET + 4 * SOURCE, 4) == 0xFFFC_07FF


def test_extempore_messages(aplic: Aplic, sent: Sent) -> None:
    """4.5.15: sent even if the domain is off, and never busy."""
    aplic.write(GENMSI, 4, 0xFFFF_FFFF)
    aplic.write(GENMSI, 4, 3 << 18 | 1 << 12 | 9)
    assert sent.take() == [(0x3FFF, 0x7FF), (3, 9)]
    assert aplic.read(GENMSI, 4) == 3 << 18 | 9


def test_several_are_sent_in_order(aplic: Aplic, sent: Sent) -> None:
    for source in (70, 3, 40):
        arm(aplic, EDGE1, source, hart=0, identity=source)
    aplic.write(0, 4, 0)
    for source in (70, 40, 3):
        aplic.line(source).set(True)
    aplic.write(0, 4, 1 << 8)
    assert sent.take() == [(0, 3), (0, 40), (0, 70)]


@pytest.mark.parametrize("source", [0, -1, SOURCES + 1])
def test_lines_have_a_source(aplic: Aplic, source: int) -> None:
    with pytest.raises(ValueError, match="sources 1 to 96"):
        aplic.line(source)


@pytest.mark.parametrize("register", [SETIPNUM, CLRIPNUM, SETIENUM, CLRIENUM, LE, BE])
@pytest.mark.parametrize("source", [0, SOURCES + 1, 1024, 0xFFFF_FFFF])
def test_numbers_of_no_source_are_ignored(
    aplic: Aplic, sent: Sent, register: int, source: int
) -> None:
    arm(aplic, EDGE1)
    aplic.write(register, 4, source)
    assert sent.take() == []
    assert aplic.read(SETIE + 4, 4) == 1 << SOURCE - 32


def test_only_words_exist(aplic: Aplic) -> None:
    for offset, size in ((0, 1), (0, 8), (1, 4), (0x1BC0, 4), (0x4000, 4)):
        with pytest.raises(GuestError):
            aplic.read(offset, size)


def test_state(aplic: Aplic, sent: Sent) -> None:
    arm(aplic, LEVEL1)
    aplic.write(CLRIENUM, 4, SOURCE)
    aplic.line(SOURCE).set(True)
    other = Aplic(IMSIC, sent.send)
    wire.restore(other, wire.encode(aplic))
    assert sent.take() == []
    other.write(SETIENUM, 4, SOURCE)
    assert sent.take() == [(1, 99)]
