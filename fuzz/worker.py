"""Fuzz target: what a process of the user may send to a machine's socket, and get from one."""

import os
import random
import socket
from collections.abc import Callable

import msgspec
from fuzz.harness import damage, main, odd_number, one_sentence

from hospes.base import record
from hospes.base.errors import HospesError
from hospes.machine.life import MachineState
from hospes.machine.statistics import Statistics
from hospes.spec.kept import Ended, Started
from hospes.worker import conversation, messages
from hospes.worker.conversation import Conversation
from hospes.worker.frames import receive_message, receive_with_descriptor
from hospes.worker.messages import MachineInfo, PortInfo

VERBS = ("info", "stop", "pause", "resume", "statistics", "wait", "console", "port", "done", "x")
DEEP = (b"\x91", b"\x81\xa1a")


class Machine:
    """Does what it is told, or says that it cannot."""

    state, restarts, remarks = MachineState.RUNNING, 0, ("the host is full",)

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def stop(self, why: str) -> None:
        """Now and then it cannot."""
        if self._chance.random() < 0.1:
            raise HospesError("it cannot")

    def pause(self) -> None:
        """As stop."""
        self.stop("")

    def resume(self) -> None:
        """As stop."""
        self.stop("")

    def statistics(self) -> Statistics:
        """A row."""
        return Statistics("reference", 1, 1.0)

    def open_port(self, name: str) -> socket.socket:
        """Any that has a name."""
        if not name or not name.isprintable():
            raise HospesError(f"there is no port {name!r}")
        ours, theirs = socket.socketpair()
        ours.close()
        return theirs


class Share:
    """The console."""

    def add(self, connection: socket.socket, lines: int) -> None:
        """Gone at once."""
        assert isinstance(lines, int)
        connection.close()


class Agent:
    """The agent's port, which is never free."""

    outlived = False

    def open(self) -> None:
        """Busy."""

    def close(self, abandoned: bool) -> None:
        """Never open."""
        raise AssertionError


class Served:
    """What a conversation is about."""

    def __init__(self, chance: random.Random) -> None:
        self.machine, self.console, self.agent = Machine(chance), Share(), Agent()
        self.started = Started(process=1, when_s=2.0, agent="")
        self.ended = Ended(kind="off", exit_code=0, when_s=1.0) if chance.random() < 0.5 else None
        self.end_fd, self._other = os.pipe()

    def close(self) -> None:
        """Both ends."""
        os.close(self.end_fd)
        os.close(self._other)


def case(chance: random.Random) -> None:
    """A conversation, and a client's end of one."""
    serve(chance)
    for use in (messages.unpack_request, messages.unpack_reply, unpack_value):
        body = packed(chance)
        one_sentence(lambda use=use, body=body: use(body))
    receive(chance)


def serve(chance: random.Random) -> None:
    """Requests, damaged now and then, all sent before they are answered; nothing is a crash."""
    ours, theirs = socket.socketpair()
    served = Served(chance)
    said = b"".join(framed(chance, packed(chance)) for _ in range(chance.randrange(1, 6)))
    with theirs:
        theirs.sendall(said if chance.random() < 0.8 else damage(chance, said))
        theirs.shutdown(socket.SHUT_WR)
        crashes: list[BaseException] = []
        kept, conversation.save_crash = conversation.save_crash, crashes.append
        try:
            Conversation(served, ours).run()
        finally:
            conversation.save_crash = kept
            served.close()
        assert ours.fileno() < 0, "the connection stays open"
        if crashes:
            raise crashes[0]


def receive(chance: random.Random) -> None:
    """A client reads whatever comes in place of an answer."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(damage(chance, framed(chance, packed(chance))))
        theirs.shutdown(socket.SHUT_WR)
        limit = chance.choice((10, 1000, messages.LONGEST_REPLY_BYTES))
        read: Callable[[], object] = lambda: receive_message(ours, limit)  # noqa: E731
        if chance.random() < 0.3:
            read = lambda: receive_with_descriptor(ours, limit)  # noqa: E731
        one_sentence(read)


def unpack_value(body: bytes) -> None:
    """As a client understands a value."""
    for kind in (MachineInfo, PortInfo, Ended, list):
        one_sentence(lambda kind=kind: record.unpack(body, kind))


def framed(chance: random.Random, body: bytes) -> bytes:
    """With its length, or another."""
    wrong = chance.random() < 0.03
    length = odd_number(chance, 32) & 0xFFFF_FFFF if wrong else len(body)
    return length.to_bytes(4) + body


def packed(chance: random.Random) -> bytes:
    """A message that is nearly right."""
    number = chance.choice((0, -1, 5, 1 << 63, -(1 << 63), 1.5, None, True))
    text = chance.choice(("agent", "org.hospes.stream.0", "", "\0", "x" * 5000, b"\xff", 7))
    message: dict[str, object] = {"verb": chance.choice(VERBS)}
    if chance.random() < 0.7:
        message["lines"] = number
    if chance.random() < 0.7:
        message["name"] = text
    if chance.random() < 0.2:
        message = {"error": text, "kind": text, "value": number}
    if chance.random() < 0.05:
        return chance.choice(DEEP) * chance.choice((10, 9000))
    if chance.random() < 0.05:
        body = msgspec.msgpack.encode({"verb": "info"})
        return b"\x82" + body[1:] + b"\xa1z" + b"\x91" * 9000 + b"\xc0"
    if chance.random() < 0.05:
        return msgspec.msgpack.encode({"verb": b"info"}).replace(b"info", b"\xff\xfe\xfd\xfc")
    body = msgspec.msgpack.encode(message)
    return body if chance.random() < 0.8 else damage(chance, body)


if __name__ == "__main__":
    main(case)
