"""Random bytes on request."""

import pytest

from hospes.base.errors import GuestError
from hospes.devices.virtio.entropy import REQUEST_BYTES_MAX, VirtioEntropy
from hospes.devices.virtio.mmio import VirtioMmio

WRITE = 2


class Source:
    def read(self, count: int) -> bytes:
        return bytes(number % 256 for number in range(count))


@pytest.fixture
def driver(wire, ram, make_driver):
    driver = make_driver(VirtioMmio(wire, VirtioEntropy(ram, Source())))
    driver.start(queues=1)
    return driver


def test_requests_are_filled(driver, wire) -> None:
    driver.describe(0, 0, driver.buffer(0), 64, WRITE)
    driver.describe(0, 1, driver.buffer(1), 1 << 30, WRITE)
    driver.offer(0, 0, notify=False)
    driver.offer(0, 1)
    assert driver.used(0) == [(0, 64), (1, REQUEST_BYTES_MAX)]
    assert driver.ram.read(driver.buffer(0), 64) == bytes(range(64))
    assert wire.level


def test_a_request_with_nothing_to_fill(driver) -> None:
    driver.describe(0, 0, driver.buffer(0), 64)
    with pytest.raises(GuestError, match="nothing to fill"):
        driver.offer(0, 0)
