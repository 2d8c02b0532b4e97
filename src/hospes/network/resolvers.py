"""The host's resolvers, which the guest's name server passes its questions on to."""

import ipaddress
from typing import Final

RESOLVERS_MAX: Final = 3
"""As many as the C library looks at (resolv.conf(5))."""
PATIENCE: Final = 3
"""Questions without any answer after which the next resolver is asked."""


def parse(text: str) -> list[bytes]:
    """The packed addresses that a resolv.conf names; other lines are passed over."""
    found: list[bytes] = []
    for line in text.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        try:
            found.append(ipaddress.ip_address(words[1].partition("%")[0]).packed)
        except ValueError:
            continue
    return found[:RESOLVERS_MAX]


class Resolvers:
    """Which of them to ask: the same while it answers."""

    def __init__(self, addresses: list[bytes]) -> None:
        self._addresses = addresses
        self._unanswered = 0

    def use(self, addresses: list[bytes]) -> None:
        """These from here on."""
        if addresses != self._addresses:
            self._addresses, self._unanswered = addresses, 0

    def current(self) -> bytes | None:
        """The packed address to ask; None when there is nobody."""
        if not self._addresses:
            return None
        return self._addresses[self._unanswered // PATIENCE % len(self._addresses)]

    def asked(self) -> None:
        """A question has gone out."""
        self._unanswered += 1

    def answered(self) -> None:
        """An answer has come."""
        self._unanswered -= self._unanswered % PATIENCE
