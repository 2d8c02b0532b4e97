"""Fuzz target: what a command in a guest may send on its ports."""

import random
import socket

from fuzz.harness import damage, main, one_sentence

from hospes.base.errors import GuestError
from hospes.guests.execution.command import Command
from hospes.guests.execution.joining import Joined
from hospes.guests.execution.marked import LONGEST_STATUS_BYTES, MarkedStream
from hospes.guests.execution.running import Execution

MARK = "0123456789abcdef0123456789abcdef"
SEPARATOR = b"\xff" + MARK.encode()


def case(chance: random.Random) -> None:
    """A stream by itself, and a command's two streams with their ends."""
    data, size = damage(chance, marked(chance)), chance.choice((1, 7, 512, 1 << 16))
    stream = MarkedStream(MARK)

    def read() -> None:
        for at in range(0, len(data), size):
            assert SEPARATOR not in stream.feed(data[at : at + size])
            assert len(stream._buffer) <= len(SEPARATOR) + LONGEST_STATUS_BYTES

    one_sentence(read, GuestError)
    stream.finish()
    assert stream.status is None or 0 <= stream.status <= 255
    command_case(chance)


def command_case(chance: random.Random) -> None:
    """Either an exit code or one sentence."""
    pairs = [socket.socketpair() for _ in range(3)]
    for ours, theirs in pairs:
        ours.setblocking(False)
        theirs.setblocking(False)
    output, control, source = (ours for ours, _ in pairs)
    taken: list[bytes] = []
    joined = Joined(MARK, output, control, source if chance.random() < 0.5 else None)
    pieces = iter([b"input"] * chance.randrange(3)) if joined.input else None
    with Execution(Command(["true"]), joined, pieces, taken.append, taken.append) as execution:
        for _, theirs in pairs:
            theirs.send(damage(chance, marked(chance)))
            if chance.random() < 0.2:
                execution.signal("TERM")
                execution.resize(24, 80)
            theirs.close()
        one_sentence(lambda: finish(execution))
    source.close()


def finish(execution: Execution) -> None:
    """All has been sent, so a few steps are enough."""
    for _ in range(10):
        execution.step(0.0)
    assert execution.exit_code is not None
    assert 0 <= execution.exit_code <= 255


def marked(chance: random.Random) -> bytes:
    """A command's output with its marks."""
    left = chance.choice((b"", b"left", SEPARATOR[:-1], b"\xff" * 40))
    said = b"\xff" * chance.randrange(9) + b"output" * chance.randrange(200)
    end = chance.choice((b"0\n", b"255\n", b"", b"1", b"x\n", b" 3 \n", b"9" * 20, b"1\n2\n"))
    return left + SEPARATOR + said + SEPARATOR * chance.randrange(3) + end


if __name__ == "__main__":
    main(case)
