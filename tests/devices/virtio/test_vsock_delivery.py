"""Whatever the order of things, each byte and message arrives once, in order, within its credit."""

import random

import pytest
from tests.devices.virtio.vsock_peer import (
    GUEST,
    HEADER,
    NO_SEND,
    REQUEST,
    RESPONSE,
    RST,
    SEQPACKET,
    SHUTDOWN,
    STREAM,
    GuestSocket,
    Host,
    HostEnd,
)

from hospes.devices.virtio.vsock_packet import Packet
from hospes.devices.virtio.vsock_table import POOL_BYTES, Connections

KINDS = (STREAM, SEQPACKET)
SIZES = (1, 3, 100, 900, 5000)
STEPS = 60_000


class Talk:
    """A guest's socket, a host's end, and what each has to say to the other."""

    def __init__(self, chance: random.Random, number: int) -> None:
        self.chance = chance
        self.kind = chance.choice(KINDS)
        self.guest = GuestSocket(5000 + number, 9000, self.kind, chance.choice((2000, 32_768)))
        self.end: HostEnd | None = None
        self.up, self.down = self._words(40_000), self._words(self.guest.buffer)
        self.guest.to_send.extend(self.up)

    def _words(self, longest: int) -> list[bytes]:
        sizes = [min(self.chance.choice(SIZES), longest) for _ in range(self.chance.randrange(12))]
        return [self.chance.randbytes(size) for size in sizes]

    def host_step(self) -> None:
        """The host writes, ends, or takes."""
        end = self.end
        assert end is not None
        if self.down and self.chance.random() < 0.6:
            end.sends.append(self.down.pop(0))
        elif not self.down:
            end.closes = True
        end.room = self.chance.choice((0, 1, 700, 70_000))

    def guest_step(self, limit: int) -> list[bytes]:
        guest = self.guest
        if self.chance.random() < 0.5:
            guest.read_one()
            return [guest.say(6)] if self.chance.random() < 0.5 else []
        if not guest.open or guest.ended:
            return []
        said = guest.send_some(limit)
        if said is None and not guest.to_send:
            guest.ended = True
            return [guest.say(SHUTDOWN, flags=NO_SEND)]
        return [said] if said else []


class Run:
    """Some of them at once, over queues of which now the one and now the other moves."""

    def __init__(self, seed: int, count: int) -> None:
        self.chance = random.Random(seed)
        self.host = Host()
        self.table = Connections(self.host, GUEST)
        self.talks = {5000 + n: Talk(self.chance, n) for n in range(count)}
        self.outbound: list[bytes] = []
        self.sent: dict[Talk, tuple[list[bytes], list[bytes]]] = {
            talk: (list(talk.up), list(talk.down)) for talk in self.talks.values()
        }
        for talk in self.talks.values():
            self._begin(talk)

    def _begin(self, talk: Talk) -> None:
        if self.chance.random() < 0.5:
            self.outbound.append(talk.guest.say(REQUEST))
            self._out()
            talk.end = self.host.ends[-1]
            return
        talk.end = self.host.call(talk.guest.port, talk.kind == SEQPACKET)
        self.table.call(self.host.calls()[0])
        data = self.table.next_packet(100)
        while HEADER.unpack_from(data)[6] != REQUEST:
            self._in(data)
            data = self.table.next_packet(100)
        talk.guest.host_port = HEADER.unpack_from(data)[2]
        talk.guest.deliver(data)
        talk.guest.open = True
        self.outbound.append(talk.guest.say(RESPONSE))

    def _out(self) -> None:
        while self.outbound:
            data = self.outbound.pop(0)
            self.table.take(Packet.unpack(data), data[HEADER.size :], KINDS)

    def _in(self, data: bytes) -> None:
        talk = self.talks[HEADER.unpack_from(data)[3]]
        self.outbound += talk.guest.deliver(data)

    def step(self) -> None:
        talk = self.chance.choice(list(self.talks.values()))
        luck = self.chance.random()
        if luck < 0.2:
            talk.host_step()
        elif luck < 0.4:
            if talk.end.asked:
                talk.end.asked = False
                self.table.changed(talk.end)
        elif luck < 0.6:
            self.outbound += talk.guest_step(self.chance.choice((1, 900, 65_536)))
        elif luck < 0.8:
            self._out()
        else:
            data = self.table.next_packet(self.chance.choice((1, 3700, 70_000)))
            if data is not None:
                self._in(data)

    @property
    def done(self) -> bool:
        return not self.outbound and not self.table.pending and all(
            talk.guest.ended and talk.guest.peer_ended and not talk.guest.held
            and talk.end.got_end
            for talk in self.talks.values()
        )  # fmt: skip


@pytest.mark.parametrize("seed", range(60))
def test_everything_arrives(seed: int) -> None:
    run = Run(seed, count=seed % 4 + 1)
    steps = 0
    while not run.done:
        run.step()
        steps += 1
        assert steps < STEPS, "it goes no further"
    for talk, (up, down) in run.sent.items():
        assert not talk.guest.reset
        if talk.kind == SEQPACKET:
            assert talk.end.got == up
            assert talk.guest.read == down
        else:
            assert b"".join(talk.end.got) == b"".join(up)
            assert b"".join(talk.guest.read) == b"".join(down)
    for talk in run.talks.values():
        run.outbound.append(talk.guest.say(RST))
    run._out()
    assert len(run.table) == 0
    assert run.table._pool == POOL_BYTES
    assert all(end.closed for end in run.host.ends)
