"""Messages, in bytes as the protocol's description has them."""

import random

import pytest

from hospes.folders import reply
from hospes.folders.reply import Entry, Qid, Statistics
from hospes.folders.request import (
    NUMBERS,
    WALK_MAX,
    Create,
    MalformedError,
    Read,
    SetLock,
    Walk,
    Write,
    decode,
    encode,
    tag_of,
)

WALK = bytes.fromhex("1b000000 6e 0500 01000000 02000000 0200 0300") + b"usr" + b"\3\0" + b"bin"


def test_a_walk() -> None:
    assert decode(WALK) == Walk(1, 2, (b"usr", b"bin"))
    assert encode(Walk(1, 2, (b"usr", b"bin")), 5) == WALK
    assert tag_of(WALK) == 5


def test_numbers_and_texts_in_turn() -> None:
    message = bytes.fromhex("1c000000 0e 0100 07000000 0300") + b"new"
    message += bytes.fromhex("42000000 a4010000 e8030000")
    assert decode(message) == Create(7, b"new", 0x42, 0o644, 1000)


def test_data() -> None:
    message = bytes.fromhex("19000000 76 0100 07000000 0001000000000000 02000000") + b"ab"
    assert decode(message) == Write(7, 256, b"ab")


def test_what_follows_the_message_is_not_its() -> None:
    assert decode(WALK + b"more") == Walk(1, 2, (b"usr", b"bin"))


@pytest.mark.parametrize("size", range(7, len(WALK)))
def test_a_message_cut_off_anywhere(size: int) -> None:
    with pytest.raises(MalformedError):
        decode(WALK[:size])
    with pytest.raises(MalformedError):
        decode(size.to_bytes(4, "little") + WALK[4:size])


def test_texts_and_data_that_go_on_past_the_message() -> None:
    with pytest.raises(MalformedError):
        decode(WALK[:-4] + b"\xff\xff" + b"bi")
    with pytest.raises(MalformedError):
        decode(bytes.fromhex("19000000 76 0100 07000000 0001000000000000 ffffffff") + b"ab")
    many = bytes.fromhex("11000000 6e 0500 01000000 02000000") + bytes((WALK_MAX + 1, 0))
    with pytest.raises(MalformedError):
        decode(many)


def test_a_header_that_is_none() -> None:
    with pytest.raises(MalformedError):
        tag_of(b"abcdef")
    assert decode(bytes.fromhex("07000000 ff 0100")) is None


def test_every_request_comes_back_as_it_was() -> None:
    chance = random.Random(9)
    for kind in NUMBERS:
        width = {"texts": (b"a", b""), "bytes": b"some"}
        for _ in range(20):
            fields = []
            for name, of in kind.__annotations__.items():
                if of is bytes:
                    fields.append(chance.randbytes(chance.randrange(9)))
                elif of is int:
                    fields.append(chance.randrange(256 if name == "kind" else 1 << 16))
                else:
                    fields.append(width["texts"])
            request = kind(*fields)
            assert decode(encode(request, 3)) == request


def test_locks_and_reads_have_wide_numbers() -> None:
    lock = SetLock(1, 2, 3, 1 << 63, (1 << 64) - 1, 0xFFFF_FFFF, b"host")
    assert decode(encode(lock, 1)) == lock
    assert decode(encode(Read(1, (1 << 64) - 1, 1), 1)) == Read(1, (1 << 64) - 1, 1)


def test_answers() -> None:
    assert reply.error(2, 9) == bytes.fromhex("0b000000 07 0900 02000000")
    qid = Qid(reply.DIRECTORY, 5, 6)
    body = bytes.fromhex("80 05000000 0600000000000000")
    assert reply.qid(qid) == body
    assert reply.qids([qid, qid]) == b"\2\0" + body + body
    assert reply.opened(qid, 7) == body + bytes.fromhex("07000000")
    line = bytes.fromhex("0100000000000000 04 0100 78")
    assert reply.entry(Entry(qid, 1, 4, b"x")) == body + line
    assert len(reply.attributes(qid, 1, 2, 3, range(11))) == 153
    assert len(reply.statistics(Statistics(*range(8)))) == 60
    assert reply.whole(13, 1, reply.opened(qid, 0))[:7] == bytes.fromhex("18000000 0d 0100")
