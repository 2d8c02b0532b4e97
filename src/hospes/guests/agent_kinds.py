"""The agents that an image's guest may have, as its manifest names them."""

from typing import Final

OWN: Final = "hospes"
"""The agent described in `agent.py`."""
QEMU: Final = "qemu"
"""The qemu-guest-agent, by `qga.py`."""
