"""Dispatch: extension and function numbers, what is returned where, and BASE."""

import pytest
from tests.firmware.sbi.sbi_platform import FakePlatform

from hospes.base.errors import HospesError

BASE = 0x10


def test_specification_version_is_2_0(platform: FakePlatform) -> None:
    assert platform.ecall(BASE, 0) == (0, 0x0200_0000)


@pytest.mark.parametrize(
    ("extension", "present"),
    [
        (0x10, 1), (0x54494D45, 1), (0x735049, 1), (0x52464E43, 1), (0x48534D, 1),
        (0x53525354, 1), (0x4442434E, 1), (0, 1), (1, 1), (2, 1), (8, 1), (3, 0), (0x504D55, 0),
        ((1 << 64) - 1, 0),
    ],
)  # fmt: skip
def test_probe_tells_what_there_is(
    platform: FakePlatform, extension: int, present: int
) -> None:
    assert platform.ecall(BASE, 3, extension) == (0, present)


def test_machine_identity_is_zero(platform: FakePlatform) -> None:
    assert [platform.ecall(BASE, function) for function in (4, 5, 6)] == [(0, 0)] * 3


def test_unknown_extension_and_function_are_not_supported(platform: FakePlatform) -> None:
    assert platform.ecall(0x504D55, 0) == (-2, 0)
    assert platform.ecall(BASE, 7) == (-2, 0)


def test_the_call_steps_over_the_ecall_and_keeps_other_registers(platform: FakePlatform) -> None:
    hart = platform.harts[0]
    for register in range(1, 32):
        hart.x[register] = register * 3
    platform.ecall(BASE, 0)
    assert hart.pc == 0x8020_0004
    kept = [*range(1, 10), *range(18, 32)]
    assert [hart.x[register] for register in kept] == [register * 3 for register in kept]


def test_calls_are_counted_by_extension(platform: FakePlatform) -> None:
    platform.ecall(BASE, 0)
    platform.ecall(BASE, 1)
    platform.ecall(0x1234)
    assert platform.sbi.calls == {"BASE": 2, "unknown": 1}


def test_another_trap_into_machine_mode_is_a_clear_error(platform: FakePlatform) -> None:
    hart = platform.harts[0]
    hart.exit_cause, hart.pc = 2, 0x8000_1000
    with pytest.raises(HospesError, match="trap cause 2 at pc 0x80001000"):
        platform.sbi.call(hart)
