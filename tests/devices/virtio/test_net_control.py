"""Commands of a network card's driver: filters, address, pairs of queues, offloads."""

import struct

import pytest
from tests.devices.virtio.net_driver import BROADCAST, MAC, MODELS, NetDriver, plain
from tests.devices.virtio.test_net_steering import ipv4

from hospes.devices.virtio.function import NEEDS_RESET
from hospes.devices.virtio.net import MRG_RXBUF
from hospes.devices.virtio.net_control import (
    CTRL_MAC_ADDR,
    CTRL_RX,
    CTRL_VLAN,
    CTRL_VQ,
    REQUEST_BYTES_MAX,
    TABLE_MAX,
)
from hospes.devices.virtio.net_frame import GUEST_CSUM, GUEST_TSO4, GUEST_TSO6
from hospes.devices.virtio.net_steering import FLOWS_MAX

OK, ERR = 0, 1
OTHER, GROUP = bytes.fromhex("0200000000ee"), bytes.fromhex("33330000000e")


@pytest.fixture(params=MODELS)
def driver(request: pytest.FixtureRequest, wire) -> NetDriver:
    return NetDriver(wire, request.param)


@pytest.fixture
def four(wire) -> NetDriver:
    return NetDriver(wire, pairs=4)


def arrives(driver: NetDriver, frame: bytes) -> bool:
    if not driver.posted[0]:
        driver.post([[2000]])
    driver.network.queue.append(frame)
    driver.slot.tick()
    return bool(driver.received())


def tables(unicast: list[bytes], multicast: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(t)) + b"".join(t) for t in (unicast, multicast))


def test_a_filter_begins_with_the_cards_own_address(driver: NetDriver) -> None:
    targets = (MAC, BROADCAST, OTHER, GROUP)
    assert [arrives(driver, plain(t)) for t in targets] == [True, True, False, False]
    assert driver.device.counts.received_dropped == 2


def test_without_control_of_it_everything_passes(wire) -> None:
    driver = NetDriver(wire, features=MRG_RXBUF)
    assert all(arrives(driver, plain(t)) for t in (MAC, BROADCAST, OTHER, GROUP))


def test_a_driver_asks_for_more(driver: NetDriver) -> None:
    for number, target in ((0, OTHER), (1, GROUP)):
        for wanted in (1, 0):
            assert driver.command(0, number, bytes((wanted,))) == OK
            assert arrives(driver, plain(target)) == bool(wanted)
    assert driver.command(1, 0, tables([OTHER], [GROUP])) == OK
    assert arrives(driver, plain(OTHER))
    assert arrives(driver, plain(GROUP))
    assert driver.command(1, 0, tables([], [])) == OK
    assert not arrives(driver, plain(OTHER))


def test_of_more_addresses_than_the_table_has_all_pass(driver: NetDriver) -> None:
    many = [bytes((2, 1, 1, 1, 0, n)) for n in range(TABLE_MAX + 1)]
    assert driver.command(1, 0, tables(many, [GROUP])) == OK
    assert arrives(driver, plain(OTHER))
    assert not arrives(driver, plain(GROUP[:5] + b"x"))
    assert driver.command(1, 0, tables(many[1:], [])) == OK
    assert not arrives(driver, plain(OTHER))
    assert arrives(driver, plain(many[1]))


def test_another_address(driver: NetDriver) -> None:
    assert driver.command(1, 1, OTHER) == OK
    assert driver.device.config()[:6] == OTHER
    assert (arrives(driver, plain(OTHER)), arrives(driver, plain(MAC))) == (True, False)
    driver.restart(MRG_RXBUF | CTRL_VQ | CTRL_RX)
    assert driver.device.config()[:6] == MAC
    assert driver.command(1, 1, OTHER) == ERR


def test_networks_with_tags(driver: NetDriver) -> None:
    tagged = plain(body=struct.pack(">HH", 0x600A, 0x88B5), kind=0x8100)
    assert not arrives(driver, tagged)
    assert driver.command(2, 0, struct.pack("<H", 10)) == OK
    assert arrives(driver, tagged)
    assert driver.command(2, 1, struct.pack("<H", 10)) == OK
    assert not arrives(driver, tagged)
    assert driver.command(0, 0, b"\1") == OK
    assert arrives(driver, tagged)
    driver.restart(driver.device.own_features & ~CTRL_VLAN)
    assert arrives(driver, tagged)
    assert driver.command(2, 0, struct.pack("<H", 10)) == ERR


def test_offloads_are_switched(driver: NetDriver) -> None:
    for wanted, accepted in ((GUEST_CSUM, 1), (0, 0), (GUEST_TSO4, 0),
                             (GUEST_CSUM | GUEST_TSO4 | GUEST_TSO6, 7)):  # fmt: skip
        assert driver.command(5, 0, struct.pack("<Q", wanted)) == OK
        assert driver.network.accepted[-1] == accepted
    assert driver.command(5, 0, struct.pack("<Q", 1 << 10)) == ERR


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"", b"\0", b"\0\2\1", b"\0\0", b"\0\0\1\1", b"\0\1", b"\1\0", b"\1\0\0\0\0\0",
        b"\1\0\xff\xff\xff\xff" + bytes(60), b"\1\1" + bytes(5), b"\1\1" + bytes(7),
        b"\2\0\1", b"\2\0\0\x10", b"\2\1\0\x10", b"\3\0", b"\4\0\1\0", b"\4\1" + bytes(40),
        b"\5\0" + bytes(7), b"\5\0" + b"\xff" * 8, b"\xff\xff", bytes(REQUEST_BYTES_MAX + 1),
    ],
    ids=lambda request: request[:8].hex(),
)  # fmt: skip
def test_wrong_commands_change_nothing(driver: NetDriver, request_bytes: bytes) -> None:
    before = repr(driver.device.settings)
    at = driver.buffer(0)
    driver.ram.write(at, request_bytes)
    driver.ram.write(at + (1 << 18), b"\xff")
    parts = [(at, len(request_bytes))] if request_bytes else []
    driver.rings[2].offer(parts, [(at + (1 << 18), 1)], False)
    driver.kick(2)
    assert driver.ram.read(at + (1 << 18), 1) == b"\1"
    assert repr(driver.device.settings) == before
    assert not driver.device.status & NEEDS_RESET


def test_a_command_without_room_for_an_answer(driver: NetDriver) -> None:
    driver.rings[2].offer([(driver.buffer(0), 3)], [], False)
    with pytest.raises(Exception, match="without room for its answer"):
        driver.kick(2)
    assert driver.device.status & NEEDS_RESET


def test_the_control_queue_is_behind_the_pairs_that_were_agreed_on(four: NetDriver) -> None:
    assert four.device._control_queue == 8
    four.restart(four.device.own_features & ~(1 << 22))
    assert four.device._control_queue == 2
    assert four.command(0, 0, b"\1") == OK
    assert four.command(4, 0, b"\2\0") == ERR


def test_pairs_of_queues(four: NetDriver) -> None:
    for number in (0, 5, 0xFFFF):
        assert four.command(4, 0, struct.pack("<H", number)) == ERR
    for queue in (0, 2, 4, 6):
        four.post([[2000]] * 20, queue)
    four.network.queue = [retarget(ipv4(2, 1, (80, port))) for port in range(16)]
    four.slot.tick()
    assert len(four.received(0)) == 16
    assert four.command(4, 0, b"\4\0") == OK
    four.network.queue = [retarget(ipv4(2, 1, (80, port))) for port in range(16)]
    four.slot.tick()
    counts = [len(four.received(queue)) for queue in (0, 2, 4, 6)]
    assert sum(counts) == 16
    assert all(counts)


def retarget(frame: bytes) -> bytes:
    return frame[:12] + MAC + frame[18:]


def test_answers_come_where_the_guest_sends_from(four: NetDriver) -> None:
    assert four.command(4, 0, b"\4\0") == OK
    for queue in (0, 2, 4, 6):
        four.post([[2000]] * 4, queue)
    for pair in (3, 1, 2):
        four.send(ipv4(1, 2, (4000, 80)), queue=2 * pair + 1)
        four.network.queue = [retarget(ipv4(2, 1, (80, 4000)))]
        four.slot.tick()
        assert [len(four.received(queue)) for queue in (2 * pair, 0)] == [1, 0]
    assert four.command(4, 0, b"\1\0") == OK
    four.network.queue = [retarget(ipv4(2, 1, (80, 4000)))]
    four.slot.tick()
    assert len(four.received(0)) == 1


def test_flows_are_bounded(four: NetDriver) -> None:
    assert four.command(4, 0, b"\4\0") == OK
    for n in range(FLOWS_MAX + 10):
        four.send(ipv4(1, n, (4000, 80)))
    assert len(four.device.steering.flows) == FLOWS_MAX


def test_a_pair_without_buffers_is_waited_for_until_it_is_gone(four: NetDriver) -> None:
    assert four.command(4, 0, b"\4\0") == OK
    four.post([[2000]] * 4)
    four.send(ipv4(1, 2, (4000, 80)), queue=5)
    four.network.queue = [retarget(ipv4(2, 1, (80, 4000)))] * 2
    four.slot.tick()
    assert (four.received(0), four.slot.due_in_ns()) == ([], None)
    assert four.command(4, 0, b"\1\0") == OK
    assert len(four.received(0)) == 2


def test_features_bring_commands(wire) -> None:
    driver = NetDriver(wire, features=CTRL_VQ | CTRL_MAC_ADDR)
    assert driver.command(0, 0, b"\0") == ERR
    assert driver.command(1, 0, tables([], [])) == ERR
    assert driver.command(1, 1, OTHER) == OK
    assert driver.command(5, 0, bytes(8)) == ERR
