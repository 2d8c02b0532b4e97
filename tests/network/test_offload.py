"""Checksums completed and super-segments cut up, judged by a parser of the tests' own."""

import random

import pytest
from tests.network.frames import FIN, GATEWAY4, GATEWAY6, GUEST4, GUEST6, PSH, SYN, see

from hospes.base.errors import GuestError
from hospes.network.offload import complete, deliverable, segments
from hospes.network.tcp_segment import Wire, build_options
from hospes.network.vnet import GSO_TCPV4, NEEDS_CSUM, PLAIN, Offloads, VnetHeader

MACS = bytes(range(12))
WIRES = {
    4: Wire(MACS, GATEWAY4, GUEST4, (80, 4000)),
    6: Wire(MACS, GATEWAY6, GUEST6, (80, 4000)),
}
ALL = Offloads.CSUM | Offloads.TSO4 | Offloads.TSO6


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("size", [0, 1, 1459, 1460, 1461, 2920, 64000])
def test_a_super_segment_becomes_segments(version: int, size: int) -> None:
    data = random.Random(size).randbytes(size)
    whole = WIRES[version].frame(0xFFFF_FF00, 7, 0x10 | PSH | FIN, 99, data=data, mss=1460)
    assert see(whole).valid
    assert see(complete(whole)).valid
    pieces = deliverable(whole, 0)
    seen = [see(piece) for piece in pieces]
    assert all(each.valid for each in seen)
    assert b"".join(each.tcp[4] for each in seen) == data
    assert max(len(each.tcp[4]) for each in seen) <= 1460
    at = 0
    for each in seen:
        sequence, _, flags, _, part = each.tcp
        assert sequence == (0xFFFF_FF00 + at) & 0xFFFF_FFFF
        at += len(part)
        assert flags & (FIN | PSH) == ((FIN | PSH) if each is seen[-1] else 0)
        assert each.gso_size == 0


@pytest.mark.parametrize("version", [4, 6])
def test_what_the_driver_takes_stays_whole(version: int) -> None:
    whole = WIRES[version].frame(1, 2, 0x10, 3, data=bytes(5000), mss=1400)
    assert deliverable(whole, ALL) == [whole]
    other = Offloads.CSUM | (Offloads.TSO6 if version == 4 else Offloads.TSO4)
    assert len(deliverable(whole, other)) == 4
    small = WIRES[version].frame(1, 2, SYN, 3, options=build_options(1460, 7))
    assert deliverable(small, Offloads.CSUM) == [small]
    (done,) = deliverable(small, 0)
    assert VnetHeader.parse(done).flags == 0
    assert see(done).valid


def test_a_header_that_lies_is_refused() -> None:
    whole = WIRES[4].frame(1, 2, 0x10, 3, data=bytes(5000), mss=1400)
    header = VnetHeader.parse(whole)
    for wrong in (
        header._replace(gso_size=0),
        header._replace(csum_start=0),
        header._replace(csum_start=60000),
        header._replace(flags=0),
        header._replace(gso_type=3),
    ):
        with pytest.raises(GuestError):
            segments(wrong.pack() + whole[12:])
    with pytest.raises(GuestError):
        complete(VnetHeader(NEEDS_CSUM, csum_start=5000, csum_offset=9000).pack() + whole[12:])
    with pytest.raises(GuestError):
        VnetHeader.parse(PLAIN[:11])
    assert complete(PLAIN + bytes(20)) == PLAIN + bytes(20)
    assert header.gso_type == GSO_TCPV4
