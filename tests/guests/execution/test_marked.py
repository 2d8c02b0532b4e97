"""A command's stream between its marks, however it is cut into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hospes.base.errors import GuestError
from hospes.guests.execution.marked import LONGEST_STATUS_BYTES, MarkedStream, random_mark

MARK = "0123456789abcdef"
RAW = b"\xff" + MARK.encode()

pieces = st.sampled_from([b"a", b"\xff", b"\xff0", RAW[:-1], RAW[1:], b"\n", b"0\n"])
bodies = st.lists(pieces, max_size=8).map(b"".join).filter(lambda body: RAW not in body)


@given(bodies, bodies, st.integers(0, 255), st.integers(1, 20))
def test_every_byte_between_the_marks(before: bytes, body: bytes, status: int, size: int) -> None:
    stream, got = MarkedStream(MARK), b""
    data = before + RAW + body + RAW + b"%d\n" % status
    for at in range(0, len(data), size):
        got += stream.feed(data[at : at + size])
    got += stream.finish()
    assert got == body
    assert stream.status == status


@given(bodies, st.integers(1, 20))
def test_without_a_second_mark_everything_is_the_commands(body: bytes, size: int) -> None:
    stream, got = MarkedStream(MARK), b""
    data = RAW + body
    for at in range(0, len(data), size):
        got += stream.feed(data[at : at + size])
    assert got + stream.finish() == body
    assert stream.status is None


def test_only_a_possible_beginning_of_a_mark_waits() -> None:
    stream = MarkedStream(MARK)
    assert stream.feed(RAW + b"text") == b"text"
    assert stream.feed(b"more\xff012") == b"more"
    assert stream.feed(b"x") == b"\xff012x"


def test_what_others_left_takes_no_memory() -> None:
    stream = MarkedStream(MARK)
    for _ in range(50):
        assert stream.feed(bytes(100_000)) == b""
    assert len(stream._buffer) < len(RAW)
    assert stream.finish() == b""


@pytest.mark.parametrize("end", [b"", b"7", b"x\n", b"-1\n", b"\n"])
def test_a_status_that_is_none(end: bytes) -> None:
    stream = MarkedStream(MARK)
    stream.feed(RAW + RAW + end)
    stream.finish()
    assert stream.status is None


def test_an_endless_status_is_refused() -> None:
    stream = MarkedStream(MARK)
    with pytest.raises(GuestError, match="exit code"):
        stream.feed(RAW + RAW + b"1" * (LONGEST_STATUS_BYTES + 1))


def test_marks_differ() -> None:
    assert random_mark() != random_mark()
    assert len(random_mark()) == 32
