"""Fuzz target: what a guest's QEMU agent may answer, to the stream's reader and to a client."""

import json
import random

from fuzz.harness import damage, main, one_sentence

from hospes.base.errors import GuestError
from hospes.guests.qga import Agent
from hospes.guests.qga_protocol import LONGEST_LINE_BYTES, AgentStream, decode

NUMBERS = (0, 1, -1, 255, 1 << 31, 1 << 63, 10**30, 1.5, 1e308)
TEXTS = ("", "text", "YWJj", "a===", "\u00e9", "\ud800", "\0", "x\ny\x1b[2J", "YQ\n")
CALLS = ("info", "os_info", "time_ns", "freeze", "thaw", "ping", "shutdown", "capture", "set")


def case(chance: random.Random) -> None:
    """A damaged stream in pieces, and a client whose agent says anything."""
    stream_case(chance)
    client_case(chance)


def stream_case(chance: random.Random) -> None:
    """Only GuestError comes out, and little is kept."""
    stream = AgentStream()
    stream.synchronise()
    stream.synchronised = chance.random() < 0.5
    said = b"".join(chance.choice((b"\xff", b"", b"\n")) + answer(chance) for _ in range(8))
    data, size = damage(chance, said), chance.choice((1, 7, 512, 1 << 16))
    data = data[: 4000 * size]
    for at in range(0, len(data), size):
        one_sentence(lambda at=at: feed(stream, data[at : at + size]), GuestError)
        assert len(stream._buffer) <= LONGEST_LINE_BYTES + size


def feed(stream: AgentStream, piece: bytes) -> None:
    """Read and understand."""
    for each in stream.feed(piece):
        decode(each, dict)


class Said:
    """A connection to an agent that answers each request with its next piece, and then goes."""

    def __init__(self, said: list[bytes]) -> None:
        self._said = said

    def settimeout(self, seconds: float) -> None:
        """It never takes any."""

    def sendall(self, data: bytes) -> None:
        """Not looked at."""

    def recv(self, count: int) -> bytes:
        """The next piece."""
        return self._said.pop(0)[:count] if self._said else b""


def client_case(chance: random.Random) -> None:
    """One request, and what is said then."""
    name = chance.choice(CALLS)
    said = [b'{"return": {"pid": 1}}\n'] if name == "capture" else []
    said += [answer(chance) for _ in range(chance.randrange(4))]
    if chance.random() < 0.3:
        said = [damage(chance, piece) for piece in said]
    agent = Agent(Said(said))
    agent._stream.synchronised = True
    one_sentence(lambda: call(agent, name))


def call(agent: Agent, name: str) -> None:
    """Use the client as its users do."""
    if name == "capture":
        captured = agent.capture("/bin/true", ["a"], 0.0)
        assert isinstance(captured.output, bytes)
    elif name == "set":
        agent.set_time_ns(1)
    else:
        getattr(agent, name)()


def answer(chance: random.Random) -> bytes:
    """A line that is nearly right."""
    number, text = chance.choice(NUMBERS), chance.choice(TEXTS)
    flag = chance.choice((True, True, False, 1, None))
    command = {"name": text, "enabled": flag}
    value = chance.choice(
        (
            {},
            number,
            text,
            None,
            {"pid": number},
            {"exited": flag, "exitcode": number, "out-data": text, "err-data": text},
            {"exited": True, "out-data": text},
            {"exited": flag, "signal": number},
            {"version": text, "supported_commands": [command] * chance.randrange(3)},
            {"id": text, "name": text, "kernel-release": text},
        )
    )
    message = {"return": value}
    if chance.random() < 0.2:
        message = {"error": {"class": chance.choice((text, "CommandNotFound")), "desc": text}}
    if chance.random() < 0.05:
        return b'{"return": ' + chance.choice((b"[", b'{"a":')) * 9000 + b"\n"
    return json.dumps(message).encode() + b"\n"


if __name__ == "__main__":
    main(case)
