"""Memory moves between a stock Linux and the host: balloon, free pages, statistics."""

import time
from collections.abc import Callable, Iterator

import pytest

from hospes import Machine
from hospes.guests.store import Image
from hospes.machine.balloon import MemoryStatistics

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]

SECONDS = 120.0
MEBIBYTE = 1 << 20
MEMORY = 384 * MEBIBYTE
FILE = 120 * MEBIBYTE
LEFT = 140 * MEBIBYTE
DRIVER = "until [ -d /sys/bus/virtio/drivers/virtio_balloon ]; do sleep 0.1; done"
SETTLED_SECONDS = 3
"""Linux reports free pages every two seconds (mm/page_reporting.c); meanwhile they are not free."""
PART = 8 * MEBIBYTE
FILL = f"""
    for n in $(seq {FILE // PART}); do cat /tmp/part; done >/tmp/file
    tail -c {PART} /tmp/file | cmp - /tmp/part"""


@pytest.fixture(scope="module")
def vm(tiny: Image) -> Iterator[Machine]:
    with Machine("tiny", memory=MEMORY, balloon=True) as machine:
        machine.run(DRIVER, SECONDS, check=True)
        machine.run(f"head -c {PART} /dev/urandom >/tmp/part", SECONDS, check=True)
        yield machine


def resident_bytes(vm: Machine) -> int:
    """How much of the guest's memory the host has frames for."""
    frames = vm.core._powered.memory.frames.address
    with open("/proc/self/smaps") as lines:
        for line in lines:
            if line.startswith(f"{frames:x}-"):
                break
        size = next(line for line in lines if line.startswith("Rss:"))
    return int(size.split()[1]) << 10


def until(true: Callable[[], bool], seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.1)


def test_free_memory_goes_back_and_comes_again(vm: Machine) -> None:
    for _ in range(2):
        vm.run(FILL, SECONDS, check=True)
        full = resident_bytes(vm)
        assert full > FILE
        vm.run("rm /tmp/file", SECONDS, check=True)
        until(lambda full=full: resident_bytes(vm) < full - FILE * 3 // 4)


def settled(vm: Machine) -> MemoryStatistics:
    """What a guest says when it has given back what its boot took."""
    before, seconds = vm.memory_statistics(), 0
    while seconds < SETTLED_SECONDS:
        time.sleep(1)
        after = vm.memory_statistics()
        assert before.free_bytes is not None
        assert after.free_bytes is not None
        seconds = seconds + 1 if abs(after.free_bytes - before.free_bytes) < MEBIBYTE else 0
        before = after
    return before


def test_statistics(vm: Machine) -> None:
    before = settled(vm)
    assert abs(before.wall_ns - time.time_ns()) < 10**10
    assert before.balloon_bytes == 0
    assert before.total_bytes is not None
    assert before.free_bytes is not None
    assert MEMORY * 8 // 10 < before.total_bytes < MEMORY
    vm.run(f"head -c {50 * MEBIBYTE} /dev/zero >/tmp/file", SECONDS, check=True)
    after = vm.memory_statistics()
    assert after.free_bytes is not None
    assert after.wall_ns > before.wall_ns
    assert before.free_bytes - after.free_bytes > 45 * MEBIBYTE
    vm.run("rm /tmp/file", SECONDS, check=True)


def test_the_balloon(vm: Machine) -> None:
    vm.run(FILL, SECONDS, check=True)
    vm.run("rm /tmp/file", SECONDS, check=True)
    vm.balloon(LEFT)
    until(lambda: vm.memory_statistics().balloon_bytes == MEMORY - LEFT)
    assert resident_bytes(vm) < LEFT
    free = vm.memory_statistics().free_bytes
    assert free is not None
    assert free < LEFT
    vm.balloon(MEMORY)
    until(lambda: vm.memory_statistics().balloon_bytes == 0)
    vm.run(FILL, SECONDS, check=True)
    vm.run("rm /tmp/file", SECONDS, check=True)


def test_a_guest_in_need_takes_memory_from_the_balloon(vm: Machine) -> None:
    """Out of memory, Linux deflates it rather than kill (VIRTIO_BALLOON_F_DEFLATE_ON_OOM)."""
    vm.balloon(LEFT)
    until(lambda: vm.memory_statistics().balloon_bytes == MEMORY - LEFT)
    vm.run(FILL, SECONDS, check=True)
    assert vm.memory_statistics().balloon_bytes < MEMORY - LEFT
    vm.balloon(MEMORY)
    vm.run("rm /tmp/file", SECONDS, check=True)
