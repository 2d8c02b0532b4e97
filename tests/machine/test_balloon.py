"""What a machine says when it is asked about its balloon."""


import pytest
from tests.machine.bare import MEMORY, bare_machine

from hospes.base.clock import ManualClock
from hospes.base.errors import HospesError
from hospes.devices.virtio.balloon import VirtioBalloon
from hospes.machine.balloon import Inquiry, MemoryStatistics, leave
from hospes.memory.space import Memory


@pytest.fixture
def device():
    memory = Memory(MEMORY)
    yield VirtioBalloon(memory, ManualClock(wall_ns=7))
    memory.close()


def test_the_balloon_is_what_the_guest_is_not_left(device: VirtioBalloon) -> None:
    leave(device, MEMORY, 3 << 20)
    assert device.target_pages == (MEMORY - (3 << 20)) >> 12
    leave(device, MEMORY, MEMORY)
    assert device.target_pages == 0


@pytest.mark.parametrize("target", [0, -4096, 4097, MEMORY + 4096])
def test_targets_that_cannot_be(device: VirtioBalloon, target: int) -> None:
    with pytest.raises(HospesError, match="cannot be left"):
        leave(device, MEMORY, target)


def test_statistics_have_names(device: VirtioBalloon) -> None:
    inquiry = Inquiry()
    inquiry.begin(device)
    device.statistics, device.statistics_wall_ns = {4: 11, 7: 12, 99: 13}, 7
    device.actual_pages = 2
    device._answer()
    assert inquiry.result(1) == MemoryStatistics(
        wall_ns=7, balloon_bytes=8192, free_bytes=11, cached_bytes=12
    )


def test_a_guest_that_does_not_answer(device: VirtioBalloon) -> None:
    inquiry = Inquiry()
    inquiry.begin(device)
    with pytest.raises(HospesError, match="balloon driver"):
        inquiry.result(0.01)


def test_a_machine_without_one() -> None:
    with bare_machine("spin: j spin") as machine:
        for call in (lambda: machine.balloon(4096), machine.memory_statistics):
            with pytest.raises(HospesError, match="balloon=True"):
                call()
