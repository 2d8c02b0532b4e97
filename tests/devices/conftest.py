"""Stand-ins for what devices are given: lines, a back end, a clock, memory."""

import pytest

from hospes.base.clock import ManualClock
from hospes.base.errors import GuestError
from hospes.devices.stream import CharacterStream


class Wire:
    """An interrupt line that remembers its level and counts its changes."""

    def __init__(self) -> None:
        self.level = False
        self.changes = 0

    def set(self, level: bool) -> None:
        self.changes += level != self.level
        self.level = level


class Sink:
    """A back end that keeps what it is given, up to a limit."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.limit = 1 << 40
        self.calls = 0

    def write(self, data: bytes) -> int:
        self.calls += 1
        taken = min(len(data), self.limit - len(self.data))
        self.data += data[:taken]
        return taken


class Ram:
    """Guest memory over a bytearray."""

    def __init__(self, base: int = 0x8000_0000, size: int = 1 << 20) -> None:
        self.base, self.bytes = base, bytearray(size)

    def read(self, gpa: int, count: int) -> bytes:
        at = self._at(gpa, count)
        return bytes(self.bytes[at : at + count])

    def write(self, gpa: int, data: bytes) -> None:
        at = self._at(gpa, len(data))
        self.bytes[at : at + len(data)] = data

    def windows(self, parts) -> list[memoryview]:
        view = memoryview(self.bytes)
        places = [(self._at(gpa, count), count) for gpa, count in parts]
        return [view[at : at + count] for at, count in places]

    def filled(self, parts) -> None:
        for gpa, count in parts:
            self._at(gpa, count)

    def _at(self, gpa: int, count: int) -> int:
        if not self.base <= gpa <= self.base + len(self.bytes) - count:
            raise GuestError(f"{gpa:#x} is not RAM")
        return gpa - self.base


class HartLine:
    """One hart's interrupt lines as a mip value."""

    def __init__(self) -> None:
        self.mip = 0

    def __call__(self, bit: int, level: bool) -> None:
        self.mip = self.mip | bit if level else self.mip & ~bit


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def ram() -> Ram:
    return Ram()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(wall_ns=1_700_000_000_123_456_789)


@pytest.fixture
def stream(sink: Sink, clock: ManualClock) -> CharacterStream:
    return CharacterStream(sink, clock)


@pytest.fixture
def harts() -> list[HartLine]:
    return [HartLine(), HartLine()]
