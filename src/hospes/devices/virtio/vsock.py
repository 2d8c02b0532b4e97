"""Virtio socket device (virtio 1.2, section 5.10): connections between guest and host by port."""

import struct
from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.backends import DeviceMemory, SocketBackend
from hospes.devices.virtio.function import VirtioFunction
from hospes.devices.virtio.queue import Chain
from hospes.devices.virtio.vsock_packet import HEADER, SEQPACKET, STREAM, Packet
from hospes.devices.virtio.vsock_table import ALLOWANCE_MAX, Connections

RECEIVE, TRANSMIT, EVENT = 0, 1, 2
F_STREAM, F_SEQPACKET = 1, 2
TRANSPORT_RESET: Final = struct.pack("<I", 0)
CID_MIN, CID_MAX = 3, 0xFFFF_FFFE
STEP_PACKETS: Final = 256
STEP_BYTES: Final = 1 << 20
"""How much one step moves in one direction; the rest follows at the next tick."""


class VirtioVsock(VirtioFunction):
    """AF_VSOCK in Linux, with the address `cid`.

    Connections are with processes of the host and so no part of the state: a machine that was
    restored tells its driver that they are gone (5.10.6.7).
    """

    device_id, queue_count = 19, 3

    busy: bool                # the driver has sent more
    starved: bool             # the driver has no buffer for what there is
    forgetful: bool           # the driver is to be told that its connections are gone
    dropped: int              # packets without a header, or with another guest's address

    def __init__(
        self, memory: DeviceMemory, backend: SocketBackend, cid: int, *, packed: bool = True
    ) -> None:
        if not CID_MIN <= cid <= CID_MAX:
            raise ValueError(f"a guest cannot have the address {cid}")
        self._backend, self._cid = backend, cid
        self._connections = Connections(backend, cid)
        self.dropped = 0
        super().__init__(memory, packed=packed)
        self.own_features = F_STREAM | F_SEQPACKET

    def reset(self) -> None:
        """All connections are over."""
        super().reset()
        self._connections.drop()
        self.busy = self.starved = self.forgetful = False
        self._known = self.queues

    def forget(self, index: int) -> None:
        """What was known of a queue holds no longer."""
        if index == TRANSMIT:
            self.busy = False
        elif index == RECEIVE:
            self.starved = False

    def config(self) -> bytes:
        """guest_cid."""
        return struct.pack("<Q", self._cid)

    def serve(self, index: int) -> None:
        """Packets of the driver's, or buffers for those for it."""
        if index == TRANSMIT:
            self._take()
        elif index == RECEIVE:
            self.starved = False
        self._give()
        self._tell()

    def tick(self) -> None:
        """What hosts have sent or have room for, and those who call."""
        if self.queues is not self._known:
            self._restored()
        if self._backend.waiting:
            self._look()
        if not self.running:
            return
        if self.busy and not self._connections.full:
            self._take()
        if self._connections.pending and not self.starved:
            self._give()
        if self.forgetful:
            self._tell()

    def due_in_ns(self) -> int | None:
        """At once if there is something to move."""
        if self._backend.waiting:
            return 0
        connections = self._connections
        gives = connections.pending and not self.starved
        takes = self.busy and not connections.full
        return 0 if self.running and (gives or takes) else None

    def close(self) -> None:
        """The power goes: hosts are hung up on."""
        self._connections.drop()

    def _restored(self) -> None:
        """The state is that of a machine whose connections are not ours."""
        self._known = self.queues
        self._connections.drop()
        self.starved = False
        self.forgetful = self.running

    def _look(self) -> None:
        """A guest without a driver takes no calls."""
        for end in self._backend.changed():
            self._connections.changed(end)
        for call in self._backend.calls():
            if self.running:
                self._connections.call(call)
            else:
                call.end.close()

    def _take(self) -> None:
        """Packets from the driver, unless answers have to wait for buffers already."""
        queue, left = self.queue(TRANSMIT), STEP_BYTES
        done: list[tuple[Chain, int]] = []
        self.busy = True
        while len(done) < STEP_PACKETS and left > 0 and not self._connections.full:
            chain = queue.peek()
            if chain is None:
                self.busy = False
                queue.listen()
                break
            queue.advance()
            done.append((chain, 0))
            left -= chain.readable_bytes
            self._take_packet(chain)
        self._complete(TRANSMIT, done)

    def _take_packet(self, chain: Chain) -> None:
        size = chain.readable_bytes - HEADER.size
        whole = 0 <= size <= ALLOWANCE_MAX
        data = self.queue(TRANSMIT).gather(
            chain, 0, chain.readable_bytes if whole else HEADER.size
        )
        if size < 0 or Packet.unpack(data).src_cid != self._cid:
            self.dropped += 1
            return
        packet = Packet.unpack(data)
        payload = None
        if whole and packet.length <= size:
            payload = data[HEADER.size : HEADER.size + packet.length]
        kinds = (STREAM, SEQPACKET) if self.driver_features & F_SEQPACKET else (STREAM,)
        self._connections.take(packet, payload, kinds)

    def _give(self) -> None:
        """Packets for the driver while it has buffers, within the bounds of a step."""
        queue, left = self.queue(RECEIVE), STEP_BYTES
        done: list[tuple[Chain, int]] = []
        while self._connections.pending and len(done) < STEP_PACKETS and left > 0:
            chain = queue.peek()
            if chain is None:
                self.starved = True
                queue.listen()
                break
            if chain.writable_bytes <= HEADER.size:
                raise GuestError(f"a buffer of {chain.writable_bytes} bytes for packets")
            packet = self._connections.next_packet(chain.writable_bytes - HEADER.size)
            if packet is None:
                break
            queue.advance()
            done.append((chain, queue.scatter(chain, packet)))
            left -= len(packet)
        self._complete(RECEIVE, done)

    def _complete(self, index: int, done: list[tuple[Chain, int]]) -> None:
        queue = self.queue(index)
        if done:
            queue.complete_all(done)
            if queue.wants_interrupt():
                self.interrupt_queue(index)

    def _tell(self) -> None:
        """Tell the driver that connections are gone, once it has a buffer for that."""
        if not self.forgetful:
            return
        queue = self.queue(EVENT)
        chain = queue.peek()
        if chain is None:
            queue.listen()
            return
        if chain.writable_bytes < len(TRANSPORT_RESET):
            raise GuestError(f"a buffer of {chain.writable_bytes} bytes for events")
        queue.advance()
        self._complete(EVENT, [(chain, queue.scatter(chain, TRANSPORT_RESET))])
        self.forgetful = False
