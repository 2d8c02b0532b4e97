"""A firewall's rules as users write them: `in:tcp:80`, `out:*.internal`, `out:10M`."""

import re
from collections.abc import Iterator, Sequence
from types import MappingProxyType
from typing import Final, NoReturn

from hospes.base.errors import HospesError
from hospes.spec.firewall import (
    PORT_MAX,
    Carried,
    Direction,
    FirewallSpec,
    RateLimit,
    Selector,
    Verdict,
)

RATE: Final = "rate"
BITS_MIN: Final = 8_000
"""Per second: a kilobyte, below which not even a connection's end gets through in time."""
BITS_MAX: Final = 10**12
NAME_CHARACTERS_MAX: Final = 253
SERVICES: Final = MappingProxyType(
    {"ssh": 22, "smtp": 25, "dns": 53, "domain": 53, "http": 80, "ntp": 123, "https": 443}
)
"""What is often written in place of a port, and is no name of a host."""
PROTOCOLS: Final = frozenset({"any", "all", "ip", "ipv6", "icmpv6", "igmp", "sctp", "gre", "esp"})
"""What is no protocol that rules tell apart, nor the name of a host."""
_PART: Final = re.compile(r"\[[^]]*\](?:/[0-9]+)?|[^:\[\]]+")
_PORTS: Final = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_NUMBERS: Final = re.compile(r"[0-9.]+(?:/[0-9]+)?")
_NAME: Final = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?")
_RATE: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([kmg]?)(bits?|b)?(?:/s)?", re.IGNORECASE)
_UNITS: Final = MappingProxyType({"": 1, "k": 10**3, "m": 10**6, "g": 10**9})
_EXAMPLE: Final = "write it like in:tcp:80, out:10.0.0.0/8, out:tcp:[fd00::/64]:443 or out:*.lan"


def parse_selectors(text: str) -> tuple[Selector, ...]:
    """The connections that a comma list of rules is about."""
    return tuple(map(parse_selector, _listed(text)))


def parse_selector(text: str) -> Selector:
    """`in` or `out`, and then any of protocol, other end, and port, in that order."""
    direction, *parts = _parts(text)
    if direction not in tuple(Direction):
        _refuse(text, direction, "is no direction", "begin with in or out")
    protocol = remote = None
    ports = (0, PORT_MAX)
    if parts and parts[0] in tuple(Carried):
        protocol = Carried(parts.pop(0))
    if parts and _PORTS.fullmatch(parts[0]) is None:
        remote = _remote(text, parts.pop(0))
    if parts and _PORTS.fullmatch(parts[0]):
        ports = _ports(text, parts.pop(0))
        if protocol is Carried.ICMP:
            _refuse(text, "icmp", "has no ports", "leave the port out")
    if parts:
        _refuse(text, parts[0], "is one part too many", _EXAMPLE)
    return Selector(Direction(direction), protocol, remote or "", *ports)


def parse_limit(text: str) -> RateLimit:
    """A rule and a rate: `out:10M`, `in:tcp:443:500k`. Bits per second, or bytes with a B."""
    selector, _, rate = text.strip().rpartition(":")
    if not selector:
        raise HospesError(
            f"the limit {text!r} lacks a direction or a rate; write it like out:10M or in:udp:1M"
        )
    return RateLimit(parse_selector(selector), parse_rate(rate, text))


def parse_rate(rate: str, text: str) -> int:
    """Bits per second from `10M`, `1.5Gbit` or, in bytes, `2MB`; units are powers of 1000."""
    match = _RATE.fullmatch(rate)
    unit = match[3] if match else None
    if match is None or unit == "b":
        _refuse(text, rate, "is no rate", "write 10M or 10Mbit for bits, 2MB for bytes per second")
    bits = int(float(match[1]) * _UNITS[match[2].lower()]) * (8 if unit == "B" else 1)
    if not BITS_MIN <= bits <= BITS_MAX:
        _refuse(text, rate, "is out of range", "ask for 8k to 1000G bits per second")
    return bits


def parse_firewall(
    texts: Sequence[str], before: FirewallSpec | None = None
) -> FirewallSpec | None:
    """A firewall from comma lists such as `deny:in,allow:in:tcp:80,out:tcp:443,rate:out:10M`.

    `allow`, `deny` and `rate` are good for what follows in the same list. None without any text.
    """
    made = before
    for text in texts:
        kind = ""
        for each in _listed(text):
            word, _, rest = each.partition(":")
            begins = word.lower() in (*Verdict, RATE)
            kind = word.lower() if begins else kind
            if not kind:
                _refuse(text, word, "says neither allow, deny nor rate", "write allow:in:tcp:80")
            made = _decided(made or FirewallSpec(), kind, rest.strip() if begins else each)
    return made


def firewall_of(texts: Sequence[str] | None) -> FirewallSpec | None:
    """What is kept as texts; without any rule it is a firewall still, None is none."""
    return None if texts is None else parse_firewall(texts, FirewallSpec())


def _decided(made: FirewallSpec, kind: str, text: str) -> FirewallSpec:
    if kind == RATE:
        return made.limited(parse_limit(text))
    return made.decided(Verdict(kind), parse_selector(text))


def _listed(text: str) -> Iterator[str]:
    """The rules of a comma list."""
    for each in text.split(","):
        if not each.strip():
            raise HospesError(f"the list {text!r} has an empty rule; remove a comma, or {_EXAMPLE}")
        yield each.strip()


def _parts(text: str) -> list[str]:
    """What stands between colons, those in brackets left alone."""
    found = [part.lower() for part in _PART.findall(text)]
    if not found or ":".join(found) != text.strip().lower():
        hint = "put an IPv6 address in brackets, as in out:tcp:[fd00::1]:443"
        raise HospesError(
            f"the rule {text!r} has a part that is empty or cut off; "
            f"{hint if text.count(':') > 2 else _EXAMPLE}"
        )
    return found


def _remote(text: str, part: str) -> str:
    """A network with its prefix's length, or a name."""
    if part == "*":
        return ""
    if part.startswith("[") or _NUMBERS.fullmatch(part):
        return _network(text, part)
    name = part.rstrip(".")
    if name in SERVICES:
        _refuse(text, part, "is no host", f"write the port {SERVICES[name]}")
    if name in PROTOCOLS:
        _refuse(text, part, "is no protocol of a rule", "choose tcp, udp, icmp, or none for any")
    whole = _NAME.fullmatch(part) and len(name) <= NAME_CHARACTERS_MAX
    if not whole or not all(1 <= len(label) <= 63 for label in name.split(".")):
        _refuse(text, part, "is neither a protocol, an address, a name nor a port", _EXAMPLE)
    return name


def _network(text: str, part: str) -> str:
    # Here, for most machines have no firewall.
    from ipaddress import ip_network

    try:
        found = ip_network(part.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        _refuse(text, part, "is no address", "write it like 10.0.0.7, 10.0.0.0/8 or [fd00::/64]")
    return str(found)


def _ports(text: str, part: str) -> tuple[int, int]:
    match = _PORTS.fullmatch(part)
    assert match is not None
    first = int(match[1])
    last = first if match[2] is None else int(match[2])
    if not 1 <= first <= last <= PORT_MAX:
        _refuse(text, part, "is no port and no range of ports", f"choose from 1 to {PORT_MAX}")
    return first, last


def _refuse(text: str, part: str, why: str, remedy: str) -> NoReturn:
    raise HospesError(f"{part!r} in the rule {text!r} {why}; {remedy}")
