"""Fuzz target: PLIC and ACLINT under random register accesses and interrupt lines."""

import random

from fuzz.harness import access, main

from hospes.devices.bus import Bus
from hospes.devices.irq.aclint import Aclint
from hospes.devices.irq.plic import SOURCES, Plic

CLINT, PLIC = 0x200_0000, 0xC00_0000
PLIC_PLACES = (0, 0x1000, 0x2000, 0x2080, 0x20_0000, 0x20_1000, 0x20_3000, 0x20_4000, 0x5F_F000)
CLINT_PLACES = (0, 0x4000, 0xBFF8, 0xFFF0)


def case(chance: random.Random) -> None:
    """A few hundred accesses; harts' lines must follow what the registers say."""
    mip = [0, 0]

    def line(hart: int):
        def drive(bit: int, level: bool) -> None:
            assert bool(mip[hart] & bit) != level, "a line is driven without a change"
            mip[hart] ^= bit

        return drive

    lines = [line(0), line(1)]
    now = 0
    bus, plic = Bus(), Plic(lines)
    bus.map("clint", CLINT, Aclint(lines, lambda: now))
    bus.map("plic", PLIC, plic)
    inputs = [plic.line(source) for source in range(1, SOURCES)]
    for _ in range(300):
        if chance.random() < 0.7:
            access(chance, bus, PLIC, chance.choice(PLIC_PLACES) + chance.randrange(0, 0x18))
        else:
            access(chance, bus, CLINT, chance.choice(CLINT_PLACES) + chance.randrange(0, 0x14))
        chance.choice(inputs).set(chance.random() < 0.5)
        now += chance.randrange(100)
        if chance.random() < 0.1:
            bus.tick()


if __name__ == "__main__":
    main(case)
