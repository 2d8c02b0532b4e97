"""Fuzz target: a virtiofsd that writes what it likes where it may, and answers as it likes."""

import mmap
import os
import random
import socket
import struct
from contextlib import ExitStack, closing

from fuzz.harness import assert_one_line, damage, main, odd_number

from hospes.folders.virtiofsd.exchange import PLACES, RINGS, BackendError, Exchange
from hospes.folders.virtiofsd.vhost_user import (
    PROTOCOL_FEATURES,
    REPLY_ACK,
    VERSION_1,
    FrontEnd,
    Request,
)

SLOTS, BYTES = 8, 8000
PATIENCE_SECONDS = 0.002
"""Nobody answers what is asked later: all answers lie there before the first question."""
ACKNOWLEDGED = (
    Request.SET_OWNER, Request.SET_FEATURES, Request.SET_MEM_TABLE,
    *(Request.SET_VRING_NUM, Request.SET_VRING_BASE, Request.SET_VRING_ADDR,
      Request.SET_VRING_CALL, Request.SET_VRING_KICK, Request.SET_VRING_ENABLE) * RINGS,
)  # fmt: skip


class Liar:
    """Maps the memory, tells the truth for a while, and then writes over it."""

    def __init__(self, chance: random.Random, exchange: Exchange) -> None:
        self._chance, self._exchange = chance, exchange
        self._map = mmap.mmap(exchange.fd, exchange.size_bytes)
        self._seen, self._done = [0] * RINGS, [0] * RINGS

    def close(self) -> None:
        """Unmap it."""
        self._map.close()

    def answer(self, ring: int, written: int) -> None:
        """The oldest that has been offered, truly."""
        place = self._exchange.rings[ring]
        at = place.available + 4 + 2 * (self._seen[ring] % self._exchange.ring_size)
        (head,) = struct.unpack_from("<H", self._map, at)
        self._seen[ring] += 1
        self._say(ring, head, written)

    def lie(self) -> None:
        """Something that may be noticed, or not."""
        chance = self._chance
        kind = chance.randrange(5)
        if kind == 0:
            self._say(chance.randrange(RINGS), PLACES * chance.randrange(SLOTS + 1), 0)
        elif kind == 1:
            head, written = (odd_number(chance, 32) & 0xFFFF_FFFF for _ in range(2))
            self._say(chance.randrange(RINGS), head, written)
        elif kind == 2:
            at = self._exchange.rings[chance.randrange(RINGS)].used + 2
            struct.pack_into("<H", self._map, at, odd_number(chance, 16) & 0xFFFF)
        elif kind == 3:
            self._scribble(self._exchange.rings[chance.randrange(RINGS)].used, 4096)
        else:
            self._scribble(0, self._exchange.size_bytes)

    def _scribble(self, first: int, count: int) -> None:
        data = self._chance.randbytes(self._chance.randrange(1, 200))
        at = first + self._chance.randrange(count - len(data))
        self._map[at : at + len(data)] = data

    def _say(self, ring: int, head: int, written: int) -> None:
        place = self._exchange.rings[ring].used
        entry = place + 4 + 8 * (self._done[ring] % self._exchange.ring_size)
        struct.pack_into("<II", self._map, entry, head, written)
        self._done[ring] = self._done[ring] + 1 & 0xFFFF
        struct.pack_into("<H", self._map, place + 2, self._done[ring])


def case(chance: random.Random) -> None:
    """One exchange with a back end, or one that is set up."""
    with closing(Exchange(SLOTS, BYTES)) as exchange:
        if chance.random() < 0.7:
            with closing(Liar(chance, exchange)) as liar:
                exchange_messages(chance, exchange, liar)
        else:
            set_up(chance, exchange)


def exchange_messages(chance: random.Random, exchange: Exchange, liar: Liar) -> None:
    """Until the first lie is noticed, and a little longer."""
    under_way: dict[int, int] = {}
    waiting: list[list[int]] = [[] for _ in range(RINGS)]
    lies = noticed = 0
    for _ in range(chance.randrange(1, 200)):
        ring = chance.randrange(RINGS)
        if len(under_way) < SLOTS and chance.random() < 0.6:
            slot, room = ask(chance, exchange, ring)
            assert slot not in under_way
            under_way[slot] = room
            waiting[ring].append(room)
        elif waiting[ring] and not lies:
            room = waiting[ring].pop(0)
            liar.answer(ring, chance.choice((0, room, chance.randrange(room + 1))))
        if chance.random() < 0.02:
            liar.lie()
            lies += 1
        try:
            for slot, answer in exchange.take(ring):
                assert len(answer) <= under_way.pop(slot)
        except BackendError:
            assert lies
            noticed += 1
        if noticed > 5:
            break


def ask(chance: random.Random, exchange: Exchange, ring: int) -> tuple[int, int]:
    """A message of any shape; its slot and room."""
    lengths = [40, *(chance.choice((0, 1, 40, 700)) for _ in range(chance.randrange(6)))]
    room = chance.choice((0, 1, 16, 17, 100, BYTES - sum(lengths)))
    parts = [chance.randbytes(length) for length in lengths]
    slot, copy = exchange.claim([memoryview(part) for part in parts])
    assert copy == b"".join(parts)
    copy.release()
    exchange.offer(ring, slot, lengths, room)
    return slot, room


def set_up(chance: random.Random, exchange: Exchange) -> None:
    """A back end that answers what the front end will ask, nearly."""
    kind = socket.SOCK_STREAM
    with ExitStack() as closing_all:
        ours, theirs = map(closing_all.enter_context, socket.socketpair(socket.AF_UNIX, kind))
        eventfds = [os.eventfd(0) for _ in range(2 * RINGS)]
        for fd in eventfds:
            closing_all.callback(os.close, fd)
        sound, replies = some_replies(chance)
        theirs.sendall(replies)
        if chance.random() < 0.5:
            theirs.shutdown(socket.SHUT_WR)
        if chance.random() < 0.1:
            theirs.close()
            sound = False
        ours.settimeout(PATIENCE_SECONDS)
        try:
            FrontEnd(ours).set_up(exchange, eventfds[:RINGS], eventfds[RINGS:])
        except BackendError as error:
            assert not sound
            assert_one_line(error)


def some_replies(chance: random.Random) -> tuple[bool, bytes]:
    """Whether all is as it should be, and it."""
    features, protocol = VERSION_1 | PROTOCOL_FEATURES, chance.choice((0, REPLY_ACK))
    numbers = [
        (Request.GET_FEATURES, features | chance.getrandbits(64)),
        (Request.GET_PROTOCOL_FEATURES, protocol),
    ]
    numbers += [(request, 0) for request in ACKNOWLEDGED if protocol]
    sound = chance.random() < 0.3
    if not sound and chance.random() < 0.7:
        place = chance.randrange(len(numbers))
        numbers[place] = numbers[place][0], odd_number(chance, 64) & ((1 << 64) - 1)
    replies = [struct.pack("<IIIQ", request, 5, 8, number) for request, number in numbers]
    if not sound and chance.random() < 0.7:
        place = chance.randrange(len(replies))
        replies[place] = damage(chance, replies[place])
    return sound, b"".join(replies)


if __name__ == "__main__":
    main(case)
