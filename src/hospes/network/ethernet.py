"""Ethernet II frames behind the virtio header: addresses, types and how one is put together."""

from typing import Final

from hospes.network.vnet import PLAIN, VNET_BYTES

MAC_BYTES: Final = 6
ETHERNET_BYTES: Final = 14
NETWORK_AT: Final = VNET_BYTES + ETHERNET_BYTES
"""Where the network header begins in a frame."""
DESTINATION: Final = slice(VNET_BYTES, VNET_BYTES + 6)
SOURCE: Final = slice(VNET_BYTES + 6, VNET_BYTES + 12)
TYPE: Final = slice(VNET_BYTES + 12, VNET_BYTES + 14)
IPV4: Final = b"\x08\x00"
ARP: Final = b"\x08\x06"
IPV6: Final = b"\x86\xdd"
BROADCAST: Final = b"\xff" * 6


def frame(destination: bytes, source: bytes, kind: bytes, *content: bytes) -> bytes:
    """A frame with complete checksums, from MAC addresses, a type and its content."""
    return b"".join((PLAIN, destination, source, kind, *content))


def is_unicast(mac: bytes) -> bool:
    """Whether the address is that of one station."""
    return not mac[0] & 1 and any(mac)


def format_mac(mac: bytes) -> str:
    """As in 52:54:00:12:34:56."""
    return mac.hex(":")
