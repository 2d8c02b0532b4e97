"""A machine's network card and what it is plugged into: opened once, rung, closed at the end."""

from pathlib import Path

import pytest
from tests.devices.virtio.net_driver import Network
from tests.machine.bare import executable

from hospes.base.errors import HospesError
from hospes.firmware.image import BootFiles
from hospes.machine.machine import Machine
from hospes.spec.disk import DiskSpec
from hospes.spec.net import NetworkKind, NetworkSpec, parse_publication
from hospes.spec.vm import EngineKind, VmSpec

RESET = "li t0, TEST\nli t1, RESET\nsw t1, (t0)\nj ."
WAIT = "wfi\nj ."


class Cable(Network):
    """A network that can be closed, and what it was opened with."""

    def __init__(self, spec: NetworkSpec, ring) -> None:
        super().__init__()
        self.spec, self.ring, self.closed = spec, ring, 0

    def close(self) -> None:
        self.closed += 1


class Opened(list):
    """Opens cables and remembers them."""

    def open(self, spec: NetworkSpec, ring, remark) -> Cable:
        self.append(Cable(spec, ring))
        return self[-1]


@pytest.fixture
def opened() -> Opened:
    return Opened()


def make(source: str, opened: Opened, **values) -> Machine:
    network = NetworkSpec(NetworkKind.NAT, **values)
    spec = VmSpec(bios=Path("test.elf"), memory_bytes=8 << 20, engine=EngineKind.REFERENCE,
                  network=network, cpus=2)  # fmt: skip
    files = BootFiles(firmware=executable(source, 0x8000_0000))
    return Machine(spec, files, open_network=opened.open)


def test_a_machine_has_a_card_and_closes_its_network(opened: Opened) -> None:
    with make(WAIT, opened, mac="02:00:00:00:00:07") as machine:
        [cable] = opened
        assert cable.spec is machine.spec.network
        card = machine._powered.board.network
        assert card.config()[:10] == bytes.fromhex("020000000007" "0100" "0200")
        assert list(machine._powered.board.functions) == ["entropy", "agent", "network"]
        assert not cable.closed
    assert cable.closed == 1


def test_without_an_address_it_has_one_of_its_own(opened: Opened) -> None:
    addresses = set()
    for _ in range(2):
        with make(WAIT, opened) as machine:
            address = machine._powered.board.network.config()[:6]
            assert address[0] & 3 == 2
            addresses.add(address)
    assert len(addresses) == 2


def test_it_is_the_same_over_a_reset(opened: Opened) -> None:
    with make(RESET, opened) as machine:
        first = machine._powered.board.network.config()
        machine.start()
        while machine.restarts < 2:
            assert machine.ending is None

        def config() -> bytes:
            return machine._powered.board.network.config()

        assert machine._call(config) == first
    assert len(opened) == 1
    assert opened[0].closed == 1


def test_a_ring_rouses_a_machine_that_sleeps(opened: Opened) -> None:
    with make(WAIT, opened) as machine:
        machine.start()
        machine.registers()
        card = machine._powered.board.network
        opened[0].link_up = False
        opened[0].ring()
        while card.link_up:
            assert machine.ending is None


def test_a_network_that_cannot_be_had(opened: Opened) -> None:
    def refuse(spec: NetworkSpec, ring, remark) -> Cable:
        raise HospesError("port 80 is taken; choose another")

    opened.open = refuse
    with pytest.raises(HospesError, match="port 80 is taken"):
        make(WAIT, opened)


def test_a_machine_that_cannot_be_built_closes_it(opened: Opened) -> None:
    with pytest.raises(HospesError):
        make(".zero 9000000\nnop", opened)
    assert opened[0].closed == 1


def test_a_machine_without_a_network_opens_none(opened: Opened) -> None:
    spec = VmSpec(bios=Path("test.elf"), memory_bytes=8 << 20, engine=EngineKind.REFERENCE,
                  disks=(DiskSpec(size_bytes=512),))  # fmt: skip
    files = BootFiles(firmware=executable(WAIT, 0x8000_0000))
    with Machine(spec, files, open_network=opened.open) as machine:
        assert machine._powered.board.network is None
    assert opened == []


def test_ports_are_published_only_where_there_is_a_network_for_it(opened: Opened) -> None:
    with make(WAIT, opened) as machine, pytest.raises(HospesError, match="start one with"):
        machine.network.publish(parse_publication("8080:80"))
