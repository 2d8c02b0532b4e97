"""The name server's own part (RFC 1035): names of this network; others it passes on."""

import ipaddress
import struct
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple, Protocol

from hospes.base.errors import GuestError
from hospes.network.leases import Leases
from hospes.network.plan import HOST_NAME, Plan

A, PTR, AAAA, ANY = 1, 12, 28, 255
INTERNET: Final = 1
NO_ERROR, SERVER_FAILURE, NO_SUCH_NAME = 0, 2, 3
NAME_MAX_BYTES: Final = 255
POINTERS_MAX: Final = 16
TTL_SECONDS: Final = 60
ADDRESSES6_MAX: Final = 8
_RESPONSE, _AUTHORITATIVE, _OPCODE, _DESIRED, _AVAILABLE = 0x8000, 0x0400, 0x7800, 0x0100, 0x0080
_HEADER: Final = struct.Struct(">HHHHHH")
_QUESTION_NAME: Final = b"\xc0\x0c"


class Query(NamedTuple):
    """A question: the name in lower case, and where its section ends in the message."""

    identifier: int
    flags: int
    name: str
    kind: int
    question: bytes


def parse(message: bytes) -> Query:
    """The one question of a message; GuestError when it is malformed or has another number."""
    if len(message) < _HEADER.size:
        raise GuestError(f"a DNS message of {len(message)} bytes")
    identifier, flags, questions, _, _, _ = _HEADER.unpack_from(message)
    if flags & (_RESPONSE | _OPCODE) or questions != 1:
        raise GuestError(f"a DNS message with flags {flags:#x} and {questions} questions")
    name, at = read_name(message, _HEADER.size)
    if at + 4 > len(message):
        raise GuestError("a DNS question is cut off")
    kind, of = struct.unpack_from(">HH", message, at)
    if of not in (INTERNET, ANY):
        kind = 0
    return Query(identifier, flags, name.lower(), kind, message[_HEADER.size : at + 4])


def read_name(message: bytes, at: int) -> tuple[str, int]:
    """The name that begins at an offset, and the offset behind it; GuestError when it is none.

    Pointers lead backwards only, and are followed at most POINTERS_MAX times.
    """
    labels: list[str] = []
    end, length, jumps = None, 0, 0
    while True:
        if at >= len(message):
            raise GuestError("a DNS name is cut off")
        size = message[at]
        if size >= 0xC0:
            if at + 1 >= len(message):
                raise GuestError("a DNS name is cut off")
            target = (size & 0x3F) << 8 | message[at + 1]
            end = at + 2 if end is None else end
            jumps += 1
            if target >= at or jumps > POINTERS_MAX:
                raise GuestError("a DNS name goes round in a circle")
            at = target
            continue
        at += 1
        if size == 0:
            return ".".join(labels), at if end is None else end
        length += size + 1
        if size > 63 or length >= NAME_MAX_BYTES or at + size > len(message):
            raise GuestError("a DNS name is too long")
        labels.append(message[at : at + size].decode("latin-1"))
        at += size


def write_name(name: str) -> bytes:
    """A name as labels."""
    labels = [label.encode("latin-1", "replace")[:63] for label in name.split(".") if label]
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"


class Neighbours(Protocol):
    """What cards have shown of themselves (link.Link)."""

    def addresses6(self, mac: bytes, /) -> list[bytes]:
        """The IPv6 addresses of a card that all of the network can use."""
        ...

    def neighbour(self, address: bytes, /) -> bytes | None:
        """The card that has an address."""
        ...


class Names:
    """The names and addresses of one network, forwards and backwards.

    In a network with a domain, machines have the names of their leases, alone and in the domain,
    and lead to the IPv6 addresses that they have given themselves, once they have used them.
    """

    def __init__(
        self, plan: Plan, leases: Leases | None = None, neighbours: Neighbours | None = None
    ) -> None:
        self._plan, self._leases = plan, leases or Leases(plan)
        self._neighbours = neighbours
        self._addresses: dict[str, list[bytes]] = {}
        for name, address in _known(plan):
            self._addresses.setdefault(name.lower().rstrip("."), []).append(address)
        self._names = {
            ipaddress.ip_address(address).reverse_pointer: name
            for name, addresses in reversed(self._addresses.items())
            for address in addresses
        }

    @property
    def addresses(self) -> Mapping[str, list[bytes]]:
        """Packed addresses by name."""
        return self._addresses

    def answer(self, message: bytes) -> bytes | None:
        """The answer to a query about this network; None when it is for others to answer.

        GuestError when the query is malformed.
        """
        query = parse(message)
        found = self._addresses.get(query.name) or self._machine(query.name)
        if found is not None:
            return self._forwards(query, found)
        if query.name.endswith((".in-addr.arpa", ".ip6.arpa")) and self._is_ours(query.name):
            known = self._names.get(query.name) or self._machine_at(query.name)
            if known is None or query.kind not in (PTR, ANY):
                return response(query, NO_SUCH_NAME if known is None else NO_ERROR, [])
            return response(query, NO_ERROR, [(PTR, write_name(known))])
        if self._plan.domain and query.name.endswith("." + self._plan.domain):
            return response(query, NO_SUCH_NAME, [])
        return None

    def _machine(self, name: str) -> list[bytes] | None:
        domain = self._plan.domain
        lease = self._leases.called(name.removesuffix("." + domain)) if domain else None
        if lease is None:
            return None
        others = self._neighbours.addresses6(lease.mac) if self._neighbours else []
        return [lease.address, *others[:ADDRESSES6_MAX]]

    def _machine_at(self, reverse: str) -> str | None:
        address, domain = _address_in(reverse), self._plan.domain
        if address and len(address) == 16 and self._neighbours:
            mac = self._neighbours.neighbour(address)
            lease = self._leases.find(mac) if mac else None
            address = lease.address if lease else None
        name = self._leases.name_of(address) if address and domain else None
        return None if name is None else f"{name}.{domain}"

    def _forwards(self, query: Query, addresses: list[bytes]) -> bytes:
        sizes = {A: (4,), AAAA: (16,), ANY: (4, 16)}.get(query.kind, ())
        found = [each for each in addresses if len(each) in sizes]
        return response(
            query, NO_ERROR, [(A if len(each) == 4 else AAAA, each) for each in found]
        )

    def _is_ours(self, reverse: str) -> bool:
        """Whether a reverse name lies in the guest's network, of which nobody else knows."""
        address = _address_in(reverse)
        return address is not None and self._plan.is_inside(address)


def _address_in(reverse: str) -> bytes | None:
    """The packed address that a reverse name is about."""
    labels = reverse.split(".")[:-2]
    try:
        if reverse.endswith("in-addr.arpa"):
            return ipaddress.IPv4Address(".".join(reversed(labels))).packed
        return ipaddress.IPv6Address(bytes.fromhex("".join(reversed(labels)))).packed
    except ValueError:
        return None


def _known(plan: Plan) -> Iterator[tuple[str, bytes]]:
    for name, address in (
        (HOST_NAME, plan.gateway4), (HOST_NAME, plan.gateway6),
        ("" if plan.domain else plan.guest_name, plan.guest4),
    ):  # fmt: skip
        if name and address:
            yield name, address
    for name, text in plan.names.items():
        yield name, ipaddress.ip_address(text).packed


def response(query: Query, code: int, records: list[tuple[int, bytes]]) -> bytes:
    """An answer with records of (type, data) about the name asked for."""
    flags = _RESPONSE | _AUTHORITATIVE | _AVAILABLE | (query.flags & _DESIRED) | code
    header = _HEADER.pack(query.identifier, flags, 1, len(records), 0, 0)
    answers = b"".join(
        _QUESTION_NAME + struct.pack(">HHIH", kind, INTERNET, TTL_SECONDS, len(data)) + data
        for kind, data in records
    )
    return header + query.question + answers


def failure(message: bytes) -> bytes:
    """The answer that nobody can be asked; GuestError when the query is malformed."""
    return response(parse(message), SERVER_FAILURE, [])
