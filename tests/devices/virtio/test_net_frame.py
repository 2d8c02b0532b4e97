"""Headers of frames, believed or not, and the flows that frames belong to."""

import struct

import pytest
from tests.devices.virtio.net_driver import MAC, PEER

from hospes.devices.virtio.net_frame import (
    CSUM,
    FRAME_BYTES_MAX,
    GUEST_CSUM,
    GUEST_TSO4,
    GUEST_TSO6,
    HOST_TSO4,
    HOST_TSO6,
    any_pair,
    flow_of_received,
    flow_of_sent,
    is_agreed,
    is_sound,
)

ALL = CSUM | HOST_TSO4 | HOST_TSO6
SIZE = 2000
FIELDS = ("flags", "gso_type", "hdr_len", "gso_size", "csum_start", "csum_offset", "num_buffers")
CUT = {"flags": 1, "gso_type": 1, "hdr_len": 54, "gso_size": 1000, "csum_start": 34,
       "csum_offset": 16}  # fmt: skip


def framed(size: int = SIZE, **fields: int) -> bytes:
    """A frame of so many bytes behind a header with these fields."""
    return struct.pack("<BBHHHHH", *(fields.get(name, 0) for name in FIELDS)) + bytes(size)


@pytest.mark.parametrize(
    ("fields", "features", "sound"),
    [
        ({}, 0, True),
        ({"num_buffers": 7}, 0, True),
        ({"hdr_len": 60_000}, 0, True),
        ({"flags": 1, "csum_start": 34, "csum_offset": 6}, CSUM, True),
        ({"flags": 1, "csum_start": 34, "csum_offset": 6}, 0, False),
        ({"flags": 1, "csum_start": 13, "csum_offset": 6}, CSUM, False),
        ({"flags": 1, "csum_start": SIZE - 8, "csum_offset": 6}, CSUM, True),
        ({"flags": 1, "csum_start": SIZE - 7, "csum_offset": 6}, CSUM, False),
        ({"flags": 1, "csum_start": 34, "csum_offset": 0xFFFF}, CSUM, False),
        ({"flags": 1, "csum_start": 0xFFFF, "csum_offset": 0xFFFF}, CSUM, False),
        (CUT, ALL, True),
        (CUT, CSUM | HOST_TSO6, False),
        (CUT, HOST_TSO4, False),
        ({**CUT, "gso_type": 4}, ALL, True),
        ({**CUT, "gso_type": 4}, CSUM | HOST_TSO4, False),
        ({**CUT, "gso_type": 0x81}, ALL, False),
        ({**CUT, "gso_type": 3}, ALL, False),
        ({**CUT, "gso_type": 5}, ALL, False),
        ({**CUT, "flags": 0}, ALL, False),
        ({**CUT, "gso_size": 0}, ALL, False),
        ({**CUT, "hdr_len": 0}, ALL, True),
        ({**CUT, "hdr_len": SIZE}, ALL, True),
        ({**CUT, "hdr_len": SIZE + 1}, ALL, False),
        ({**CUT, "csum_offset": 6}, ALL, False),
        ({**CUT, "csum_start": SIZE - 20}, ALL, True),
        ({**CUT, "csum_start": SIZE - 19}, ALL, False),
    ],
)
def test_what_is_believed(fields: dict[str, int], features: int, sound: bool) -> None:
    assert is_sound(framed(**fields), features, FRAME_BYTES_MAX) is sound


def test_only_what_is_to_be_cut_may_be_longer_than_the_mtu() -> None:
    checked = {"flags": 1, "csum_start": 34, "csum_offset": 6}
    for fields, sound in (({}, False), (checked, False), (CUT, True)):
        assert is_sound(framed(**fields), ALL, SIZE + 11) is sound
        assert is_sound(framed(**fields), ALL, SIZE + 12)
        assert is_agreed(framed(**fields), GUEST_CSUM | GUEST_TSO4, SIZE + 11) is sound


@pytest.mark.parametrize(
    ("fields", "offloads", "agreed"),
    [
        ({}, 0, True),
        ({"flags": 1}, 0, False),
        ({"flags": 2}, 0, False),
        ({"flags": 2}, GUEST_CSUM, True),
        (CUT, GUEST_CSUM, False),
        (CUT, GUEST_CSUM | GUEST_TSO4, True),
        ({**CUT, "gso_type": 4}, GUEST_CSUM | GUEST_TSO4, False),
        ({**CUT, "gso_type": 4}, GUEST_CSUM | GUEST_TSO6, True),
        ({**CUT, "gso_type": 0x81}, GUEST_CSUM | GUEST_TSO4, False),
        ({**CUT, "gso_type": 3}, GUEST_CSUM | GUEST_TSO4, False),
    ],
)
def test_what_a_driver_gets(fields: dict[str, int], offloads: int, agreed: bool) -> None:
    assert is_agreed(framed(**fields), offloads, FRAME_BYTES_MAX) is agreed


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
    assert {any_pair(bytes((n,)), 4) for n in range(64)} == {0, 1, 2, 3}
