"""What the protocols ask of the host, as a Protocol that the edge with the sockets satisfies."""

from typing import Protocol

from hospes.network.published import Publication
from hospes.network.tcp import Connection
from hospes.network.udp_flow import Peer, UdpFlow


class Outside(Protocol):
    """Nothing here waits; what comes of it arrives as calls of Nat's methods, perhaps at once."""

    def is_own(self, address: bytes, /) -> bool:
        """Whether a packed address is one of the host's own."""
        ...

    def connect(self, connection: Connection, target: bytes, port: int, /) -> None:
        """Begin a connection: Nat.connected or Nat.refused follows."""
        ...

    def serve(self, connection: Connection, /) -> None:
        """Write what is pending, end the input if that is due, and see what to wait for next.

        A CLOSED connection's socket is closed.
        """
        ...

    def send(self, flow: UdpFlow, target: bytes, port: int, data: bytes, /) -> None:
        """Send a datagram from the flow's own socket; answers arrive as Nat.answered."""
        ...

    def end(self, flow: UdpFlow, /) -> None:
        """The flow is over: close its socket."""
        ...

    def answer(self, publication: Publication, client: Peer, data: bytes, /) -> None:
        """Send the guest's datagram to a client of a published port."""
        ...

    def echo(self, target: bytes, number: int, data: bytes, /) -> None:
        """Send an echo request; its reply arrives as Nat.echoed under the same number."""
        ...
