"""The names of addresses, learnt from answers of the network's name servers to the guest."""

from typing import Final, NamedTuple

from hospes.base.errors import GuestError
from hospes.network import dns
from hospes.network.dns_answer import parse_answer
from hospes.network.limits import SECOND_NS

QUESTIONS_MAX: Final = 512
QUESTION_NS: Final = 15 * SECOND_NS
ADDRESSES_MAX: Final = 4096
NAMES_MAX: Final = 16
"""Of one address: hosts of a large provider share them."""
GOOD_SECONDS_MIN, GOOD_SECONDS_MAX = 60, 86400
"""An answer is good for a minute at least, since programs take their time to connect."""


class Question(NamedTuple):
    """What the guest has asked, whom, and from where; addresses are packed."""

    server: bytes
    guest: bytes
    port: int
    identifier: int
    name: str
    kind: int


class Names:
    """Names of addresses while they are good; those learnt longest ago give way to new ones.

    An answer counts once, and only if it fits a question that the guest has sent lately, so that
    the guest makes up none; whose answers count is for the caller to say.
    """

    def __init__(self) -> None:
        self._questions: dict[Question, int] = {}
        self._addresses: dict[bytes, dict[str, int]] = {}
        self._now_ns = 0

    def __len__(self) -> int:
        return len(self._addresses)

    @property
    def questions(self) -> int:
        """How many may still be answered."""
        return len(self._questions)

    def at(self, now_ns: int) -> None:
        """It is that late by now."""
        self._now_ns = now_ns

    def asked(self, server: bytes, guest: bytes, port: int, message: bytes) -> None:
        """The guest asks; GuestError if it is no question."""
        query = dns.parse(message)
        question = Question(server, guest, port, query.identifier, query.name, query.kind)
        self._questions.pop(question, None)
        if len(self._questions) >= QUESTIONS_MAX:
            del self._questions[next(iter(self._questions))]
        self._questions[question] = self._now_ns + QUESTION_NS

    def answered(self, server: bytes, guest: bytes, port: int, message: bytes) -> None:
        """A name server answers; what is malformed or was not asked teaches nothing."""
        try:
            answer = parse_answer(message)
        except GuestError:
            return
        question = Question(
            server, guest, port, answer.identifier, answer.name, answer.kind
        )
        if self._questions.pop(question, 0) <= self._now_ns:
            return
        for address, seconds in answer.addresses:
            self._learn(address, answer.name, seconds)

    def of(self, address: bytes) -> list[str]:
        """The names that a packed address has by now."""
        known = self._addresses.get(address)
        if known is None:
            return []
        return [name for name, until_ns in known.items() if until_ns > self._now_ns]

    def clear(self) -> None:
        """Forget all."""
        self._questions.clear()
        self._addresses.clear()

    def _learn(self, address: bytes, name: str, seconds: int) -> None:
        known = self._addresses.pop(address, {})
        if len(self._addresses) >= ADDRESSES_MAX:
            del self._addresses[next(iter(self._addresses))]
        self._addresses[address] = known
        known.pop(name, None)
        if len(known) >= NAMES_MAX:
            del known[next(iter(known))]
        good = min(max(seconds, GOOD_SECONDS_MIN), GOOD_SECONDS_MAX)
        known[name] = self._now_ns + good * SECOND_NS
