"""Fuzz target: what a process of the user may send to a network's socket, and get from one."""

import random
import socket
from contextlib import suppress

import msgspec
from fuzz.harness import damage, main, odd_number, one_sentence

from hospes.base import asking
from hospes.base.errors import GuestError, HospesError
from hospes.network.framing import Inbox, with_length
from hospes.network.host_poll import Poll
from hospes.network.lan import messages
from hospes.network.lan.line import Line, refuse
from hospes.network.switch import Switch
from hospes.network.vnet import FRAME_MAX_BYTES
from hospes.spec.lan import LanSpec, parse_lease

VERBS = ("plug", "publish", "withdraw", "look", "x")
STATIONS = [b"\2\0\0\0\0" + bytes((number,)) for number in range(6)] + [b"\xff" * 6, bytes(6)]
TEXTS = ("02:00:00:00:00:01", "", "\0", "x" * 5000, b"\xff", 7, None, ["a"])
SUBNETS = ("10.7.0.0/24", "10.7.0.0/33", "/", "0/0", "10.7.0.0/-1",
           "\u0661\u0660.7.0.0/24", "fd00::/64")
LIMIT_BYTES = 16 << 20


class Network:
    """As the exchange does, without a gateway: a switch, and lines that are plugged in."""

    def __init__(self, chance: random.Random) -> None:
        self._chance, self.switch, self.now_ns = chance, Switch(), 1 << 40
        self.lines: dict[int, Line] = {}
        self.asked_for = 0

    def asked(self, line: Line, message: bytes) -> None:
        """Any request that is understood plugs the line in, if its turn has come."""
        self.asked_for += 1

        try:
            messages.unpack_request(message)
        except HospesError as error:
            line.answer(asking.pack_error(error))
            self.gone(line)
            return

        def act() -> bytes:
            mac = self._chance.choice(STATIONS[:6])
            if not self.switch.is_taken(mac) and not line.plugged:
                self.switch.attach(line.number, mac, strict=self._chance.random() < 0.2)
                line.plug(mac, "", b"")
            return asking.pack_value(messages.Plugged("10.7.0.2"))

        refuse(line, act)

    def sent(self, line: Line, pieces: list[tuple[int, int]]) -> None:
        """To where the switch says, which is never back."""
        view = line.inbox.view
        for start, end in pieces:
            assert 26 <= end - start <= FRAME_MAX_BYTES
            addresses = bytes(view[start + 12 : start + 24])
            targets = self.switch.targets(line.number, addresses, self.now_ns)
            assert line.number not in targets
            for number in targets:
                self.lines[number].pass_on(view[start - 4 : end], 1)
            for number in targets:
                if number in self.lines:
                    self.lines[number].flush()
            self.now_ns += self._chance.choice((0, 1, 10**9, 10**12))

    def gone(self, line: Line) -> None:
        """Its port is free."""
        line.close()
        if self.lines.pop(line.number, None) is not None and line.plugged:
            self.switch.detach(line.number)


def case(chance: random.Random) -> None:
    """Several machines say whatever they like; and a client hears whatever there is."""
    serve(chance)
    for use in (messages.unpack_request, lambda data: messages.unpack_answer(data, dict)):
        body = message(chance)
        one_sentence(lambda use=use, body=body: use(body))
    receive(chance)
    text = chance.choice(SUBNETS)
    lease = damage(chance, b"web=10.7.0.10").decode("latin-1")
    one_sentence(lambda: LanSpec(subnet=text, ipv6="", leases=dict([parse_lease(lease)])))


def serve(chance: random.Random) -> None:
    """Requests and frames, damaged now and then; nothing is a crash, and nothing is held."""
    poll, network = Poll(), Network(chance)
    ends = []
    for number in range(1, chance.randrange(2, 5)):
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        network.lines[number] = Line(number, ours, poll, network)
        ends.append(theirs)
    lines = list(network.lines.values())
    for _ in range(chance.randrange(1, 8)):
        end = chance.choice(ends)
        with suppress(OSError):
            end.send(stream(chance))
        for ready, events in poll.wait(0):
            ready(events)
        if chance.random() < 0.1:
            end.close()
        elif chance.random() < 0.5:
            with suppress(OSError):
                end.recv(1 << 20)
        for line in lines:
            assert line._outbox._bytes < LIMIT_BYTES
    for end in ends:
        end.close()
    for _ in range(3):
        for ready, events in poll.wait(0):
            ready(events)
    assert not network.lines, "a line whose other end is gone is still there"
    assert len(network.switch) == 0
    poll.close()


def stream(chance: random.Random) -> bytes:
    """Pieces that are right, or nearly."""
    pieces = b""
    for _ in range(chance.randrange(1, 5)):
        body = message(chance) if chance.random() < 0.3 else frame(chance)
        size = odd_number(chance, 32) & 0xFFFF_FFFF if chance.random() < 0.03 else len(body)
        pieces += size.to_bytes(4) + body
    return pieces if chance.random() < 0.9 else damage(chance, pieces)


def frame(chance: random.Random) -> bytes:
    """A frame of one of a few stations to another."""
    top = chance.randbytes(12) + chance.choice(STATIONS) + chance.choice(STATIONS) + b"\x08\x00"
    return top + bytes(chance.choice((0, 40, 1500, 60_000)))


def message(chance: random.Random) -> bytes:
    """A request or an answer that is nearly right."""
    publication = (chance.choice(TEXTS), odd_number(chance, 17), 80, chance.choice(("tcp", "x")))
    said: dict[str, object] = {"verb": chance.choice(VERBS), "mac": chance.choice(TEXTS)}
    if chance.random() < 0.5:
        said["publication"] = publication
    if chance.random() < 0.2:
        said = {"error": chance.choice(TEXTS), "value": chance.choice(TEXTS)}
    body = msgspec.msgpack.encode(said)
    return body if chance.random() < 0.8 else damage(chance, body)


def receive(chance: random.Random) -> None:
    """A machine's end takes whatever comes in place of frames."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        inbox = Inbox(26, FRAME_MAX_BYTES)
        for _ in range(5):
            with suppress(OSError):
                theirs.send(stream(chance))
            with suppress(GuestError, BlockingIOError):
                inbox.receive(ours)
                for start, end in inbox.take():
                    assert 26 <= end - start <= FRAME_MAX_BYTES
        with suppress(OSError):
            theirs.send(with_length(b"x"))


if __name__ == "__main__":
    main(case)
