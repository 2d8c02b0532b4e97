"""What a name server's answer says (RFC 1035, section 4): the addresses that a name leads to."""

import struct
from typing import Final, NamedTuple

from hospes.base.errors import GuestError
from hospes.network.dns import AAAA, INTERNET, A, read_name

CNAME: Final = 5
RECORDS_MAX: Final = 256
ALIASES_MAX: Final = 16
_RESPONSE, _CODE = 0x8000, 0x000F
_HEADER: Final = struct.Struct(">HHHHHH")
_RECORD: Final = struct.Struct(">HHIH")
_ADDRESS_BYTES: Final = {A: 4, AAAA: 16}


class Answer(NamedTuple):
    """The question that was asked, and the packed addresses, each with seconds it is good for.

    A name is in lower case.
    """

    identifier: int
    name: str
    kind: int
    addresses: tuple[tuple[bytes, int], ...]


class Record(NamedTuple):
    """One of the answer section: an address, or the name that an alias stands for."""

    owner: str
    seconds: int
    address: bytes
    alias: str


def parse_answer(message: bytes) -> Answer:
    """The answer in a message; GuestError if it is malformed or none.

    Only what the question's own name leads to counts, over aliases or at once.
    """
    if len(message) < _HEADER.size:
        raise GuestError(f"a DNS message of {len(message)} bytes")
    identifier, flags, questions, answers, _, _ = _HEADER.unpack_from(message)
    if not flags & _RESPONSE or questions != 1 or answers > RECORDS_MAX:
        raise GuestError(f"a DNS answer with flags {flags:#x} and {answers} records")
    asked, at = read_name(message, _HEADER.size)
    if at + 4 > len(message):
        raise GuestError("a DNS question is cut off")
    (kind,) = struct.unpack_from(">H", message, at)
    name = asked.lower()
    records = [] if flags & _CODE else _records(message, at + 4, answers)
    return Answer(identifier, name, kind, _reached(name, records))


def _records(message: bytes, at: int, count: int) -> list[Record]:
    found = []
    for _ in range(count):
        owner, at = read_name(message, at)
        if at + _RECORD.size > len(message):
            raise GuestError("a DNS record is cut off")
        kind, of, seconds, size = _RECORD.unpack_from(message, at)
        at += _RECORD.size
        if at + size > len(message):
            raise GuestError("a DNS record is cut off")
        data, alias = b"", ""
        if of == INTERNET and _ADDRESS_BYTES.get(kind) == size:
            data = bytes(message[at : at + size])
        elif of == INTERNET and kind == CNAME:
            alias = read_name(message, at)[0].lower()
        found.append(Record(owner.lower(), seconds, data, alias))
        at += size
    return found


def _reached(name: str, records: list[Record]) -> tuple[tuple[bytes, int], ...]:
    """Follow the aliases; an address is good for no longer than the aliases that led to it."""
    aliases = {one.owner: one for one in records if one.alias}
    seconds = 0xFFFF_FFFF
    for _ in range(ALIASES_MAX):
        step = aliases.get(name)
        if step is None:
            break
        name, seconds = step.alias, min(seconds, step.seconds)
    return tuple(
        (one.address, min(seconds, one.seconds))
        for one in records
        if one.address and one.owner == name
    )
