"""Fuzz target: APLIC under random register accesses and interrupt lines.

Messages go to harts' pages, a source that could send has sent, a low level is not pending.
"""

import random

from fuzz.harness import access, main

from hospes.devices.bus import Bus
from hospes.devices.irq.aplic import LEVEL0, LEVEL1, SOURCES, Aplic

BASE, IMSIC = 0xD00_0000, 0x2800_0000
PLACES = (
    *(0x0, 0x4, 0x100, 0x180, 0xFF0, 0x1BC0, 0x1C00, 0x1CD8, 0x1D00, 0x1DD8, 0x1E00, 0x1ED8),
    *(0x1F00, 0x1FD8, 0x2000, 0x3000, 0x3100, 0x3180, 0x3FF0, 0x4000, 0x7FF0),
)
NUMBERS = (0x1CDC, 0x1DDC, 0x1EDC, 0x1FDC, 0x2000)


def case(chance: random.Random) -> None:
    """A few hundred accesses and levels."""

    def send(address: int, data: int) -> None:
        assert 0 <= address - IMSIC < 0x4000 * 0x1000, hex(address)
        assert address % 0x1000 == 0, hex(address)
        assert 0 <= data < 0x800, data

    bus, aplic = Bus(), Aplic(IMSIC, send)
    bus.map("aplic", BASE, aplic)
    inputs = [aplic.line(source) for source in range(1, SOURCES + 1)]
    for _ in range(300):
        kind = chance.random()
        if kind < 0.4:
            access(chance, bus, BASE, chance.choice(PLACES) + chance.randrange(0, 0x18))
        elif kind < 0.6:
            bus.write(BASE + 4 * chance.randrange(1, 100), 4, chance.choice((0, 1, 4, 5, 6, 7)))
        elif kind < 0.8:
            bus.write(BASE + chance.choice(NUMBERS), 4, chance.randrange(100))
        else:
            chance.choice(inputs).set(chance.random() < 0.5)
        check(aplic)


def check(aplic: Aplic) -> None:
    """What must hold between any two accesses."""
    active = sum(1 << source for source, mode in enumerate(aplic.modes) if mode)
    assert not (aplic.pending | aplic.enables) & ~active, "an inactive source has state"
    assert not (aplic.domain and aplic.pending & aplic.enables), "a message was not sent"
    high = sum(1 << source for source, mode in enumerate(aplic.modes) if mode == LEVEL1)
    low = sum(1 << source for source, mode in enumerate(aplic.modes) if mode == LEVEL0)
    assert not aplic.pending & (high & ~aplic.levels | low & aplic.levels), "a low level is pending"


if __name__ == "__main__":
    main(case)
