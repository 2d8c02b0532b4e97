"""Fuzz target: what a guest's agent, a command's port and a guest's tar may send."""

import io
import random
import tarfile

from fuzz.harness import main, odd_number

from hospes.base.errors import GuestError
from hospes.guests.execution.marked import MarkedStream
from hospes.guests.qga_protocol import LONGEST_LINE_BYTES, AgentStream, decode
from hospes.guests.transfer.extraction import components
from hospes.guests.transfer.tar_stream import Entry, TarStream

MARK = "0123456789abcdef0123456789abcdef"


def archive(chance: random.Random) -> bytes:
    """A stream with a few members of any type."""
    out = io.BytesIO()
    form = chance.choice((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT))
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for number in range(chance.randrange(6)):
            info = tarfile.TarInfo("./top/" + "x" * chance.choice((1, 90, 300)) + str(number))
            info.type = chance.choice((b"0", b"1", b"2", b"3", b"5", b"6", b"7"))
            info.linkname = "l" * chance.choice((0, 5, 200))
            info.size = chance.choice((0, 5, 512, 3000)) if info.type == b"0" else 0
            tar.addfile(info, io.BytesIO(bytes(info.size)))
    return out.getvalue()


def answers(chance: random.Random) -> bytes:
    """Lines as the agent sends them."""
    lines = (b'{"return": {}}\n', b'\xff{"return": 1}\n', b'{"error": {"class": "a"}}\n')
    return b"".join(chance.choice(lines) for _ in range(chance.randrange(8)))


def marked(chance: random.Random) -> bytes:
    """A command's output with its marks."""
    mark = b"\xff" + MARK.encode()
    return b"left" + mark + b"\xff" * chance.randrange(9) + b"output" + mark + b"0\n"


def damage(chance: random.Random, whole: bytes) -> bytes:
    """The same with a few bytes changed or cut off."""
    data = bytearray(whole)
    for _ in range(chance.randrange(4)):
        at, size = chance.randrange(len(data) + 1), chance.choice((1, 2, 4, 8, 12))
        data[at : at + size] = odd_number(chance, 8 * size).to_bytes(size + 1, "little")[:size]
    if chance.random() < 0.3:
        del data[chance.randrange(len(data) + 1) :]
    return bytes(data)


def case(chance: random.Random) -> None:
    """Each reader gets a damaged stream in pieces; only GuestError may come out of it."""
    agent, tar, stream = AgentStream(), TarStream(), MarkedStream(MARK)
    agent.synchronise()
    agent.synchronised = chance.random() < 0.5

    def to_agent(piece: bytes) -> None:
        for answer in agent.feed(piece):
            decode(answer, dict)
        assert len(agent._buffer) <= LONGEST_LINE_BYTES + len(piece)

    def to_tar(piece: bytes) -> None:
        for event in tar.feed(piece):
            if isinstance(event, Entry):
                assert ".." not in components(event.name)

    for read, make in ((to_agent, answers), (to_tar, archive), (stream.feed, marked)):
        data, size = damage(chance, make(chance)), chance.choice((1, 7, 512, 1 << 16))
        try:
            for at in range(0, len(data), size):
                read(data[at : at + size])
        except GuestError:
            pass


if __name__ == "__main__":
    main(case)
