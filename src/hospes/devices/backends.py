"""What devices ask of the world outside the machine, as Protocols other rooms satisfy."""

from collections.abc import Callable, Iterable, Sequence
from enum import IntFlag
from typing import Protocol, runtime_checkable


class CharacterBackend(Protocol):
    """Where a console's output goes."""

    def write(self, data: bytes, /) -> int:
        """Take bytes without waiting; returns how many, which is fewer when there is no room."""
        ...


class PortStream(Protocol):
    """The two directions of a console's port, as its device reaches them."""

    @property
    def input_waiting(self) -> int:
        """How many bytes are there for the guest."""
        ...

    @property
    def room(self) -> int:
        """How many bytes `put` takes now."""
        ...

    def take(self, limit: int, /) -> bytes:
        """Up to limit bytes for the guest."""
        ...

    def put(self, data: bytes, /) -> int:
        """The guest sends bytes; returns how many were taken (all, while there is `room`)."""
        ...


class PortEnd(PortStream, Protocol):
    """The host's end of a port, from when the host opens it until both have closed it."""

    @property
    def ended(self) -> bool:
        """Whether the host has closed it and everything it sent was taken."""
        ...

    def finish(self) -> None:
        """The guest sends no more and takes no more; what was put still reaches the host."""
        ...


class EntropySource(Protocol):
    """Random bytes; a recorded machine gets them from its log."""

    def read(self, count: int, /) -> bytes:
        """Exactly count random bytes."""
        ...


class DeviceMemory(Protocol):
    """Guest RAM as a device reaches it (DMA); GuestError outside RAM."""

    def read(self, gpa: int, count: int, /) -> bytes:
        """A copy of count bytes."""
        ...

    def write(self, gpa: int, data: bytes, /) -> None:
        """Store bytes, marking the frames dirty."""
        ...

    def windows(self, parts: Iterable[tuple[int, int]], /) -> list[memoryview]:
        """The (gpa, count) bytes themselves, for use at once; `filled` tells that some changed."""
        ...

    def filled(self, parts: Iterable[tuple[int, int]], /) -> None:
        """Mark the frames dirty in which bytes were stored through `windows`."""
        ...


class DiscardableMemory(DeviceMemory, Protocol):
    """Guest RAM that can be given back to the host."""

    def discard(self, gpa: int, count: int, /) -> None:
        """Whole pages read as zeros from here on and cost nothing; GuestError outside RAM."""
        ...


class BlockBackend(Protocol):
    """A disk, addressed in bytes and called by an Executor's threads; errors are HospesErrors."""

    @property
    def size_bytes(self) -> int:
        """Its capacity."""
        ...

    @property
    def read_only(self) -> bool:
        """Whether nothing may be changed."""
        ...

    def read(self, offset: int, length: int, /) -> bytes:
        """Exactly length bytes."""
        ...

    def read_at_once(self, offset: int, buffers: Sequence[memoryview], /) -> bool:
        """Fill the buffers if that takes no waiting for the host; False if they are to be `read`.

        This one is called by the machine's own thread.
        """
        ...

    def write(self, offset: int, data: bytes, /) -> None:
        """Store bytes; they survive a power cut once `flush` has returned."""
        ...

    def flush(self) -> None:
        """Return when everything written so far is safe."""
        ...

    def discard(self, offset: int, length: int, /) -> None:
        """The range's content is of no use any more."""
        ...

    def write_zeroes(self, offset: int, length: int, /, *, unmap: bool) -> None:
        """Make the range read as zeros; with unmap, its space may be given back."""
        ...


class Offload(IntFlag):
    """What a network may leave to a guest's driver in the frames it receives."""

    CHECKSUM = 1      # flags may have NEEDS_CSUM or DATA_VALID
    TSO4 = 2          # frames may be TCP over IPv4 yet to be cut into segments
    TSO6 = 4          # the same over IPv6


class NetworkBackend(Protocol):
    """The other end of a network card's cable, called by the machine's thread.

    A frame is a virtio_net_hdr of 12 bytes (virtio 1.2, section 5.1.6, little-endian: flags,
    gso_type, hdr_len, gso_size, csum_start, csum_offset, num_buffers) and then the Ethernet frame,
    which may have up to 64 KiB behind its own header if gso_type is set. In frames from the guest
    the places of checksums lie inside; hdr_len is a hint, num_buffers and flags other than
    NEEDS_CSUM mean nothing. In frames for it num_buffers is set by the card. The machine is rung
    when frames wait that did not before, and when the link has changed.
    """

    @property
    def waiting(self) -> bool:
        """Whether there are frames for the guest."""
        ...

    @property
    def link_up(self) -> bool:
        """Whether the cable is plugged in."""
        ...

    def send(self, frames: Sequence[bytes], /) -> None:
        """Frames from the guest; never waits."""
        ...

    def receive(self, limit: int, /) -> list[bytes]:
        """Up to limit frames for the guest, in order; others stay until they are asked for."""
        ...

    def accept(self, offloads: int, /) -> None:
        """What of Offload the driver wants from here on; a frame that needs more is dropped."""
        ...


class SocketEnd(Protocol):
    """The host's end of a connection to a guest's socket, for the machine's thread; nothing waits.

    One that carries packets has whole messages: `take` gives and `put` takes one at a time.
    """

    def connected(self, port: int, /) -> None:
        """The guest has let the host in that called it; the host's port is this."""
        ...

    def take(self, limit: int, /) -> bytes | None:
        """For the guest: up to limit bytes; b"" when no more will come, None when none are there.

        After None, the end is among those `changed` once there is something.
        """
        ...

    def put(self, data: bytes | bytearray, /) -> int | None:
        """From the guest: how many bytes were taken; None when none will be taken any more.

        Unless all were, the end is among those `changed` once there is room.
        """
        ...

    @property
    def hung_up(self) -> bool:
        """Whether the host neither sends nor takes any more."""
        ...

    def end_output(self) -> None:
        """The guest sends no more: the host reads an end after all that was put."""
        ...

    def end_input(self) -> None:
        """The guest takes no more."""
        ...

    def close(self) -> None:
        """The connection is over, or has not come about; once is enough."""
        ...


class SocketCall(Protocol):
    """A host's wish to be connected to a port of the guest's."""

    @property
    def port(self) -> int: ...
    @property
    def packets(self) -> bool: ...
    @property
    def end(self) -> SocketEnd: ...


class SocketBackend(Protocol):
    """The host that a guest's sockets talk to; the machine is rung when there is something new."""

    @property
    def waiting(self) -> bool:
        """Whether `changed` or `calls` has something."""
        ...

    def changed(self) -> Sequence[SocketEnd]:
        """Ends that may have something to take or room again, since this was last asked."""
        ...

    def calls(self) -> Sequence[SocketCall]:
        """Hosts that call the guest, since this was last asked."""
        ...

    def connect(self, port: int, packets: bool, /) -> SocketEnd | None:
        """The guest calls a port of the host's; None if nobody there takes the call."""
        ...


@runtime_checkable
class Delaying(Protocol):
    """A NetworkBackend that holds frames back for a while, as for a rate."""

    def due_in_ns(self) -> int | None:
        """When it wants to be called; None if there is nothing to wait for."""
        ...

    def tick(self) -> None:
        """Time has passed: frames of the guest that are due go on their way."""
        ...


class FolderBackend(Protocol):
    """A folder of the host, asked in messages of 9P2000.L by an Executor's threads."""

    def answer(self, message: bytes, room: int, /) -> bytes:
        """The answer to one message, which has at most room bytes (11 or more)."""
        ...

    def answer_at_once(self, message: bytes, room: int, /) -> bytes | None:
        """The answer if that hardly takes time on most hosts; None if it is to be asked for.

        This one is called by the machine's own thread.
        """
        ...

    def reset(self) -> None:
        """The driver is gone, and with it all that it held."""
        ...

    def save(self) -> bytes:
        """What the driver holds, to go on with after `load`."""
        ...

    def load(self, data: bytes, /) -> None:
        """Go on where another one was; HospesError if that is not what `save` gave."""
        ...


class FileSystemBackend(Protocol):
    """A folder of the host, asked in messages of FUSE (Linux, include/uapi/linux/fuse.h).

    The machine's thread calls; it is rung when something was answered later than at once.
    """

    def ask(
        self, queue: int, parts: Sequence[memoryview], room: int,
        answered: Callable[[bytes], None], /,
    ) -> None:  # fmt: skip
        """Have a message of 40 bytes or more answered, whose parts are copied.

        `answered` is called once, in any thread, with at most room bytes; none if there is no
        answer. Queue 0 is for what is urgent.
        """
        ...

    def reset(self) -> None:
        """The driver is gone, and with it all that it held.

        What it asked for is answered, in any way, and nothing of it is carried out after this.
        """
        ...

    def wait(self) -> None:
        """Return when all that was asked is answered."""
        ...


class Executor(Protocol):
    """Does jobs beside the machine's thread, which looks again after each.

    Jobs are begun in order; several may be under way at a time and end in any order.
    """

    def submit(self, job: Callable[[], None], /) -> None:
        """Do this soon."""
        ...

    def wait(self) -> None:
        """Return when all that was submitted is done."""
        ...

    def report(self, message: str, /) -> None:
        """Keep a sentence for the user."""
        ...
