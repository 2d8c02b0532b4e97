"""Requests from one process of ours to another, and the answers: MessagePack maps.

A request's `verb` says which it is. An answer has an `error`, a sentence, or a `value`.
"""

from typing import Any

import msgspec

from hospes.base.errors import HospesError
from hospes.base.record import UNREADABLE, reason


class Request(msgspec.Struct, frozen=True, tag_field="verb", tag=str.lower):
    """What a process is asked for."""


class Reply(msgspec.Struct, frozen=True):
    """The answer: a sentence when it could not be done, and whose (`kind`); else a value."""

    error: str = ""
    kind: str = ""
    value: msgspec.Raw = msgspec.Raw(msgspec.msgpack.encode(None))

    @property
    def complaint(self) -> str:
        """The sentence, on one line whatever was sent."""
        return " ".join(self.error.split())


def pack_request(request: Request) -> bytes:
    """A request as the bytes of a message, without its length."""
    return msgspec.msgpack.encode(request)


def pack_value(value: Any) -> bytes:
    """A reply with a value."""
    return msgspec.msgpack.encode(Reply(value=msgspec.Raw(msgspec.msgpack.encode(value))))


def pack_error(error: HospesError) -> bytes:
    """A reply that says what went wrong."""
    return msgspec.msgpack.encode(Reply(error=str(error), kind=type(error).__name__))


def decoded(data: bytes | msgspec.Raw, kind: Any, complaint: str) -> Any:
    """What is in a message; else HospesError with the complaint, which has the reason at its {}."""
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except UNREADABLE as error:
        raise HospesError(complaint.format(reason(error))) from None
