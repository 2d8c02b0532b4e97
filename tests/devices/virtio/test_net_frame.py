"""Headers of frames, believed or not."""

import struct

import pytest

from hospes.devices.virtio.net_frame import (
    CSUM,
    FRAME_BYTES_MAX,
    GUEST_CSUM,
    GUEST_TSO4,
    GUEST_TSO6,
    HOST_TSO4,
    HOST_TSO6,
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
