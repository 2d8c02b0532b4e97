"""DBCN, the legacy console, SRST and legacy shutdown."""

import pytest
from tests.firmware.sbi.sbi_platform import RAM_BASE, RAM_BYTES, FakePlatform

from hospes.base.bits import U64_MAX
from hospes.firmware.sbi.call import ResetType

DBCN, SRST = 0x4442434E, 0x53525354


def test_write_moves_a_whole_buffer(platform: FakePlatform) -> None:
    platform.memory.write(RAM_BASE + 100, b"hello\n" * 1000)
    assert platform.ecall(DBCN, 0, 6000, RAM_BASE + 100, 0) == (0, 6000)
    assert platform.output == b"hello\n" * 1000


def test_write_is_partial_when_the_host_is_slow(platform: FakePlatform) -> None:
    platform.room = 10
    assert platform.ecall(DBCN, 0, 50, RAM_BASE, 0) == (0, 10)


def test_one_call_is_bounded(platform: FakePlatform) -> None:
    assert platform.ecall(DBCN, 0, RAM_BYTES, RAM_BASE, 0) == (0, 65536)


@pytest.mark.parametrize("function", [0, 1])
@pytest.mark.parametrize(
    "extent",
    [(16, 0x1000, 0), (16, RAM_BASE, 1), (16, RAM_BASE + RAM_BYTES - 8, 0), (U64_MAX, RAM_BASE, 0)],
)
def test_buffers_outside_ram_are_refused(
    platform: FakePlatform, function: int, extent: tuple[int, int, int]
) -> None:
    platform.input += b"typed"
    assert platform.ecall(DBCN, function, *extent)[0] == -3
    assert platform.input == b"typed"


def test_read_takes_what_there_is(platform: FakePlatform) -> None:
    platform.input += b"typed"
    assert platform.ecall(DBCN, 1, 3, RAM_BASE, 0) == (0, 3)
    assert platform.ecall(DBCN, 1, 100, RAM_BASE + 3, 0) == (0, 2)
    assert platform.ecall(DBCN, 1, 100, RAM_BASE, 0) == (0, 0)
    assert platform.memory.read(RAM_BASE, 5) == b"typed"


def test_write_byte(platform: FakePlatform) -> None:
    assert platform.ecall(DBCN, 2, 0x141) == (0, 0)
    assert platform.output == b"A"
    platform.room = 0
    assert platform.ecall(DBCN, 2, 0x42) == (-1, 0)


def test_legacy_console_returns_in_a0_alone(platform: FakePlatform) -> None:
    assert platform.ecall(1, 0, ord("x"), 4711) == (0, 4711)
    assert platform.output == b"x"
    platform.input += b"y"
    assert platform.ecall(2)[0] == ord("y")
    assert platform.ecall(2)[0] == -1


@pytest.mark.parametrize("kind", list(ResetType))
def test_reset(platform: FakePlatform, kind: ResetType) -> None:
    platform.ecall(SRST, 0, kind, 1)
    assert platform.resets == [(kind, 1)]


def test_reset_refusals(platform: FakePlatform) -> None:
    assert platform.ecall(SRST, 0, 3, 0)[0] == -3
    assert platform.ecall(SRST, 0, 0, 2)[0] == -3
    assert platform.ecall(SRST, 0, 0xF000_0000, 0)[0] == -2
    assert platform.ecall(SRST, 0, 1 << 32, 0)[0] == -3
    assert not platform.resets


def test_legacy_shutdown(platform: FakePlatform) -> None:
    platform.ecall(8)
    assert platform.resets == [(ResetType.SHUTDOWN, 0)]
