"""Fuzz target: what the agent of our own images may say on its console, and a session with it."""

import base64
import random
import time

from fuzz.harness import damage, main, one_sentence

from hospes.base.errors import GuestError
from hospes.guests.agent import LONGEST_FRAME_BYTES, AgentProtocol, Finished, Output
from hospes.guests.session import EVENT_BYTES, PENDING_BYTES, Session

MARK = b"0123456789abcdef0123456789abcdef"
GREETING = b"hospes-agent 1\n"


class Console:
    """The machine's side: the guest says its next piece whenever the host has something to do."""

    def __init__(self, said: list[bytes]) -> None:
        self.said, self.sink = said, None

    def feed(self, data: bytes) -> int:
        """Taken, and answered."""
        self.speak()
        return len(data)

    def room_again(self) -> None:
        """More is said."""
        self.speak()

    def speak(self) -> bool:
        """One piece, what is not taken being kept; False when all has been said."""
        if self.said and self.sink is not None:
            piece = self.said.pop(0)
            taken = self.sink.write(piece)
            if taken < len(piece):
                self.said.insert(0, piece[taken:])
        return bool(self.said)


class Restless(Session):
    """Looks for a change instead of waiting for one."""

    def _wait(self, limit: float | None) -> bool:
        return limit is None or time.monotonic() < limit


def case(chance: random.Random) -> None:
    """A few commands are answered with frames, damaged and in pieces."""
    protocol_case(chance)
    session_case(chance)


def protocol_case(chance: random.Random) -> None:
    """The protocol alone: bounded memory, a status that is one, output without marks."""
    protocol = AgentProtocol(lambda: MARK)
    said = [pieces(chance, GREETING + b"stray" * chance.randrange(99))]
    said += [pieces(chance, damage(chance, frames(chance))) for _ in range(chance.randrange(4))]
    one_sentence(lambda: hear(protocol, said), GuestError)


def hear(protocol: AgentProtocol, said: list[list[bytes]]) -> None:
    """A greeting, and the answers to commands."""
    for answer in said:
        for piece in answer:
            for event in protocol.feed(piece):
                if isinstance(event, Finished):
                    assert 0 <= event.status <= 255, event.status
                elif isinstance(event, Output):
                    assert MARK not in event.data
            assert len(protocol._buffer) <= LONGEST_FRAME_BYTES + len(piece)
        if protocol.ready and not protocol.running:
            protocol.run("true")


def session_case(chance: random.Random) -> None:
    """A session never keeps more than it should, and its users get one sentence."""
    console = Console(list(pieces(chance, GREETING + damage(chance, frames(chance)))))
    session = Restless(console, console.speak, lambda: 0)
    session._protocol.new_mark = lambda: MARK
    console.sink = session
    taken: list[bytes] = []
    one_sentence(lambda: session.run("true", taken.append, taken.append, 1.0))
    nothing = chance.choice((MARK + b" e \n", MARK + b" b\n", b"x" * 30)) * 1000
    for _ in range(100):
        session.write(nothing)
    kept = len(session._events) * EVENT_BYTES + len(session._protocol._buffer)
    assert kept <= 2 * PENDING_BYTES, kept


def frames(chance: random.Random) -> bytes:
    """What a command says."""
    said = b""
    for _ in range(chance.randrange(8)):
        kind = chance.choice((b"b", b"e", b"e", b"x", b"", b"y"))
        value = chance.choice(
            (b"", b"0", b"255", b"1" * 50, b"-1", b"1_0", base64.b64encode(b"errors"), b"\xb2")
        )
        said += MARK + b" " + kind + b" " + value + b"\n" + chance.choice((b"", b"out", MARK[:9]))
    return MARK + b" b\n" + said if chance.random() < 0.7 else said


def pieces(chance: random.Random, data: bytes) -> list[bytes]:
    """The data as it may come."""
    size = chance.choice((1, 7, 512, 1 << 16))
    return [data[at : at + size] for at in range(0, len(data), size)]


if __name__ == "__main__":
    main(case)
