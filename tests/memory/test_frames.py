"""Host memory for RAM: zeroed, guarded on both sides, refused in a sentence."""

import ctypes
import subprocess
import sys

import pytest

from hospes.base.errors import HospesError
from hospes.memory.frames import Frames

TOUCH = """
import ctypes
from hospes.memory.frames import Frames
frames = Frames(1 << 16)
ctypes.c_uint8.from_address(frames.address + {offset}).value = 1
print("alive")
"""


def touch(offset: int) -> subprocess.CompletedProcess[str]:
    """Store a byte there, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", TOUCH.format(offset=offset)],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("offset", [0, (1 << 16) - 1])
def test_the_ends_are_memory(offset: int) -> None:
    assert touch(offset).stdout == "alive\n"


@pytest.mark.parametrize("offset", [-1, -4096, 1 << 16, (1 << 16) + 4095])
def test_beyond_the_ends_is_a_guard_page(offset: int) -> None:
    ended = touch(offset)
    assert ended.returncode < 0
    assert not ended.stdout


def test_view_and_address_are_the_same_memory() -> None:
    frames = Frames(8192)
    assert bytes(frames.view) == bytes(8192)
    frames.view[4096] = 7
    assert ctypes.c_uint8.from_address(frames.address + 4096).value == 7
    frames.close()


def test_more_than_the_host_has_is_refused() -> None:
    with pytest.raises(HospesError, match=r"MiB of memory .* give the machine less"):
        Frames(1 << 62)


def test_a_view_that_is_still_out_keeps_the_memory() -> None:
    frames = Frames(4096)
    held = frames.view[:16]
    with pytest.raises(BufferError):
        frames.close()
    assert bytes(held) == bytes(16)
