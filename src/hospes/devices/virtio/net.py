"""Virtio network card (virtio 1.2, section 5.1): frames between a driver's queues and a network."""

import struct
from dataclasses import dataclass
from typing import Final

from hospes.base.errors import GuestError
from hospes.devices.backends import Delaying, DeviceMemory, NetworkBackend, Offload
from hospes.devices.virtio.function import DRIVER_OK, VirtioFunction
from hospes.devices.virtio.net_control import (
    CTRL_GUEST_OFFLOADS,
    CTRL_MAC_ADDR,
    CTRL_RX,
    CTRL_VLAN,
    CTRL_VQ,
    ERR,
    MAC_BYTES,
    MQ,
    OK,
    REQUEST_BYTES_MAX,
    NetSettings,
    Terms,
)
from hospes.devices.virtio.net_frame import (
    CSUM,
    FRAME_BYTES_MAX,
    FRAME_BYTES_MIN,
    GUEST_CSUM,
    GUEST_TSO4,
    GUEST_TSO6,
    HEADER,
    HOST_TSO4,
    HOST_TSO6,
    LINK_BYTES,
    is_agreed,
    is_sound,
)
from hospes.devices.virtio.net_receive import Placing, place
from hospes.devices.virtio.net_steering import Steering
from hospes.devices.virtio.queue import Chain

MTU, MAC, MRG_RXBUF, STATUS = 1 << 3, 1 << 5, 1 << 15, 1 << 16
LINK_UP: Final = 1
STEP_FRAMES: Final = 256
STEP_BYTES: Final = 1 << 20
"""How much one step moves in one direction; the rest follows at the next tick."""
FETCHED_MAX: Final = 16
"""Frames taken from the network at a time, which wait here if there are no buffers for them."""
MTU_MIN, MTU_MAX = 68, 65535
_OFFLOADS: Final = (
    (GUEST_CSUM, Offload.CHECKSUM),
    (GUEST_TSO4, Offload.TSO4),
    (GUEST_TSO6, Offload.TSO6),
)
_CONFIG: Final = struct.Struct("<6sHHH")


@dataclass
class NetCounts:
    """What has gone through a card since it was made; bytes are those of Ethernet frames.

    Dropped are frames from the guest with a wrong header or while the link was down, and frames
    for it that it did not ask for or has no buffer long enough for.
    """

    sent_frames: int = 0
    sent_bytes: int = 0
    sent_dropped: int = 0
    received_frames: int = 0
    received_bytes: int = 0
    received_dropped: int = 0


class VirtioNet(VirtioFunction):
    """eth0 in Linux, with `pairs` of queues and the address `mac`; `mtu` is told if it is given.

    Frames for the guest stay in the back end until there are buffers: FETCHED_MAX of them are here
    at most.
    """

    device_id = 1

    settings: NetSettings
    counts: NetCounts
    link_up: bool             # as the driver was told
    busy: set[int]            # queues with more to send
    starved: int              # the queue that has no buffer for held[0]; -1 for none
    held: list[bytes]         # taken from the back end
    steering: Steering

    def __init__(
        self,
        memory: DeviceMemory,
        network: NetworkBackend,
        mac: bytes,
        *,
        pairs: int = 1,
        mtu: int | None = None,
        packed: bool = True,
    ) -> None:
        if len(mac) != MAC_BYTES or not MTU_MIN <= (mtu or MTU_MAX) <= MTU_MAX:
            raise ValueError(f"a network card cannot have address {mac.hex()} and MTU {mtu}")
        self._network, self._mac = network, mac
        self._delaying = network if isinstance(network, Delaying) else None
        self._pairs, self._mtu = pairs, mtu
        self._told: int | None = None
        self.counts = NetCounts()
        self.link_up = network.link_up
        super().__init__(memory, queue_count=2 * pairs + 1, packed=packed)
        self.own_features = MAC | STATUS | MTU * (mtu is not None)
        self.own_features |= CSUM | GUEST_CSUM | HOST_TSO4 | HOST_TSO6 | GUEST_TSO4 | GUEST_TSO6
        self.own_features |= MRG_RXBUF | CTRL_VQ | CTRL_RX | CTRL_VLAN | CTRL_MAC_ADDR
        self.own_features |= CTRL_GUEST_OFFLOADS | MQ * (pairs > 1)

    def plug(self, network: NetworkBackend) -> None:
        """Have the cable in another place from here on; frames that are held still arrive."""
        self._network, self._told = network, None
        self._delaying = network if isinstance(network, Delaying) else None

    def reset(self) -> None:
        """Settings are gone, and frames that waited for buffers; counts stay."""
        super().reset()
        self.settings = NetSettings(self._mac)
        self.busy, self.starved = set(), -1
        self.held, self.steering = [], Steering()

    def forget(self, index: int) -> None:
        """What was known of a queue holds no longer."""
        self.busy.discard(index)
        self.starved = -1

    def config(self) -> bytes:
        """mac, status, max_virtqueue_pairs, mtu (5.1.4)."""
        return _CONFIG.pack(
            self.settings.mac, LINK_UP * self.link_up, self._pairs, self._mtu or 0
        )

    def write_status(self, value: int) -> None:
        """When the driver starts, its features become settings."""
        if value & ~self.status & DRIVER_OK:
            self.settings.start(self.driver_features)
            self._agree()
        super().write_status(value)

    def serve(self, index: int) -> None:
        """Frames to send, buffers to receive in, or commands."""
        if index == self._control_queue:
            self._obey()
        elif index % 2:
            self._send(index)
        else:
            self.starved = -1
        if self._can_receive():
            self._receive()

    def tick(self) -> None:
        """The link's state, what was too much for one step, and frames that have come."""
        self._follow_link()
        if self._delaying is not None:
            self._delaying.tick()
        if not self.running:
            return
        self._agree()
        for index in sorted(self.busy):
            self._send(index)
        if self._can_receive():
            self._receive()

    def due_in_ns(self) -> int | None:
        """At once if there is something to send or to receive."""
        if self.link_up != self._network.link_up:
            return 0
        if self.running and (self.busy or self._can_receive()):
            return 0
        return None if self._delaying is None else self._delaying.due_in_ns()

    @property
    def _control_queue(self) -> int:
        """Behind all pairs that the driver knows of (5.1.2); odd numbers send, so -1 is none."""
        if not self.driver_features & CTRL_VQ:
            return -1
        return 2 * self._pairs if self.driver_features & MQ else 2

    @property
    def _plain_bytes_max(self) -> int:
        """How long a frame may be that is not to be cut into segments."""
        told = self._mtu if self.driver_features & MTU else None
        return FRAME_BYTES_MAX if told is None else LINK_BYTES + told

    def _follow_link(self) -> None:
        """Tell the driver of a change (5.1.4.2)."""
        up = self._network.link_up
        if up != self.link_up:
            self.link_up = up
            self.config_generation = (self.config_generation + 1) & 0xFFFF_FFFF
            if self.running and self.driver_features & STATUS:
                self.interrupt_config()

    def _agree(self) -> None:
        """Tell the back end what the driver takes; also after a restore."""
        if self._told != self.settings.offloads:
            self._told = self.settings.offloads
            self._network.accept(sum(bit for feature, bit in _OFFLOADS if self._told & feature))

    def _send(self, index: int) -> None:
        """Pass frames on, at most STEP_FRAMES or about STEP_BYTES of them."""
        queue, frames, done = self.queue(index), [], []
        left = STEP_BYTES
        self.busy.add(index)
        for _ in range(STEP_FRAMES):
            chain = queue.peek() if left > 0 else None
            if chain is None:
                break
            queue.advance()
            done.append((chain, 0))
            left -= chain.readable_bytes
            frame = self._taken(chain, index)
            if frame is not None:
                frames.append(frame)
        if done:
            queue.complete_all(done)
        if frames:
            self._network.send(frames)
        if left > 0 and len(done) < STEP_FRAMES:
            self.busy.discard(index)
            queue.listen()
        if queue.wants_interrupt():
            self.interrupt_queue(index)

    def _taken(self, chain: Chain, index: int) -> bytes | None:
        """The frame in a request, unless something is wrong with it."""
        counts = self.counts
        if self.link_up and FRAME_BYTES_MIN <= chain.readable_bytes <= FRAME_BYTES_MAX:
            frame = b"".join(self._memory.windows(chain.readable))
            if is_sound(frame, self.driver_features, self._plain_bytes_max):
                counts.sent_frames += 1
                counts.sent_bytes += len(frame) - HEADER.size
                if self.settings.pairs > 1:
                    self.steering.learn(frame, index // 2)
                return frame
        counts.sent_dropped += 1
        return None

    def _can_receive(self) -> bool:
        ready = self.running and self.link_up and self.starved < 0
        return ready and bool(self.held or self._network.waiting)

    def _receive(self) -> None:
        """Give frames to the driver while it has buffers, within the bounds of a step."""
        mergeable = bool(self.driver_features & MRG_RXBUF)
        counts, left = self.counts, STEP_BYTES
        filled: set[int] = set()
        for _ in range(STEP_FRAMES):
            if left <= 0 or not self._fetch():
                break
            frame = self.held[0]
            outcome = Placing.TOO_LONG
            if self._wants(frame):
                pairs = self.settings.pairs
                index = 2 * self.steering.pair_for(frame, pairs) if pairs > 1 else 0
                outcome = place(self.queue(index), self._memory, frame, mergeable)
                if outcome is Placing.WAITS:
                    self.starved = index
                    break
                filled.add(index)
            del self.held[0]
            left -= len(frame)
            if outcome is Placing.DONE:
                counts.received_frames += 1
                counts.received_bytes += len(frame) - HEADER.size
            else:
                counts.received_dropped += 1
        for index in sorted(filled):
            if self.queue(index).wants_interrupt():
                self.interrupt_queue(index)

    def _fetch(self) -> bool:
        """Have frames here; False if there are none."""
        if not self.held:
            self.held = self._network.receive(FETCHED_MAX)
        return bool(self.held)

    def _wants(self, frame: bytes) -> bool:
        """Whether the driver has agreed to a frame's header and asked for its address."""
        if len(frame) < FRAME_BYTES_MIN:
            return False
        agreed = is_agreed(frame, self.settings.offloads, self._plain_bytes_max)
        return agreed and self.settings.passes(frame)

    def _obey(self) -> None:
        """Carry commands out; there are at most as many as the queue is long."""
        index = self._control_queue
        queue, terms = self.queue(index), Terms(self.driver_features, self._pairs)
        for _ in range(queue.state.size):
            chain = queue.peek()
            if chain is None:
                break
            if not chain.writable_bytes:
                raise GuestError("a command to a network card without room for its answer")
            queue.advance()
            done = chain.readable_bytes <= REQUEST_BYTES_MAX and self.settings.obey(
                queue.gather(chain, 0, REQUEST_BYTES_MAX), terms
            )
            queue.complete(chain, queue.scatter(chain, OK if done else ERR))
        self.starved = -1
        self._agree()
        queue.listen()
        if queue.wants_interrupt():
            self.interrupt_queue(index)
