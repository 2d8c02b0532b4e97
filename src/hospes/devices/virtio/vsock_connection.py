"""One connection between a guest's socket and the host (virtio 1.2, section 5.10.6)."""

from enum import Enum, auto
from typing import Final, NamedTuple

from hospes.devices.backends import SocketEnd
from hospes.devices.virtio.vsock_output import MessageOutput, Output, StreamOutput
from hospes.devices.virtio.vsock_packet import (
    COUNT_MASK,
    EOM,
    HEADER,
    HOST_CID,
    SEQPACKET,
    STREAM,
    Operation,
    Packet,
    Shutdown,
)

PAYLOAD_MAX: Final = 64 * 1024
"""As much as Linux puts into a packet."""
MESSAGE_MAX: Final = 128 * 1024
"""Of the host's; a Unix socket takes half as much again by default."""


class Phase(Enum):
    """Where in its life a connection is."""

    CALLING = auto()      # the guest has not answered the host's call yet
    OPEN = auto()
    OVER = auto()         # nothing is said to the guest of it any more


class Key(NamedTuple):
    """What tells a guest's connections apart."""

    host_port: int
    guest_port: int
    kind: int


class Connection:
    """Both directions and their credit; packets of the guest's go in, those for it come out.

    `allowance` is how many bytes the guest may have under way. A guest that breaks the rules is
    told so by False from `take`: the connection is to be reset. What goes on with a connection that
    is over is the delivery of what the guest has sent before, if it ended in order.
    """

    def __init__(self, cid: int, key: Key, end: SocketEnd, allowance: int) -> None:
        self.key, self.end, self.allowance = key, end, allowance
        self.phase = Phase.OPEN
        self._cid = cid
        self._output: Output = (
            MessageOutput(end) if key.kind == SEQPACKET else StreamOutput(end)
        )
        self._owed: set[Operation] = set()
        self._received = self._forwarded = self._told = 0
        self._sent = self._peer_alloc = self._peer_forwarded = 0
        self._asked = False       # for credit, since the guest last spoke of it
        self._guest_sends = self._guest_takes = True
        self._refused = Shutdown(0)         # what the guest was told that we do not do any more
        self._message = b""

    @property
    def draining(self) -> bool:
        """Whether the host has still to take what the guest has sent."""
        return self._output.waiting

    def call(self) -> None:
        """The host calls the guest."""
        self.phase = Phase.CALLING
        self._owed.add(Operation.REQUEST)

    def answer(self, packet: Packet) -> None:
        """The host has taken the guest's call."""
        self._learn_credit(packet)
        self._owed.add(Operation.RESPONSE)

    def take(self, packet: Packet, payload: bytes) -> bool:
        """What the guest says; False if it must not say that now."""
        self._learn_credit(packet)
        operation = packet.operation
        if operation == Operation.RESPONSE and self.phase is Phase.CALLING:
            self.phase = Phase.OPEN
            self.end.connected(self.key.host_port)
            return True
        if self.phase is not Phase.OPEN:
            return False
        if operation == Operation.RW:
            return self._take_data(payload, bool(packet.flags & EOM))
        if operation == Operation.SHUTDOWN:
            self._take_shutdown(Shutdown(packet.flags & 3))
        elif operation == Operation.CREDIT_REQUEST:
            self._owed.add(Operation.CREDIT_UPDATE)
        return operation in (
            Operation.SHUTDOWN, Operation.CREDIT_REQUEST, Operation.CREDIT_UPDATE
        )  # fmt: skip

    @property
    def ended(self) -> bool:
        """Whether the guest neither sends nor takes any more, which is answered by RST."""
        return not self._guest_sends and not self._guest_takes

    @property
    def promised(self) -> bool:
        """Whether all that the guest wanted to send has come."""
        return not self._guest_sends

    def flush(self) -> None:
        """Pass on what the host takes now of what the guest has sent."""
        self._forward(self._output.flush())

    def next_packet(self, room: int) -> bytes | None:
        """The next one for the guest, with at most room bytes of payload; None if there is none."""
        if self._owed:
            return self._control(min(self._owed))
        if self.phase is not Phase.OPEN or not self._guest_takes:
            return None
        if self._refused & Shutdown.SEND:
            return None
        credit = self._peer_alloc - ((self._sent - self._peer_forwarded) & COUNT_MASK)
        if credit <= 0:
            return self._ask()
        room = min(room, credit, PAYLOAD_MAX)
        if self.key.kind == STREAM:
            return self._data(self.end.take(room))
        return self._piece(room)

    def _ask(self) -> bytes | None:
        """Ask for credit, once: a driver tells of it by itself, or has to be asked."""
        if self._asked:
            return None
        self._asked = True
        return self._packet(Operation.CREDIT_REQUEST)

    def _data(self, data: bytes | None, flags: int = 0) -> bytes | None:
        if data is None:
            return None
        if not data:
            both = Shutdown.RECEIVE | Shutdown.SEND if self.end.hung_up else Shutdown.SEND
            return self._refuse(both)
        self._sent = (self._sent + len(data)) & COUNT_MASK
        return self._packet(Operation.RW, flags, len(data)) + data

    def _piece(self, room: int) -> bytes | None:
        """The next piece of a message; one is not begun that the guest has no room for."""
        if not self._message:
            message = self.end.take(MESSAGE_MAX)
            if not message:
                return self._data(message)
            if len(message) > self._peer_alloc:
                return self._refuse(Shutdown.RECEIVE | Shutdown.SEND)
            self._message = message
        piece, self._message = self._message[:room], self._message[room:]
        return self._data(piece, 0 if self._message else EOM)

    def _refuse(self, what: Shutdown) -> bytes:
        """Tell the guest what we do not do any more."""
        self._refused |= what
        return self._packet(Operation.SHUTDOWN, self._refused)

    def _control(self, operation: Operation) -> bytes:
        self._owed.discard(operation)
        return self._packet(operation, self._refused if operation is Operation.SHUTDOWN else 0)

    def _packet(self, operation: Operation, flags: int = 0, length: int = 0) -> bytes:
        """A header; each one tells the guest how much it may send (5.10.6.3)."""
        self._told = self._forwarded
        self._owed.discard(Operation.CREDIT_UPDATE)
        return HEADER.pack(
            HOST_CID, self._cid, self.key.host_port, self.key.guest_port, length, self.key.kind,
            operation, flags, self.allowance, self._forwarded,
        )  # fmt: skip

    def _learn_credit(self, packet: Packet) -> None:
        if (packet.buf_alloc, packet.fwd_cnt) != (self._peer_alloc, self._peer_forwarded):
            self._peer_alloc, self._peer_forwarded = packet.buf_alloc, packet.fwd_cnt
            self._asked = False

    def _take_data(self, payload: bytes, ends: bool) -> bool:
        under_way = (self._received - self._forwarded) & COUNT_MASK
        if not self._guest_sends or len(payload) > self.allowance - under_way:
            return False
        self._received = (self._received + len(payload)) & COUNT_MASK
        self._forward(self._output.add(payload, ends))
        return True

    def _forward(self, count: int) -> None:
        """So many bytes are off our hands: the guest may send more, and is told in time."""
        self._forwarded = (self._forwarded + count) & COUNT_MASK
        untold = (self._forwarded - self._told) & COUNT_MASK
        if self._guest_sends and 2 * untold >= self.allowance:
            self._owed.add(Operation.CREDIT_UPDATE)
        if self._output.gone and not self._refused & Shutdown.RECEIVE and self._guest_sends:
            self._refused |= Shutdown.RECEIVE
            self._owed.add(Operation.SHUTDOWN)
        if not self._guest_sends and not self._output.waiting:
            self.end.end_output()

    def _take_shutdown(self, what: Shutdown) -> None:
        if what & Shutdown.RECEIVE and self._guest_takes:
            self._guest_takes = False
            self.end.end_input()
        if what & Shutdown.SEND and self._guest_sends:
            self._guest_sends = False
            self._forward(0)
