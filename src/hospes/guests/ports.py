"""The ports of a guest's multi-port console, as those who speak through them see them."""

import socket
from collections.abc import Sequence
from typing import Final, Protocol

PORTS_DIRECTORY: Final = "/dev/virtio-ports"


class GuestPorts(Protocol):
    """Where the ports of one machine are opened, in this process or through its worker's socket."""

    def open_port(self, name: str) -> socket.socket:
        """The host's end of a port as a stream; PortBusy while somebody else holds it.

        Closing or shutting down the sending side makes the guest read the end of the file; the
        guest's closing makes this end read it. Nothing is lost, and either side can wait for the
        other.
        """
        ...

    def stream_names(self) -> Sequence[str]:
        """The ports that are free for anybody's use, such as the streams of a command."""
        ...
