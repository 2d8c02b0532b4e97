"""HTIF requests in memory."""

import struct

import pytest

from hospes.base.errors import GuestError
from hospes.devices.htif import Htif
from hospes.devices.power import PowerEvent, PowerKind
from hospes.devices.stream import BATCH_NS, OUTPUT_BYTES

TOHOST, FROMHOST, ARGUMENTS, TEXT = 0x8000_1000, 0x8000_1040, 0x8000_2000, 0x8000_3000


@pytest.fixture
def events() -> list[PowerEvent]:
    return []


@pytest.fixture
def htif(ram, stream, events) -> Htif:
    return Htif(ram, TOHOST, FROMHOST, stream, events.append)


def request(htif: Htif, ram, value: int) -> int:
    ram.write(TOHOST, struct.pack("<Q", value))
    htif.tick()
    return struct.unpack("<Q", ram.read(FROMHOST, 8))[0]


@pytest.mark.parametrize(("value", "code"), [(1, 0), (3, 1), (1337 << 1 | 1, 1337)])
def test_exit(htif: Htif, ram, events, value: int, code: int) -> None:
    request(htif, ram, value)
    assert events == [PowerEvent(PowerKind.OFF, code)]
    assert ram.read(TOHOST, 8) == bytes(8)


def test_console(htif: Htif, ram, stream, sink, clock) -> None:
    for char in b"hi":
        assert request(htif, ram, 1 << 56 | 1 << 48 | char) == 1 << 56 | 1 << 48 | 0x100 | char
    clock.advance(BATCH_NS)
    stream.tick()
    assert sink.data == b"hi"
    ram.write(FROMHOST, bytes(8))
    assert request(htif, ram, 1 << 56) == 0
    stream.receive(b"x")
    htif.tick()
    assert ram.read(FROMHOST, 8) == struct.pack("<Q", 1 << 56 | 0x100 | ord("x"))


def test_a_full_console_leaves_the_request_waiting(htif: Htif, ram, stream, sink, clock) -> None:
    sink.limit = 0
    stream.put(bytes(OUTPUT_BYTES))
    request(htif, ram, 1 << 56 | 1 << 48 | 65)
    assert ram.read(TOHOST, 8) != bytes(8)
    sink.limit = 1 << 40
    clock.advance(BATCH_NS)
    stream.tick()
    htif.tick()
    assert ram.read(TOHOST, 8) == bytes(8)


def test_system_calls(htif: Htif, ram, stream, sink, events) -> None:
    ram.write(TEXT, b"hello\n")
    ram.write(ARGUMENTS, struct.pack("<4Q", 64, 1, TEXT, 6))
    assert request(htif, ram, ARGUMENTS) == 1
    assert ram.read(ARGUMENTS, 8) == struct.pack("<q", 6)
    stream.flush()
    assert sink.data == b"hello\n"
    ram.write(ARGUMENTS, struct.pack("<4Q", 1, 0, 0, 0))
    request(htif, ram, ARGUMENTS)
    assert ram.read(ARGUMENTS, 8) == struct.pack("<q", -38)
    ram.write(ARGUMENTS, struct.pack("<4Q", 93, 7, 0, 0))
    request(htif, ram, ARGUMENTS)
    assert events == [PowerEvent(PowerKind.OFF, 7)]


def test_pointers_outside_memory_are_the_guests_error(htif: Htif, ram) -> None:
    with pytest.raises(GuestError):
        request(htif, ram, 0x1000)
    assert ram.read(TOHOST, 8) == bytes(8)
