"""The ports of a guest's multi-port console, by the names the guest finds them under."""

from typing import Final

AGENT_PORT: Final = "org.qemu.guest_agent.0"
STREAM_PORTS: Final = tuple(f"org.hospes.stream.{number}" for number in range(24))
PORT_NAMES: Final = (AGENT_PORT, *STREAM_PORTS)
