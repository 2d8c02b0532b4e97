"""Fuzz target: the test finisher under random accesses."""

import random

from fuzz.harness import access, main

from hospes.devices.bus import Bus
from hospes.devices.power import (
    FINISHER_FAIL,
    FINISHER_PASS,
    FINISHER_RESET,
    PowerEvent,
    PowerKind,
    TestFinisher,
)

BASE = 0x10_0000
STATUSES = (FINISHER_PASS, FINISHER_FAIL, FINISHER_RESET, 0x1234)


def case(chance: random.Random) -> None:
    """A few hundred accesses; an end has a code that fits 16 bits, and success has none."""
    events: list[PowerEvent] = []
    bus = Bus()
    bus.map("test", BASE, TestFinisher(events.append))
    for _ in range(300):
        if chance.random() < 0.5:
            access(chance, bus, BASE, chance.randrange(0, 0x1010))
        else:
            bus.write(BASE, 4, chance.choice(STATUSES) | chance.getrandbits(16) << 16)
    assert all(0 <= event.code < 1 << 16 for event in events)
    assert not any(event.code for event in events if event.kind is PowerKind.RESET)


if __name__ == "__main__":
    main(case)
