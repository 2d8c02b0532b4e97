"""IPv4 and IPv6 headers, and fragments both ways."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.network.frames import GATEWAY4, GATEWAY6, GUEST4, GUEST6, PLAIN, ip, see

from hospes.base.errors import GuestError
from hospes.network import ipv4, ipv6
from hospes.network.fragments import (
    AGE_MAX_NS,
    DATAGRAMS_MAX,
    HELD_BYTES_MAX,
    Reassembly,
    joined,
)
from hospes.network.packet import IpPacket

AT = 26
ETHERNET4, ETHERNET6 = bytes(12) + b"\x08\x00", bytes(12) + b"\x86\xdd"


def test_what_a_packet_says() -> None:
    packet = ipv4.parse(ip(GUEST4, GATEWAY4, 17, b"data") + b"padding", AT)
    assert (packet.source, packet.destination, packet.protocol) == (GUEST4, GATEWAY4, 17)
    assert (bytes(packet.payload), packet.is_ipv4) == (b"data", True)
    packet = ipv6.parse(ip(GUEST6, GATEWAY6, 17, b"data") + b"padding", AT)
    assert (packet.source, packet.destination, packet.protocol) == (GUEST6, GATEWAY6, 17)
    assert (bytes(packet.payload), packet.is_ipv4) == (b"data", False)
    assert packet.quoted(42) == ip(GUEST6, GATEWAY6, 17, b"da")[AT:][:4] + b"\0\x04\x11\xff" + (
        GUEST6 + GATEWAY6 + b"da"
    )


@pytest.mark.parametrize("version", [4, 6])
def test_every_truncation_and_many_damages(version: int) -> None:
    pair = (GUEST4, GATEWAY4) if version == 4 else (GUEST6, GATEWAY6)
    parse = ipv4.parse if version == 4 else ipv6.parse
    frame = ip(*pair, 6, b"0123456789")
    for length in range(len(frame)):
        with pytest.raises(GuestError):
            parse(frame[:length], AT)
    chance = random.Random(version)
    for _ in range(2000):
        damaged = bytearray(frame)
        damaged[chance.randrange(AT, len(frame))] = chance.randrange(256)
        try:
            packet = parse(bytes(damaged), AT)
        except GuestError:
            continue
        assert AT < packet.start <= packet.end <= len(damaged)


def test_extension_headers_are_passed() -> None:
    extension = bytes((43, 1)) + bytes(14) + bytes((17, 0)) + bytes(6)
    packet = ipv6.parse(ip(GUEST6, GATEWAY6, 0, extension + b"data"), AT)
    assert (packet.protocol, bytes(packet.payload)) == (17, b"data")
    for wrong in (bytes((60, 0)) + bytes(6), bytes((43, 255)) + bytes(14), b"\0" * 8 * 9, b""):
        with pytest.raises(GuestError):
            ipv6.parse(ip(GUEST6, GATEWAY6, 0, wrong), AT)


def pieces(version: int, data: bytes, identification: int = 5, mtu: int = 1500) -> list[IpPacket]:
    if version == 4:
        built = ipv4.packets(GUEST4, GATEWAY4, 17, data, mtu, identification)
        return [ipv4.parse(PLAIN + ETHERNET4 + each, AT) for each in built]
    built = ipv6.packets(GUEST6, GATEWAY6, 17, data, mtu, identification)
    return [ipv6.parse(PLAIN + ETHERNET6 + each, AT) for each in built]


@pytest.mark.parametrize("version", [4, 6])
@given(size=st.integers(0, 20000), chance=st.randoms(use_true_random=False))
def test_fragments_come_together_in_any_order(
    version: int, size: int, chance: random.Random
) -> None:
    data = chance.randbytes(size)
    parts = pieces(version, data)
    assert all(part.end - AT <= 1500 for part in parts)
    doubled = parts + [chance.choice(parts) for _ in range(3)] if len(parts) > 1 else parts
    chance.shuffle(doubled)
    reassembly = Reassembly()
    whole = [done for part in doubled if (done := reassembly.add(part, 0)) is not None]
    assert bytes(joined(whole[0]).payload) == data
    assert (whole[0][0].source, whole[0][0].protocol) == (parts[0].source, 17)


def test_fragments_are_seen_by_others_as_such() -> None:
    for each in ipv4.packets(GUEST4, GATEWAY4, 17, bytes(4000), 1500, 9):
        assert see(PLAIN + ETHERNET4 + each).valid


def test_fragments_are_bounded() -> None:
    reassembly = Reassembly()
    for number in range(1000):
        assert reassembly.add(pieces(4, bytes(3000), number)[0], number) is None
    assert len(reassembly._partial) == DATAGRAMS_MAX
    first, last = pieces(4, bytes(2000))
    reassembly.add(first, 0)
    assert reassembly.add(last, AGE_MAX_NS + 1) is None
    assert first.fragment is not None
    too_far = first._replace(fragment=first.fragment._replace(offset=65528))
    with pytest.raises(GuestError):
        reassembly.add(too_far, 0)
    assert last.fragment is not None
    overlapping = last._replace(fragment=last.fragment._replace(offset=8))
    reassembly = Reassembly()
    reassembly.add(first, 0)
    with pytest.raises(GuestError):
        reassembly.add(overlapping, 0)
    assert reassembly.held == 0


def test_fragments_hold_no_more_than_so_much_of_frames() -> None:
    reassembly = Reassembly()
    for number in range(40):
        first = pieces(4, bytes(3000), number)[0]
        padded = first._replace(frame=first.frame + bytes(1 << 20))
        assert reassembly.add(padded, 0) is None
        assert reassembly.held <= HELD_BYTES_MAX
    assert len(reassembly._partial) == 7
