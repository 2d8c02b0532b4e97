"""A station of a shared network that wants everything harms only itself."""

import random
from collections import Counter

import pytest
from tests.network.frames import GATEWAY4, SYN, WORLD4, icmp4, ip, see, tcp, udp
from tests.network.outside import Net

from hospes.network.limits import Limits
from hospes.network.shares import SharedTable

VICTIM, HOG = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
VICTIM4, HOG4 = bytes((10, 0, 2, 20)), bytes((10, 0, 2, 21))
SOURCE = slice(18, 24)
STATIONS = {VICTIM: 1, HOG: 2}


@pytest.fixture
def net() -> Net:
    limits = Limits(connections=20, flows=20, echoes=20, neighbours=20)
    return Net(limits=limits, station_of=lambda mac: STATIONS.get(mac, 0))


def come_from(mac: bytes, frame: bytes) -> bytes:
    return frame[: SOURCE.start] + mac + frame[SOURCE.stop :]


def connect(net: Net, mac: bytes, address: bytes, port: int) -> bytes:
    """Ask for a connection; the flags of what comes back, 0 when nothing does."""
    net.take()
    net.send(come_from(mac, tcp((address, port), (WORLD4, 80), 1000, 0, SYN)))
    if net.host.asked and net.host.asked[-1][0].key[-4:-2] == port.to_bytes(2, "big"):
        net.nat.tcp.connected(net.host.asked[-1][0], net.now)
        net.nat.settle(net.now)
    return b"".join(bytes((see(frame).tcp[2],)) for frame in net.take() if see(frame).protocol == 6)


def alive(net: Net, station: int) -> list[int]:
    """The ports of a station's connections."""
    connections = net.nat.tcp._connections.values()
    wanted = net.nat.tcp._stations[station]
    return [int.from_bytes(one.key[-4:-2], "big") for one in connections if one.shared is wanted]


def test_who_opens_connections_without_end_closes_its_own(net: Net) -> None:
    for port in (1001, 1002):
        assert connect(net, VICTIM, VICTIM4, port) == b"\x12"
    answers = Counter(connect(net, HOG, HOG4, port) for port in range(2000, 2100))
    assert answers == {b"\x12": 18, b"\x14": 82}, "the rest is refused"
    for port in range(1003, 1011):
        assert b"\x12" in connect(net, VICTIM, VICTIM4, port)
        assert len(net.nat.tcp) == 20
    assert alive(net, 1) == list(range(1001, 1011))
    assert alive(net, 2) == list(range(2008, 2018)), "the oldest have given way"
    assert connect(net, VICTIM, VICTIM4, 1011) == b"\x14", "a fair share is reached"


def test_what_stalled_connections_hold_is_the_stations_own(net: Net) -> None:
    connect(net, VICTIM, VICTIM4, 1001)
    connect(net, HOG, HOG4, 2001)
    shares = net.nat.tcp._stations
    shares[2].received.used = shares[2].sent.used = Limits().total_bytes
    assert shares[1].received.left == shares[1].sent.left == Limits().total_bytes


def test_who_writes_from_every_port_loses_its_own_flows(net: Net) -> None:
    net.send(come_from(VICTIM, udp((VICTIM4, 5), (WORLD4, 9), b"x")))
    for port in range(1000, 1100):
        net.send(come_from(HOG, udp((HOG4, port), (WORLD4, 9), b"x")))
    assert {flow.address for flow in net.host.ended} == {HOG4}
    assert len(net.nat.udp._flows) == 20


def test_who_floods_with_echo_requests_loses_its_own(net: Net) -> None:
    request = icmp4(8, 0, b"\0\1\0\1ping")
    net.send(come_from(VICTIM, ip(VICTIM4, WORLD4, 1, request)))
    target, number, data = net.host.echoes[0]
    for _ in range(100):
        net.send(come_from(HOG, ip(HOG4, WORLD4, 1, request)))
    net.take()
    net.nat.icmp.echoed(target, number, data)
    assert see(net.take()[0]).destination == VICTIM4


def test_who_shows_every_address_is_forgotten_first(net: Net) -> None:
    net.send(come_from(VICTIM, udp((VICTIM4, 5), (GATEWAY4, 9), b"x")))
    for last in range(30, 250):
        net.send(come_from(HOG, udp((bytes((10, 0, 2, last)), 5), (GATEWAY4, 9), b"x")))
    assert net.nat.link.mac(VICTIM4) == VICTIM


def test_fragments_without_end_drive_out_nobodys_else(net: Net) -> None:
    whole = udp((VICTIM4, 5), (WORLD4, 9), bytes(40))[46:]
    first, second = whole[:24], whole[24:]
    net.send(come_from(VICTIM, ip(VICTIM4, WORLD4, 17, first, more=0x2000)))
    for number in range(500):
        somewhere = bytes((93, 184, number // 250, number % 250))
        net.send(come_from(HOG, ip(HOG4, somewhere, 17, bytes(24), more=0x2000)))
    assert net.statistics.malformed == 0
    net.send(come_from(VICTIM, ip(VICTIM4, WORLD4, 17, second, more=3)))
    assert [data for _, _, _, data in net.host.sent] == [bytes(40)]


def test_of_one_station_the_oldest_goes() -> None:
    table = SharedTable[int, str](3)
    for number in range(3):
        table.put(number, str(number), 0)
    assert table.put(0, "again", 0) is None
    assert table.put(3, "3", 0) == "1"
    assert dict(table.items()) == {2: "2", 0: "again", 3: "3"}


def test_with_one_thing_each_the_newest_stays() -> None:
    table = SharedTable[int, str](3)
    for station in range(3):
        assert table.put(station, f"of {station}", station) is None
    assert table.put(7, "of 7", 7) == "of 0"
    assert dict(table.items()) == {1: "of 1", 2: "of 2", 7: "of 7"}


@pytest.mark.parametrize("seed", range(20))
def test_nobody_loses_more_than_who_has_most(seed: int) -> None:
    choose = random.Random(seed)
    table, model = SharedTable[int, tuple[int, int]](50), dict[int, int]()
    for turn in range(3000):
        key, station = choose.randrange(400), choose.choice((0, 1, 1, 2, 2, 2, 2, 2, 2, 3))
        if choose.random() < 0.1:
            assert (table.pop(key) is None) == (model.pop(key, None) is None)
            continue
        if key in model and model[key] != station:
            continue
        model.pop(key, None)
        model[key] = station
        given = table.put(key, (station, key), station)
        if given is not None:
            owner, gone = given
            held = Counter(model.values())
            assert held[owner] == max(held.values()), turn
            assert gone == next(key for key, each in model.items() if each == owner)
            del model[gone]
        assert [key for key, _ in table.items()] == list(model)
        assert len(table) == len(model) <= 50
