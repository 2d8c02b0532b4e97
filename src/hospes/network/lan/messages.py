"""What is said over a network's socket: a request, and its answer; after Plug, frames both ways.

Each is a piece (`framing`) with what base/asking.py has.
"""

from typing import Final, TypeVar

import msgspec

from hospes.base.asking import Reply, Request, decoded
from hospes.base.errors import HospesError
from hospes.spec.net import Publication

LONGEST_BYTES: Final = 64 << 10
Kind = TypeVar("Kind")
_NOT_UNDERSTOOD: Final = (
    "the network's answer is not understood ({}); stop its machines and start them again"
)


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


def unpack_request(data: bytes) -> AnyRequest:
    """The request in bytes; HospesError when it is none."""
    request: AnyRequest = decoded(
        data,
        AnyRequest,
        "the network does not understand the request ({}); stop its machines and start them again",
    )
    return request


def unpack_answer(data: bytes, kind: type[Kind]) -> Kind:
    """The value in an answer; HospesError when there is none, or what the answer complains of."""
    reply: Reply = decoded(data, Reply, _NOT_UNDERSTOOD)
    if reply.error:
        raise HospesError(reply.complaint)
    value: Kind = decoded(reply.value, kind, _NOT_UNDERSTOOD)
    return value
