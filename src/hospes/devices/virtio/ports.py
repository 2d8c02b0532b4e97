"""Virtio console with many ports (virtio 1.2, section 5.3, VIRTIO_CONSOLE_F_MULTIPORT)."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from hospes.base.errors import GuestError
from hospes.devices.backends import DeviceMemory, PortEnd
from hospes.devices.virtio.function import VirtioFunction
from hospes.devices.virtio.port import RECEIVE, TRANSMIT, Port, PortState, drop_output

MULTIPORT: Final = 2
PORTS_MAX: Final = 31
CONTROL_RECEIVE, CONTROL_TRANSMIT = 2, 3
DEVICE_READY, DEVICE_ADD = 0, 1
PORT_READY, CONSOLE_PORT, RESIZE, PORT_OPEN, PORT_NAME = 3, 4, 5, 6, 7

_CONTROL = struct.Struct("<IHH")


@dataclass
class NamedPortState(PortState):
    """A port's snapshot; `host_open` is what the guest has been told, or will be."""

    ready: bool = False
    guest_open: bool = False
    host_open: bool = False
    spent: bool = False       # who has it open in the guest has seen the host close it


class VirtioPorts(VirtioFunction):
    """Named ports, /dev/vportNpM in Linux; those in `consoles` become hvc terminals.

    The host opens a port with `open`. The port is closed again when the host has ended its input
    and the guest has got all of it, or when the guest closes its side; output that is in the queue
    by then still reaches the host's end, which is finished after it. While the host has no end,
    output is dropped. Input waits until the guest has opened its side, since drivers throw away
    what comes earlier. `on_guest_open` is told when the guest opens a port, by name.
    """

    device_id = 3
    queue_size_max: ClassVar[int] = 32
    ports: list[NamedPortState]
    waiting: list[bytes]      # control messages for which the driver has had no buffer yet

    def __init__(
        self, memory: DeviceMemory, names: Sequence[str], consoles: Sequence[str] = ()
    ) -> None:
        if len(names) > PORTS_MAX:
            raise ValueError(f"{len(names)} ports, but a console has {PORTS_MAX} at most")
        self.names = tuple(names)
        self._consoles = frozenset(consoles)
        self._ends: dict[int, PortEnd] = {}
        self._sizes: dict[int, tuple[int, int]] = {}
        self._leftover: set[int] = set()
        self.on_guest_open: Callable[[str], None] = lambda name: None
        super().__init__(memory, queue_count=2 * len(self.names) + 2)
        self.own_features = MULTIPORT

    def reset(self) -> None:
        """The guest's sides are closed; a host's end stays if the guest has not been there yet."""
        super().reset()
        old = getattr(self, "ports", [])
        self.ports = [NamedPortState() for _ in self.names]
        self.waiting = []
        self._known = self.ports
        for number in list(self._ends):
            if old[number].guest_open or not old[number].host_open:
                self._ends.pop(number).finish()
            else:
                self.ports[number].host_open = True

    def forget(self, index: int) -> None:
        """The next request of the queue begins at its first byte."""
        number, direction = _port_of(index)
        if number is not None and direction == TRANSMIT:
            self.ports[number].sent, self.ports[number].stalled = 0, False

    def config(self) -> bytes:
        """cols, rows, max_nr_ports, emerg_wr."""
        return struct.pack("<HHII", 0, 0, len(self.names), 0)

    def open(self, number: int, end: PortEnd) -> None:
        """The host opens a port; what is left of an earlier end is thrown away."""
        state, old = self.ports[number], self._ends.pop(number, None)
        if old is not None:
            if state.host_open:
                self._close(number)
            old.finish()
            self._leftover.add(number)
        self._ends[number] = end
        state.host_open, state.spent = True, False
        self._tell_open(number)

    def close(self) -> None:
        """The power goes: no end is of use any more."""
        while self._ends:
            self._ends.popitem()[1].finish()

    def resize(self, number: int, columns: int, rows: int) -> None:
        """The terminal of a console port has another size."""
        self._sizes[number] = columns, rows
        if self.ports[number].ready:
            self._tell_size(number)

    def serve(self, index: int) -> None:
        """Control messages, buffers for input, or output."""
        number, direction = _port_of(index)
        if number is not None:
            self._serve_port(number, direction)
            self._follow(number)
        elif direction == TRANSMIT:
            self._obey()
        self._send()

    def tick(self) -> None:
        """Input that has come, output that was held back, ends that are over."""
        if self.ports is not self._known:
            self._close_what_has_no_end()
        if self._leftover:
            self._drop_leftovers()
        for number, end in list(self._ends.items()):
            state = self.ports[number]
            if end.input_waiting and state.guest_open:
                self._serve_port(number, RECEIVE)
            if state.stalled and end.room:
                self._serve_port(number, TRANSMIT)
            self._follow(number)
        self._send()

    def due_in_ns(self) -> int | None:
        """At once if more output can be taken."""
        for number, end in self._ends.items():
            if self.ports[number].stalled and end.room and self.running:
                return 0
        return None

    def _close_what_has_no_end(self) -> None:
        """After a restore: the host's ends are not part of the state."""
        self._known = self.ports
        for number, state in enumerate(self.ports):
            if state.host_open and number not in self._ends:
                self._close(number)

    def _drop_leftovers(self) -> None:
        """Output meant for ends that others have taken the place of."""
        while self._leftover:
            number = self._leftover.pop()
            if self.running:
                drop_output(self.queue(_queue_of(number, TRANSMIT)), self.ports[number])

    def _serve_port(self, number: int, direction: int) -> None:
        if not self.running:
            return
        index = _queue_of(number, direction)
        end, state, queue = self._ends.get(number), self.ports[number], self.queue(index)
        if direction == TRANSMIT and end is None:
            drop_output(queue, state)
        elif direction == TRANSMIT and end is not None:
            Port(end, state).drain(queue)
        elif end is not None and state.guest_open and state.host_open:
            Port(end, state).fill(queue)
        if direction == TRANSMIT or (end is not None and end.input_waiting):
            queue.listen()
        self._signal(index)

    def _follow(self, number: int) -> None:
        """Close a port whose host has ended it, and let the end go once all output is out."""
        end, state = self._ends.get(number), self.ports[number]
        if end is None:
            return
        if state.host_open and end.ended:
            self._close(number)
            self._serve_port(number, TRANSMIT)
        if not state.host_open and not (state.stalled and self.running):
            del self._ends[number]
            end.finish()

    def _close(self, number: int) -> None:
        """The guest is told that the host's side is closed."""
        state = self.ports[number]
        state.host_open, state.spent = False, state.guest_open
        self._tell_open(number)

    def _obey(self) -> None:
        """Messages of the driver; there are at most as many as the queue is long."""
        queue = self.queue(CONTROL_TRANSMIT)
        while chain := queue.peek():
            queue.advance()
            message = queue.gather(chain, 0, _CONTROL.size)
            queue.complete(chain, 0)
            if len(message) < _CONTROL.size:
                raise GuestError(f"a control message of {len(message)} bytes")
            self._heed(*_CONTROL.unpack(message))
        queue.listen()
        self._signal(CONTROL_TRANSMIT)

    def _heed(self, number: int, event: int, value: int) -> None:
        """One message; those that only devices send, or nobody knows, are ignored."""
        if event == DEVICE_READY:
            for each in range(len(self.names) if value else 0):
                self._tell(each, DEVICE_ADD)
        elif number >= len(self.names):
            raise GuestError(f"a control message for port {number} of {len(self.names)}")
        elif event == PORT_READY:
            self.ports[number].ready = bool(value)
            if value:
                self._introduce(number)
        elif event == PORT_OPEN:
            self._guest_opens(number, bool(value))

    def _introduce(self, number: int) -> None:
        """What a driver that knows of a port is to know about it."""
        name = self.names[number]
        if name in self._consoles:
            self._tell(number, CONSOLE_PORT)
            if number in self._sizes:
                self._tell_size(number)
        self._tell(number, PORT_NAME, extra=name.encode())
        if self.ports[number].host_open:
            self._tell_open(number)

    def _guest_opens(self, number: int, is_open: bool) -> None:
        state = self.ports[number]
        if state.guest_open == is_open:
            return
        state.guest_open, state.spent = is_open, False
        if is_open:
            self._serve_port(number, RECEIVE)
            self.on_guest_open(self.names[number])
        elif state.host_open:
            self._close(number)
            self._serve_port(number, TRANSMIT)
        self._follow(number)

    def _tell_open(self, number: int) -> None:
        """Tell whether the host's side is open; an opening not sent yet may be taken back."""
        state = self.ports[number]
        if not state.ready:
            return
        opening = _CONTROL.pack(number, PORT_OPEN, 1)
        if not state.host_open and opening in self.waiting:
            self.waiting.remove(opening)
        else:
            self._tell(number, PORT_OPEN, int(state.host_open))

    def _tell_size(self, number: int) -> None:
        head = _CONTROL.pack(number, RESIZE, 0)
        self.waiting = [message for message in self.waiting if not message.startswith(head)]
        self._tell(number, RESIZE, 0, struct.pack("<HH", *self._sizes[number]))

    def _tell(self, number: int, event: int, value: int = 1, extra: bytes = b"") -> None:
        """Have a message sent; one that waits already is not repeated, whatever the driver asks."""
        message = _CONTROL.pack(number, event, value) + extra
        if message not in self.waiting:
            self.waiting.append(message)

    def _send(self) -> None:
        """Pass messages to the driver as it has buffers for them."""
        if not self.waiting or not self.running:
            return
        queue = self.queue(CONTROL_RECEIVE)
        while self.waiting and (chain := queue.peek()):
            if chain.writable_bytes < len(self.waiting[0]):
                raise GuestError(f"a buffer of {chain.writable_bytes} bytes for control messages")
            queue.advance()
            queue.complete(chain, queue.scatter(chain, self.waiting.pop(0)))
        if self.waiting:
            queue.listen()
        self._signal(CONTROL_RECEIVE)

    def _signal(self, index: int) -> None:
        if self.queue(index).wants_interrupt():
            self.interrupt_queue(index)


def _port_of(queue: int) -> tuple[int | None, int]:
    """Port and direction of a queue; no port's are queues 2 and 3 (5.3.2)."""
    pair, direction = divmod(queue, 2)
    if pair == 1:
        return None, direction
    return max(0, pair - 1), direction


def _queue_of(port: int, direction: int) -> int:
    return 2 * (port + 1 if port else 0) + direction
