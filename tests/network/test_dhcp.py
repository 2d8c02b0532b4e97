"""The DHCP server, as clients of several kinds talk to it."""

import random
import struct

import pytest
from tests.network.frames import DNS4, GATEWAY4, GUEST4, GUEST_MAC, see, udp
from tests.network.outside import Net

from hospes.base.errors import GuestError
from hospes.network import dhcp, leases
from hospes.network.plan import Plan

NOBODY, EVERYBODY = bytes(4), b"\xff" * 4


def message(
    kind: int,
    *,
    mac: bytes = GUEST_MAC,
    client: bytes = NOBODY,
    flags: int = 0,
    options: dict[int, bytes] | None = None,
) -> bytes:
    head = struct.pack(">BBBBIHH", 1, 1, 6, 0, 0xABCD, 0, flags) + client + bytes(12)
    head += mac + bytes(10) + bytes(192) + bytes((99, 130, 83, 99))
    said = {53: bytes((kind,)), **(options or {})}
    return head + b"".join(bytes((c, len(v))) + v for c, v in said.items()) + b"\xff"


def talk(net: Net, data: bytes, source: bytes = NOBODY, to: bytes = EVERYBODY) -> dict | None:
    net.send(udp((source, 68), (to, 67), data))
    frames = net.take()
    if not frames:
        return None
    (frame,) = frames
    seen = see(frame)
    assert seen.valid
    assert seen.ports == (67, 68)
    answer = seen.udp_data
    assert len(answer) >= 300
    assert answer[:4] == bytes((2, 1, 6, 0))
    assert answer[4:8] == bytes.fromhex("0000abcd")
    options = dhcp.parse_options(answer[240:])
    return {"to": seen.destination, "mac": seen.destination_mac, "yours": answer[16:20], **options}


def test_an_address_is_offered_and_given() -> None:
    net = Net()
    offer = talk(net, message(dhcp.DISCOVER))
    assert offer is not None
    assert (offer[53], offer["yours"], offer["to"]) == (b"\x02", GUEST4, GUEST4)
    assert offer["mac"] == GUEST_MAC
    assert (offer[1], offer[3], offer[6]) == (b"\xff\xff\xff\0", GATEWAY4, DNS4)
    assert (offer[12], offer[26], offer[54]) == (b"guest", b"\x05\xdc", GATEWAY4)
    wanted = {50: GUEST4, 54: GATEWAY4}
    ack = talk(net, message(dhcp.REQUEST, options=wanted, flags=0x8000))
    assert ack is not None
    assert (ack[53], ack["yours"], ack["to"], ack["mac"]) == (
        b"\x05", GUEST4, EVERYBODY, b"\xff" * 6,
    )  # fmt: skip
    assert int.from_bytes(ack[51], "big") == dhcp.LEASE_SECONDS


def test_renewing_and_informing_go_to_the_client() -> None:
    net = Net()
    talk(net, message(dhcp.DISCOVER))
    ack = talk(net, message(dhcp.REQUEST, client=GUEST4), GUEST4, GATEWAY4)
    assert ack is not None
    assert (ack[53], ack["to"]) == (b"\x05", GUEST4)
    ack = talk(net, message(dhcp.INFORM, client=GUEST4), GUEST4, GATEWAY4)
    assert ack is not None
    assert (ack[53], ack["yours"], 51 in ack) == (b"\x05", NOBODY, False)


def test_what_cannot_be_had_is_refused() -> None:
    net = Net()
    nak = talk(net, message(dhcp.REQUEST, options={50: bytes((192, 168, 1, 7))}))
    assert nak is not None
    assert (nak[53], nak["to"], 1 in nak) == (b"\x06", EVERYBODY, False)
    assert talk(net, message(dhcp.REQUEST, options={50: GUEST4, 54: b"\1\2\3\4"})) is None


def test_other_stations_get_other_addresses() -> None:
    net = Net()
    given = {}
    for number in range(80):
        offer = talk(net, message(dhcp.DISCOVER, mac=bytes((2, 0, 0, 0, 0, number))))
        given[number] = None if offer is None else offer["yours"]
    assert given[0] == GUEST4
    held = [each for each in given.values() if each is not None]
    assert len(set(held)) == len(held) == leases.STRANGERS_MAX
    talk(net, message(dhcp.RELEASE, mac=bytes((2, 0, 0, 0, 0, 3))), given[3], GATEWAY4)
    offer = talk(net, message(dhcp.DISCOVER, mac=bytes((2, 0, 0, 0, 0, 200))))
    assert offer is not None
    assert offer["yours"] == given[3]


def test_malformed_messages() -> None:
    server, chance = dhcp.DhcpServer(Plan()), random.Random(5)
    whole = message(dhcp.REQUEST, options={50: GUEST4, 12: b"name"})
    for length in range(len(whole) - 1):
        try:
            server.answer(whole[:length])
        except GuestError:
            continue
    for _ in range(3000):
        damaged = bytearray(whole)
        for _ in range(3):
            damaged[chance.randrange(len(whole))] = chance.randrange(256)
        try:
            server.answer(bytes(damaged))
        except GuestError:
            continue
    with pytest.raises(GuestError):
        server.answer(message(dhcp.REQUEST)[:239])
