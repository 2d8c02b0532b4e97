"""Fuzz target: the UART under random accesses, input, and a back end that is often full."""

import random

from fuzz.harness import Line, access, main, make_stream

from hospes.base.clock import ManualClock
from hospes.devices.bus import Bus
from hospes.devices.uart import FIFO_BYTES, Uart


def case(chance: random.Random) -> None:
    """A few hundred accesses."""
    clock, bus = ManualClock(), Bus()
    stream = make_stream(chance, clock)
    uart = Uart(Line(), stream)
    bus.map("uart", 0x1000_0000, uart)
    for _ in range(300):
        access(chance, bus, 0x1000_0000, chance.randrange(8 if chance.random() < 0.9 else 0x100))
        if chance.random() < 0.1:
            stream.receive(chance.randbytes(chance.randrange(40)))
            clock.advance(chance.randrange(3_000_000))
            bus.tick()
        due = bus.due_in_ns()
        assert due is None or due >= 0
        assert len(uart.received) <= FIFO_BYTES


if __name__ == "__main__":
    main(case)
