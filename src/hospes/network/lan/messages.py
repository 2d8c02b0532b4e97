"""What is said over a network's socket: a request, and its answer; after Plug, frames both ways.

Each is a piece (`framing`) with a MessagePack map. A request's `verb` says which it is; an answer
has an `error`, a sentence, or a `value`.
"""

from typing import Any, Final, TypeVar

import msgspec

from hospes.base.errors import HospesError
from hospes.base.record import UNREADABLE, reason
from hospes.spec.net import Publication

LONGEST_BYTES: Final = 64 << 10
Kind = TypeVar("Kind")


class Request(msgspec.Struct, frozen=True, tag_field="verb", tag=str.lower):
    """What a machine, or a user, asks for."""


class Plug(Request, frozen=True):
    """Plug in a card with this address, of a machine of this name ("" for none).

    Answered by a Plugged.
    """

    mac: str
    name: str = ""


class Publish(Request, frozen=True):
    """Lead a port of the host to one of the machine with this card, until it is gone."""

    mac: str
    publication: Publication


class Withdraw(Request, frozen=True):
    """Lead it there no more."""

    mac: str
    publication: Publication


class Look(Request, frozen=True):
    """Answered by a LanState."""


AnyRequest = Plug | Publish | Withdraw | Look


class Plugged(msgspec.Struct, frozen=True):
    """The address that the machine will be given."""

    address: str


class Station(msgspec.Struct, frozen=True, kw_only=True):
    """A card that is plugged in, seen from the switch; dropped are frames that it did not take."""

    name: str
    mac: str
    address: str
    frames_sent: int
    bytes_sent: int
    frames_received: int
    bytes_received: int
    dropped: int
    published: tuple[Publication, ...] = ()


class LanState(msgspec.Struct, frozen=True, kw_only=True):
    """A network at work: who is there, and what its switch and its gateway have counted."""

    process: int
    stations: tuple[Station, ...]
    switch: dict[str, int]
    gateway: dict[str, int]


class Answer(msgspec.Struct, frozen=True):
    """A sentence when it could not be done, else a value."""

    error: str = ""
    value: msgspec.Raw = msgspec.Raw(msgspec.msgpack.encode(None))


def pack_request(request: AnyRequest) -> bytes:
    """A request as bytes."""
    return msgspec.msgpack.encode(request)


def unpack_request(data: bytes) -> AnyRequest:
    """The request in bytes; HospesError when it is none."""
    try:
        request: AnyRequest = msgspec.msgpack.decode(data, type=AnyRequest)
    except UNREADABLE as error:
        raise HospesError(
            f"the network does not understand the request ({reason(error)}); stop its machines "
            "and start them again"
        ) from None
    return request


def pack_value(value: Any) -> bytes:
    """An answer with a value."""
    return msgspec.msgpack.encode(Answer(value=msgspec.Raw(msgspec.msgpack.encode(value))))


def pack_error(error: HospesError) -> bytes:
    """An answer that says what is wrong."""
    return msgspec.msgpack.encode(Answer(error=str(error)))


def unpack_answer(data: bytes, kind: type[Kind]) -> Kind:
    """The value in an answer; HospesError when there is none, or what the answer complains of."""
    try:
        answer = msgspec.msgpack.decode(data, type=Answer)
        if not answer.error:
            return msgspec.msgpack.decode(answer.value, type=kind)
    except UNREADABLE as error:
        raise HospesError(
            f"the network's answer is not understood ({reason(error)}); stop its machines and "
            "start them again"
        ) from None
    raise HospesError(answer.error)
