"""What a driver sets through a network card's control queue (virtio 1.2, section 5.1.6.5)."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from hospes.devices.virtio.net_frame import (
    FRAME_BYTES_MIN,
    GUEST_CSUM,
    GUEST_TSO4,
    GUEST_TSO6,
    TARGET,
    TYPE,
)

CTRL_GUEST_OFFLOADS, CTRL_VQ, CTRL_RX, CTRL_VLAN = 1 << 2, 1 << 17, 1 << 18, 1 << 19
MQ, CTRL_MAC_ADDR = 1 << 22, 1 << 23
GUEST_OFFLOADS: Final = GUEST_CSUM | GUEST_TSO4 | GUEST_TSO6

OK, ERR = b"\0", b"\1"
REQUEST_BYTES_MAX: Final = 64 << 10
TABLE_MAX: Final = 64
"""Addresses of a kind that are told apart; if there are more, all pass, as may be (5.1.6.5.2)."""
VLANS: Final = 1 << 12
MAC_BYTES: Final = 6
VLAN: Final = b"\x81\x00"
BROADCAST: Final = b"\xff" * MAC_BYTES
_TAG: Final = slice(FRAME_BYTES_MIN, FRAME_BYTES_MIN + 2)
_GROUP: Final = 1

Table = set[bytes] | None


@dataclass(frozen=True)
class Terms:
    """What was agreed on with the driver, and how many pairs of queues there are."""

    features: int
    pairs: int


@dataclass
class NetSettings:
    """A card's settings: a part of its snapshot.

    `mac` is its own address. `unicast` and `multicast` are those the driver wants besides, None
    being all; `vlans` the networks it wants tagged frames of. `offloads` are those of
    GUEST_OFFLOADS in use, none without checksums.
    """

    mac: bytes
    pairs: int = 1
    offloads: int = 0
    promiscuous: bool = False
    all_multicast: bool = False
    unicast: Table = field(default_factory=set)
    multicast: Table = field(default_factory=set)
    vlans: set[int] | None = None

    def start(self, features: int) -> None:
        """A driver starts with these features: without control of a filter everything passes it."""
        self.offloads = effective(features & GUEST_OFFLOADS)
        self.promiscuous = not features & CTRL_RX
        self.vlans = set() if features & CTRL_VLAN else None

    def passes(self, frame: bytes) -> bool:
        """Whether the driver wants a frame (of FRAME_BYTES_MIN at least)."""
        if self.promiscuous:
            return True
        if self.vlans is not None and frame[TYPE] == VLAN:
            number = int.from_bytes(frame[_TAG], "big") % VLANS
            if number not in self.vlans:
                return False
        target = frame[TARGET]
        if target == self.mac:
            return True
        if not target[0] & _GROUP:
            return self.unicast is None or target in self.unicast
        if target == BROADCAST or self.all_multicast:
            return True
        return self.multicast is None or target in self.multicast

    def obey(self, request: bytes, terms: Terms) -> bool:
        """Carry a command out: class, number, data; whether that could be done."""
        needed, action = _COMMANDS.get(request[:2], (0, None))
        if action is None or not terms.features & needed:
            return False
        return action(self, request[2:], terms)


def effective(offloads: int) -> int:
    """Of GUEST_OFFLOADS, those that mean something: segments have partial checksums."""
    return offloads if offloads & GUEST_CSUM else 0


def _set_promiscuous(settings: NetSettings, data: bytes, terms: Terms) -> bool:
    if len(data) != 1:
        return False
    settings.promiscuous = bool(data[0])
    return True


def _set_all_multicast(settings: NetSettings, data: bytes, terms: Terms) -> bool:
    if len(data) != 1:
        return False
    settings.all_multicast = bool(data[0])
    return True


def _set_tables(settings: NetSettings, data: bytes, terms: Terms) -> bool:
    """Two tables, each behind the number of its entries: unicast, multicast."""
    tables: list[Table] = []
    for _ in range(2):
        if len(data) < 4:
            return False
        count = int.from_bytes(data[:4], "little")
        end = 4 + MAC_BYTES * count
        if len(data) < end:
            return False
        places = range(4, end, MAC_BYTES)
        tables.append({data[at : at + MAC_BYTES] for at in places} if count <= TABLE_MAX else None)
        data = data[end:]
    settings.unicast, settings.multicast = tables
    return True


def _set_address(settings: NetSettings, data: bytes, terms: Terms) -> bool:
    if len(data) != MAC_BYTES:
        return False
    settings.mac = data
    return True


def _add_vlan(settings: NetSettings, data: bytes, terms: Terms) -> bool:
    return _change_vlans(settings.vlans, data, set.add)


def _remove_vlan(settings: NetSettings, data: bytes, terms: Terms) -> bool:
    return _change_vlans(settings.vlans, data, set.discard)


def _change_vlans(
    vlans: set[int] | None, data: bytes, change: Callable[[set[int], int], None]
) -> bool:
    number = _number(data, "<H")
    if vlans is None or number is None or number >= VLANS:
        return False
    change(vlans, number)
    return True


def _set_pairs(settings: NetSettings, data: bytes, terms: Terms) -> bool:
    number = _number(data, "<H")
    if number is None or not 1 <= number <= terms.pairs:
        return False
    settings.pairs = number
    return True


def _set_offloads(settings: NetSettings, data: bytes, terms: Terms) -> bool:
    wanted = _number(data, "<Q")
    if wanted is None or wanted & ~(terms.features & GUEST_OFFLOADS):
        return False
    settings.offloads = effective(wanted)
    return True


def _number(data: bytes, layout: str) -> int | None:
    """The one number that data should be."""
    if len(data) != struct.calcsize(layout):
        return None
    number: int = struct.unpack(layout, data)[0]
    return number


Action = Callable[[NetSettings, bytes, Terms], bool]
_COMMANDS: Final[MappingProxyType[bytes, tuple[int, Action]]] = MappingProxyType(
    {
        bytes((0, 0)): (CTRL_RX, _set_promiscuous),
        bytes((0, 1)): (CTRL_RX, _set_all_multicast),
        bytes((1, 0)): (CTRL_RX, _set_tables),
        bytes((1, 1)): (CTRL_MAC_ADDR, _set_address),
        bytes((2, 0)): (CTRL_VLAN, _add_vlan),
        bytes((2, 1)): (CTRL_VLAN, _remove_vlan),
        bytes((4, 0)): (MQ, _set_pairs),
        bytes((5, 0)): (CTRL_GUEST_OFFLOADS, _set_offloads),
    }
)
"""By class and number (5.1.6.5): the feature that brings a command, and what it does."""
