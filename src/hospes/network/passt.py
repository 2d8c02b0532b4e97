"""A network that passt makes: a program of the host's gives the guest the host's own addresses."""

from collections.abc import Callable, Sequence
from typing import Final

from hospes.base.errors import GuestError
from hospes.network.ethernet import ETHERNET_BYTES
from hospes.network.framing import Outbox, tune, with_length
from hospes.network.offload import complete, segments
from hospes.network.passt_process import see_off, start
from hospes.network.published import Publication
from hospes.network.stream_end import QUEUE_BYTES, StreamEnd
from hospes.network.vnet import FRAME_MAX_BYTES, GSO_NONE, NEEDS_CSUM, PLAIN, VNET_BYTES

TAKEN_BYTES: Final = 0xFFFF
"""The longest frame that passt takes; at a longer one, newer versions hang up."""


class Passt(StreamEnd):
    """A NetworkBackend (devices/backends.py) whose frames passt takes and gives.

    passt ends with the connection to it, and so with this process, however that ends; when passt
    ends first, the link goes down. HospesError when it cannot be had, or a port of the host's.
    """

    def __init__(
        self,
        publications: Sequence[Publication] = (),
        *,
        allow_host: bool = False,
        ring: Callable[[], None] = lambda: None,
        remark: Callable[[str], None] = lambda text: None,
    ) -> None:
        super().__init__(ring, remark, ETHERNET_BYTES, FRAME_MAX_BYTES - VNET_BYTES)
        self._publications = tuple(publications)
        try:
            connection = start(publications, allow_host=allow_host)
        except BaseException:
            self._poll.close()
            raise
        tune(connection)
        # passt loses its place when it receives a part of a length, or less than the rest of a
        # frame at once: no frame is begun before the one ahead of it is sent.
        self._connect(connection, Outbox(connection, QUEUE_BYTES, parts_at_once=1))
        self._thread.start()

    def close(self) -> None:
        """Have passt end, and wait until its ports are free again; may be called again."""
        with self._lock:
            last = None if self._socket is None else self._socket.dup()
        super().close()
        if last is not None:
            see_off(last, self._publications)

    def _put(self, outbox: Outbox, frame: bytes) -> bool:
        return all(outbox.put(with_length(each)) for each in wired(frame))

    def _received(self, piece: memoryview) -> bytes:
        return b"".join((PLAIN, piece))

    def _cut_off(self) -> None:
        if self._up:
            self._remark("passt has ended, and the network with it; stop the machine and start it")
        self._plug(False)


def wired(frame: bytes) -> list[memoryview]:
    """What passt is given for a frame of the guest's: checksums complete, and no virtio header.

    What the guest has not cut into segments stays in one piece if passt takes it: it is bytes of a
    stream to passt, whose sockets have no MTU. GuestError if the frame cannot be sent.
    """
    if len(frame) < VNET_BYTES + ETHERNET_BYTES:
        raise GuestError(f"a frame of {len(frame)} bytes has no Ethernet header")
    if len(frame) - VNET_BYTES <= TAKEN_BYTES:
        done = [complete(frame) if frame[0] & NEEDS_CSUM else frame]
    elif frame[1] != GSO_NONE:
        done = segments(frame)
    else:
        raise GuestError(f"a frame of {len(frame)} bytes is longer than passt takes")
    return [memoryview(each)[VNET_BYTES:] for each in done]
