"""The agent's protocol as bytes: falling into step, answers, and whatever a guest may send."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hospes.base.errors import GuestError
from hospes.guests.qga_protocol import (
    LONGEST_LINE_BYTES,
    AgentStream,
    decode,
    parse,
    printable,
)


def mark_of(request: bytes) -> int:
    return int(json.loads(request[1:])["arguments"]["id"])


def in_step() -> AgentStream:
    stream = AgentStream()
    mark = mark_of(stream.synchronise())
    assert stream.feed(b'\xff{"return": %d}\n' % mark) == []
    assert stream.synchronised
    return stream


def test_a_request_is_one_line_of_json() -> None:
    line = AgentStream().request("guest-exec", {"path": "a\nb", "arg": ["é"]})
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "execute": "guest-exec",
        "arguments": {"path": "a\nb", "arg": ["é"]},
    }


def test_the_synchronising_request_begins_with_the_byte_that_clears_the_agent() -> None:
    first, second = AgentStream().synchronise(), AgentStream().synchronise()
    assert first[:1] == b"\xff"
    assert mark_of(first) != mark_of(second)


@given(st.lists(st.binary(max_size=20), max_size=6), st.integers(1, 7))
def test_leftovers_of_others_are_passed_over(garbage: list[bytes], size: int) -> None:
    """Answers to those who have gone, halves of them, and 0xFF anywhere."""
    stream = AgentStream()
    mark = mark_of(stream.synchronise())
    old = b'\xff{"return": %d}\n{"return": {}}\n' % (mark ^ 1)
    data = b"".join(garbage) + old + b"".join(garbage) + b'\xff{"return": %d}\n' % mark
    data += b'{"return": 7}\n'
    answers = [a for at in range(0, len(data), size) for a in stream.feed(data[at : at + size])]
    assert [decode(answer, int) for answer in answers] == [7]


def test_only_the_newest_request_puts_in_step() -> None:
    stream = AgentStream()
    old = mark_of(stream.synchronise())
    new = mark_of(stream.synchronise())
    stream.feed(b'\xff{"return": %d}\n' % old)
    assert not stream.synchronised
    stream.feed(b'\xff{"return": %d}\n' % new)
    assert stream.synchronised


def test_garbage_without_an_end_takes_no_memory() -> None:
    stream = AgentStream()
    mark = mark_of(stream.synchronise())
    for _ in range(100):
        stream.feed(b"\xff" + b"x" * 100_000)
        stream.feed(b"y" * 100_000)
        assert len(stream._buffer) <= 2 * LONGEST_LINE_BYTES
    stream.feed(b'\xff{"return": %d}\n' % mark)
    assert stream.synchronised


def test_a_line_without_an_end_is_refused() -> None:
    stream = in_step()
    for _ in range(16):
        assert stream.feed(b"x" * 65_536) == []
    with pytest.raises(GuestError, match="more than 1048576 bytes"):
        stream.feed(b"x")


def test_a_line_that_comes_byte_by_byte_takes_no_time() -> None:
    stream, began = in_step(), time.process_time()
    for _ in range(200_000):
        stream.feed(b"x")
    assert time.process_time() - began < 2.0


def test_a_failure_has_its_class_and_description() -> None:
    (answer,) = in_step().feed(b'{"error": {"class": "GenericError", "desc": "no"}}\n')
    assert answer.error is not None
    assert (answer.error.kind, answer.error.description) == ("GenericError", "no")


@pytest.mark.parametrize(
    "line",
    [
        b"nonsense",
        b"[]",
        b'{"error": 3}',
        b'{"return": ',
        b'{"error": {"class": 1, "desc": 2}}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"return": ' + b"[" * 100_000,
    ],
)
def test_what_is_no_answer_is_an_error_of_the_guest(line: bytes) -> None:
    with pytest.raises(GuestError, match="no answer"):
        parse(line)


@pytest.mark.parametrize("value", [b'"x"', b"1.5", b"null", b"[[[]]]", b"1" + b"0" * 5000])
def test_a_value_of_another_kind_is_an_error_of_the_guest(value: bytes) -> None:
    with pytest.raises(GuestError, match="something else was due"):
        decode(parse(b'{"return": %s}' % value), int)


@given(st.lists(st.binary(max_size=80), max_size=20))
def test_nothing_but_guest_errors_come_of_any_bytes(pieces: list[bytes]) -> None:
    stream = in_step()
    try:
        for piece in pieces:
            for answer in stream.feed(piece):
                decode(answer, int)
    except GuestError:
        pass


def test_what_a_guest_says_is_made_fit_for_a_sentence() -> None:
    assert printable("a\x1b[2Jb\nc\x9b\ud800d") == "a [2Jb c d"
    assert printable("a\u2028b\u202ec\U0001f600") == "a b c\U0001f600"
    assert printable(b"\xff" + b"x" * 1000) == "\ufffd" + "x" * 199
