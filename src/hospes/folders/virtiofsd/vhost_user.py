"""The front end's side of vhost-user: how a back end is told what to work on.

Source: the vhost-user protocol (QEMU, docs/interop/vhost-user.rst). Nothing is asked for that not
every back end has, but for the answers by which errors are noticed.
"""

import socket
import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Final

from hospes.folders.virtiofsd.exchange import BASE, BackendError, Exchange

VERSION_1: Final = 1 << 32
PROTOCOL_FEATURES: Final = 1 << 30
REPLY_ACK: Final = 1 << 3
_HEADER: Final = struct.Struct("<III")
_NUMBER: Final = struct.Struct("<Q")
_STATE: Final = struct.Struct("<II")
_ADDRESSES: Final = struct.Struct("<IIQQQQ")
_REGION: Final = struct.Struct("<IIQQQQ")
_VERSION, _REPLY, _NEED_REPLY = 1, 1 << 2, 1 << 3


class Request(IntEnum):
    """What is said to a back end."""

    GET_FEATURES = 1
    SET_FEATURES = 2
    SET_OWNER = 3
    SET_MEM_TABLE = 5
    SET_VRING_NUM = 8
    SET_VRING_ADDR = 9
    SET_VRING_BASE = 10
    SET_VRING_KICK = 12
    SET_VRING_CALL = 13
    GET_PROTOCOL_FEATURES = 15
    SET_PROTOCOL_FEATURES = 16
    SET_VRING_ENABLE = 18


class FrontEnd:
    """Talks over a connection whose timeout bounds each wait.

    BackendError when the back end hangs up, is silent, or answers with what is no answer.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._acknowledged = False

    def set_up(self, exchange: Exchange, kicks: Sequence[int], calls: Sequence[int]) -> None:
        """Have the back end serve the exchange's rings, which it is told of by these eventfds.

        It finds messages when its ring's kick was written, and writes the call after an answer.
        """
        self._agree()
        self._tell(
            Request.SET_MEM_TABLE,
            _REGION.pack(1, 0, BASE, exchange.size_bytes, BASE, 0),
            exchange.fd,
        )
        for number, ring in enumerate(exchange.rings):
            self._tell(Request.SET_VRING_NUM, _STATE.pack(number, exchange.ring_size))
            self._tell(Request.SET_VRING_BASE, _STATE.pack(number, 0))
            parts = (BASE + ring.descriptors, BASE + ring.used, BASE + ring.available)
            self._tell(Request.SET_VRING_ADDR, _ADDRESSES.pack(number, 0, *parts, 0))
            self._tell(Request.SET_VRING_CALL, _NUMBER.pack(number), calls[number])
            self._tell(Request.SET_VRING_KICK, _NUMBER.pack(number), kicks[number])
            self._tell(Request.SET_VRING_ENABLE, _STATE.pack(number, 1))

    def _agree(self) -> None:
        """On features; the least that does."""
        wanted = VERSION_1 | PROTOCOL_FEATURES
        if self._ask(Request.GET_FEATURES) & wanted != wanted:
            raise BackendError("is too old")
        protocol = self._ask(Request.GET_PROTOCOL_FEATURES) & REPLY_ACK
        self._tell(Request.SET_PROTOCOL_FEATURES, _NUMBER.pack(protocol))
        self._acknowledged = bool(protocol)
        self._tell(Request.SET_OWNER)
        self._tell(Request.SET_FEATURES, _NUMBER.pack(wanted))

    def _ask(self, request: Request) -> int:
        self._send(request, 0, b"")
        return self._reply(request)

    def _tell(self, request: Request, payload: bytes = b"", *fds: int) -> None:
        self._send(request, _NEED_REPLY * self._acknowledged, payload, *fds)
        if self._acknowledged and self._reply(request):
            raise BackendError(f"refuses {request.name}")

    def _send(self, request: Request, flags: int, payload: bytes, *fds: int) -> None:
        message = _HEADER.pack(request, _VERSION | flags, len(payload)) + payload
        try:
            sent = socket.send_fds(self._connection, [message], fds)
            self._connection.sendall(message[sent:])
        except TimeoutError as error:
            raise BackendError(f"does not take {request.name}") from error
        except OSError as error:
            raise BackendError(f"hangs up at {request.name}") from error

    def _reply(self, request: Request) -> int:
        answered, flags, size = _HEADER.unpack(self._receive(_HEADER.size, request))
        if answered != request or not flags & _REPLY or size != _NUMBER.size:
            raise BackendError(f"answers {request.name} with what is no answer")
        number: int = _NUMBER.unpack(self._receive(size, request))[0]
        return number

    def _receive(self, count: int, request: Request) -> bytes:
        found = b""
        while len(found) < count:
            try:
                piece = self._connection.recv(count - len(found))
            except TimeoutError as error:
                raise BackendError(f"does not answer {request.name}") from error
            except OSError:
                piece = b""
            if not piece:
                raise BackendError(f"hangs up at {request.name}")
            found += piece
        return found
