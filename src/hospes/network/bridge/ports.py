"""The devices by which guests are in a bridge: what they are called, and what has passed them."""

from typing import Final

from hospes.network.statistics import Passed
from hospes.network.tap import DEVICES

PREFIX: Final = "hp"


def port_of(mac: bytes) -> str:
    """What the device of the card with this address is called."""
    return PREFIX + mac.hex()


def passed(mac: bytes) -> Passed:
    """What has passed a card's device: what the host has received there, the guest has sent."""
    names = ("rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "tx_dropped")
    statistics = DEVICES / port_of(mac) / "statistics"
    try:
        return Passed(*(int((statistics / name).read_text()) for name in names))
    except (OSError, ValueError):
        return Passed()
