"""Fuzz target: the real-time clock under random register accesses and steps of the host's clock."""

import random

from fuzz.harness import Line, access, main, odd_number

from hospes.base.clock import ManualClock
from hospes.devices.bus import Bus
from hospes.devices.rtc import Rtc


def case(chance: random.Random) -> None:
    """A few hundred accesses."""
    clock, bus = ManualClock(wall_ns=odd_number(chance, 63)), Bus()
    bus.map("rtc", 0x10_1000, Rtc(Line(), clock))
    for _ in range(300):
        access(chance, bus, 0x10_1000, chance.randrange(0, 0x24))
        if chance.random() < 0.1:
            clock.advance(odd_number(chance, 40))
            clock.set_wall(odd_number(chance, 63))
            bus.tick()
        due = bus.due_in_ns()
        assert due is None or due >= 0


if __name__ == "__main__":
    main(case)
