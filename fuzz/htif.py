"""Fuzz target: HTIF with random requests, system calls and symbols anywhere."""

import random
import struct

from fuzz.harness import RAM_BASE, RAM_BYTES, Ram, main, make_stream, odd_number

from hospes.base.clock import ManualClock
from hospes.devices.bus import Bus
from hospes.devices.htif import Htif

ARGUMENTS = RAM_BASE + 0x2000


def case(chance: random.Random) -> None:
    """A few hundred requests; symbols are mostly in RAM."""
    clock, bus, ram = ManualClock(), Bus(), Ram()
    stream = make_stream(chance, clock)
    events: list[int] = []
    tohost = symbol(chance)
    fromhost = symbol(chance) if chance.random() < 0.9 else None
    htif = Htif(ram, tohost, fromhost, stream, lambda event: events.append(event.code))
    bus.attach("htif", htif)
    for _ in range(300):
        numbers = [chance.choice((64, 93, odd_number(chance, 64))), 1, address(chance)]
        numbers.append(chance.choice((0, 5, 4000, odd_number(chance, 64))))
        ram.write(ARGUMENTS, struct.pack("<4Q", *(number % (1 << 64) for number in numbers)))
        if RAM_BASE <= tohost <= RAM_BASE + RAM_BYTES - 8:
            ram.write(tohost, struct.pack("<Q", request(chance)))
        if chance.random() < 0.2:
            stream.receive(chance.randbytes(chance.randrange(20)))
            clock.advance(chance.randrange(3_000_000))
        bus.tick()
        stream.tick()
        due = bus.due_in_ns()
        assert due is None or due >= 0
    assert all(0 <= code < 1 << 48 for code in events)


def symbol(chance: random.Random) -> int:
    """An address that a program's file gives."""
    return odd_number(chance, 64) if chance.random() < 0.05 else RAM_BASE + 64 * chance.randrange(9)


def address(chance: random.Random) -> int:
    """One that a program passes."""
    inside = RAM_BASE + chance.randrange(RAM_BYTES)
    return inside if chance.random() < 0.8 else odd_number(chance, 64)


def request(chance: random.Random) -> int:
    """Device, command and payload."""
    device = chance.choice((0, 0, 1, 1, chance.randrange(256)))
    payload = chance.choice((ARGUMENTS, address(chance), odd_number(chance, 48)))
    return device << 56 | chance.choice((0, 1, chance.randrange(256))) << 48 | payload % (1 << 48)


if __name__ == "__main__":
    main(case)
