"""ARP for IPv4 over Ethernet (RFC 826): who has an address."""

import struct
from typing import Final, NamedTuple

from hospes.base.errors import GuestError
from hospes.network import ethernet
from hospes.network.ethernet import NETWORK_AT

REQUEST, REPLY = 1, 2
_PACKET: Final = struct.Struct(">HHBBH6s4s6s4s")
_FIXED: Final = (1, 0x0800, 6, 4)


class Arp(NamedTuple):
    """Operation, and who (MAC and IPv4 address) asks or tells whom."""

    operation: int
    sender_mac: bytes
    sender: bytes
    target_mac: bytes
    target: bytes


def parse(frame: bytes) -> Arp:
    """What a frame of type ARP says; GuestError when it is not about IPv4 over Ethernet."""
    if len(frame) < NETWORK_AT + _PACKET.size:
        raise GuestError("an ARP packet is cut off")
    *fixed, operation, sender_mac, sender, target_mac, target = _PACKET.unpack_from(
        frame, NETWORK_AT
    )
    if tuple(fixed) != _FIXED:
        raise GuestError(f"an ARP packet about {fixed}")
    return Arp(operation, sender_mac, sender, target_mac, target)


def build(destination: bytes, arp: Arp) -> bytes:
    """A frame from the sender to a MAC address."""
    packet = _PACKET.pack(*_FIXED, *arp)
    return ethernet.frame(destination, arp.sender_mac, ethernet.ARP, packet)


def request(mac: bytes, address: bytes, target: bytes) -> bytes:
    """A frame that asks everybody for the MAC address of target."""
    return build(ethernet.BROADCAST, Arp(REQUEST, mac, address, bytes(6), target))


def reply(asked: Arp, mac: bytes) -> bytes:
    """The answer that the address asked for has this MAC address."""
    answer = Arp(REPLY, mac, asked.target, asked.sender_mac, asked.sender)
    return build(asked.sender_mac, answer)
