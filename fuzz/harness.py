"""What every fuzz target shares: guest memory, random accesses, damage; `main` is the runner's.

A target is a module with `case(chance)`, which does one random thing and must neither raise nor
exceed the runner's bounds. `python -m fuzz.uart --seconds 60` runs one; a failure names its seed,
and `--only SEED` repeats it.
"""

import random
from collections.abc import Callable, Iterable
from typing import Final

from fuzz import runner
from hospes.base.clock import ManualClock
from hospes.base.errors import GuestError, HospesError
from hospes.devices.bus import Bus
from hospes.devices.stream import CharacterStream

main: Final = runner.main
RAM_BASE: Final = 0x8000_0000
RAM_BYTES: Final = 1 << 20


class Ram:
    """Guest memory over a bytearray; GuestError outside."""

    def __init__(self) -> None:
        self.bytes = bytearray(RAM_BYTES)

    def read(self, gpa: int, count: int) -> bytes:
        """A copy."""
        at = self._at(gpa, count)
        return bytes(self.bytes[at : at + count])

    def write(self, gpa: int, data: bytes) -> None:
        """Store."""
        at = self._at(gpa, len(data))
        self.bytes[at : at + len(data)] = data

    def windows(self, parts: Iterable[tuple[int, int]]) -> list[memoryview]:
        """The bytes themselves."""
        view = memoryview(self.bytes)
        places = [(self._at(gpa, count), count) for gpa, count in parts]
        return [view[at : at + count] for at, count in places]

    def filled(self, parts: Iterable[tuple[int, int]]) -> None:
        """Checked."""
        for gpa, count in parts:
            self._at(gpa, count)

    def _at(self, gpa: int, count: int) -> int:
        if not RAM_BASE <= gpa <= RAM_BASE + RAM_BYTES - count:
            raise GuestError(f"{gpa:#x} is not RAM")
        return gpa - RAM_BASE


class Line:
    """An interrupt line."""

    level = False

    def set(self, level: bool) -> None:
        """Remember."""
        self.level = level


class Backend:
    """Takes a random part of what it is offered."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def write(self, data: bytes) -> int:
        """All, some or nothing."""
        return self._chance.choice((len(data), len(data), len(data) // 2, 0))


def make_stream(chance: random.Random, clock: ManualClock) -> CharacterStream:
    """A console stream with a moody back end."""
    return CharacterStream(Backend(chance), clock)


def odd_number(chance: random.Random, bits: int) -> int:
    """A number as mistakes are made of: small, all ones, one bit, near a power of two, anything."""
    kind = chance.randrange(5)
    if kind == 0:
        return chance.randrange(16)
    if kind == 1:
        return (1 << bits) - 1 - chance.randrange(3)
    if kind == 2:
        return 1 << chance.randrange(bits)
    if kind == 3:
        return max(0, (1 << chance.randrange(bits)) + chance.randrange(-2, 3))
    return chance.getrandbits(bits)


def access(chance: random.Random, bus: Bus, base: int, offset: int) -> None:
    """One access of any width at an offset, odd values written."""
    size = chance.choice((1, 2, 4, 8, 4, 4))
    if chance.random() < 0.4:
        value = bus.read(base + offset, size)
        assert value is None or 0 <= value < 1 << 8 * size, (hex(offset), size, value)
    else:
        bus.write(base + offset, size, odd_number(chance, 8 * size) & ((1 << 8 * size) - 1))


def damage(chance: random.Random, whole: bytes, changes: int = 4) -> bytes:
    """The same with up to so many numbers overwritten, or cut off somewhere."""
    data = bytearray(whole)
    for _ in range(chance.randrange(changes + 1)):
        at, size = chance.randrange(len(data) + 1), chance.choice((1, 2, 4, 8, 12))
        data[at : at + size] = odd_number(chance, 8 * size).to_bytes(size + 1, "little")[:size]
    if chance.random() < 0.3:
        del data[chance.randrange(len(data) + 1) :]
    return bytes(data)


def one_sentence(use: Callable[[], object], kind: type[Exception] = HospesError) -> None:
    """Nothing but an error of this kind and of one line comes out."""
    try:
        use()
    except kind as error:
        if "\n" in str(error):
            raise AssertionError("an error of several lines") from error
