"""Fuzz target: SBI calls with whatever a guest has in its registers."""

import random

from fuzz.harness import main, odd_number
from tests.firmware.sbi.sbi_platform import RAM_BASE, RAM_BYTES, FakePlatform

from hospes.firmware.sbi.call import HartState
from hospes.firmware.sbi.sbi import EXTENSIONS

NUMBERS = (*(extension.number for extension in EXTENSIONS), 0x10, 3, 0x504D55)
HARTS = 3


def case(chance: random.Random) -> None:
    """A hundred calls: each returns behind the ecall, or has ended or moved the hart."""
    platform = FakePlatform(HARTS)
    platform.room = chance.choice((0, 5, 1 << 20))
    for _ in range(100):
        platform.input += chance.randbytes(chance.randrange(9))
        platform.output.clear()
        number = chance.choice(NUMBERS) if chance.random() < 0.95 else odd_number(chance, 64)
        function = chance.randrange(5) if chance.random() < 0.9 else odd_number(chance, 64)
        resets = len(platform.resets)
        platform.hart_states[0] = HartState.STARTED
        platform.ecall(number, function, *(argument(chance) for _ in range(6)))
        hart = platform.harts[0]
        ended = platform.hart_states[0] != HartState.STARTED or len(platform.resets) > resets
        assert ended or hart.pc == 0x8020_0004, (hex(number), function)
        assert all(0 <= value < 1 << 64 or value < 0 for value in hart.x[10:12])
        for port in platform.ports:
            assert len(port.log) < 10_000
            port.log.clear()


def argument(chance: random.Random) -> int:
    """A number of harts, an address, a length, or any."""
    kind = chance.random()
    if kind < 0.4:
        return chance.randrange(HARTS + 2)
    if kind < 0.7:
        return RAM_BASE + chance.choice((0, 2, chance.randrange(RAM_BYTES), RAM_BYTES - 1))
    return odd_number(chance, 64) % (1 << 64)


if __name__ == "__main__":
    main(case)
