"""Whatever a guest puts into its registers, a call is answered."""

import random

from tests.firmware.sbi.sbi_platform import RAM_BASE, RAM_BYTES, FakePlatform

from hospes.base.bits import U64_MAX
from hospes.firmware.sbi.call import HartState, SbiError
from hospes.firmware.sbi.sbi import EXTENSIONS

EDGES = (
    0, 1, 2, 3, 5, 63, 64, 0xFFF, 0x1000, RAM_BASE, RAM_BASE + 1, RAM_BASE + RAM_BYTES - 1,
    RAM_BASE + RAM_BYTES, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, 1 << 32, 1 << 63, U64_MAX,
)  # fmt: skip
CALLS = 20_000


def test_random_calls_are_answered() -> None:
    chance = random.Random(1)
    numbers = [extension.number for extension in EXTENSIONS] + [0x10, 3, 0x504D55]
    errors = {int(error) for error in SbiError}
    platform = FakePlatform(3)
    for _ in range(CALLS):
        platform.input += b"typed"
        platform.hart_states[0] = HartState.STARTED
        number, function = chance.choice(numbers), chance.choice((0, 1, 2, 3, 4, 7, U64_MAX))
        arguments = [
            chance.choice(EDGES) if chance.random() < 0.8 else chance.getrandbits(64)
            for _ in range(6)
        ]
        before = len(platform.resets)
        error, _ = platform.ecall(number, function, *arguments)
        returned = platform.harts[0].pc == 0x8020_0004
        moved = platform.hart_states[0] != HartState.STARTED or len(platform.resets) > before
        assert returned or moved, (number, function, arguments)
        if returned and number >= 0x10:
            assert error in errors, (number, function, arguments, error)
        platform.output.clear()
