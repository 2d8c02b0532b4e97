"""The flows that frames belong to, and the pairs of queues they are given."""

import struct

import pytest
from tests.devices.virtio.net_driver import MAC, PEER

from hospes.devices.virtio.net_steering import Steering, flow_of_received, flow_of_sent


def ipv4(source: int, target: int, ports: tuple[int, int], protocol: int = 6, first: int = 0x45,
         fragment: int = 0) -> bytes:  # fmt: skip
    head = struct.pack(">BBHHHBBHII", first, 0, 60, 0, fragment, 64, protocol, 0, source, target)
    return bytes(12) + MAC + PEER + b"\x08\0" + head + struct.pack(">HH", *ports) + bytes(16)


def ipv6(source: int, target: int, ports: tuple[int, int], following: int = 17) -> bytes:
    head = struct.pack(">IHBB", 6 << 28, 20, following, 64)
    addresses = source.to_bytes(16, "big") + target.to_bytes(16, "big")
    ethernet = MAC + PEER + b"\x86\xdd"
    return bytes(12) + ethernet + head + addresses + struct.pack(">HH", *ports) + bytes(16)


@pytest.mark.parametrize("make", [ipv4, ipv6])
def test_both_directions_of_a_flow_have_one_key(make) -> None:
    key = flow_of_sent(make(1, 2, (80, 4000)))
    assert flow_of_received(make(2, 1, (4000, 80))) == key
    others = [make(1, 2, (80, 4001)), make(1, 3, (80, 4000)), make(2, 1, (4000, 80))]
    assert key not in map(flow_of_sent, others)


def test_parts_of_a_packet_stay_together() -> None:
    frames = [ipv4(1, 2, (5, 6), 17, fragment=n) for n in (0x2000, 0x2001, 0x0100)]
    frames += [ipv4(1, 2, (7, 8), 17, first=0x46), ipv4(1, 2, (7, 8), protocol=1)]
    assert len(set(map(flow_of_sent, frames))) == 1
    assert flow_of_received(ipv4(2, 1, (6, 5), 17, fragment=0x2000)) == flow_of_sent(frames[0])


def test_what_has_no_flow() -> None:
    arp = bytes(12) + MAC + PEER + b"\x08\x06" + bytes(46)
    for frame in (arp, ipv6(1, 2, (5, 6), following=58), bytes(26)):
        assert flow_of_sent(frame) == flow_of_received(frame) == b""
    for whole in (ipv4(1, 2, (3, 4)), ipv6(1, 2, (5, 6))):
        for size in range(26, len(whole)):
            flow_of_received(whole[:size])


def test_a_flow_that_the_guest_has_sent_nothing_of_has_one_pair() -> None:
    steering = Steering()
    frames = [ipv4(2, n, (80, 80)) for n in range(64)]
    pairs = [steering.pair_for(frame, 4) for frame in frames]
    assert set(pairs) == {0, 1, 2, 3}
    assert [steering.pair_for(frame, 4) for frame in frames] == pairs
