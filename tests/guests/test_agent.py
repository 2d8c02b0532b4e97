"""The host's end of the agent protocol, byte by byte."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hospes.base.errors import GuestError, HospesError
from hospes.guests.agent import (
    LONGEST_COMMAND_BYTES,
    LONGEST_FRAME_BYTES,
    AgentProtocol,
    ErrorOutput,
    Event,
    Finished,
    Output,
    Ready,
    random_mark,
)

MARK = b"0123456789abcdef0123456789abcdef"
GREETING = b"hospes-agent 1\n"


def started() -> AgentProtocol:
    protocol = AgentProtocol(lambda: MARK)
    assert protocol.feed(GREETING) == [Ready(1)]
    protocol.run("true")
    assert protocol.feed(MARK + b" b\n") == []
    return protocol


def joined(events: list[Event]) -> tuple[bytes, bytes, list[int]]:
    return (
        b"".join(e.data for e in events if isinstance(e, Output)),
        b"".join(e.data for e in events if isinstance(e, ErrorOutput)),
        [e.status for e in events if isinstance(e, Finished)],
    )


def test_noise_before_the_greeting_is_dropped() -> None:
    protocol = AgentProtocol()
    assert protocol.feed(b"\0noise\r\n" * 1000 + b"hospes-a") == []
    assert protocol.feed(b"gent 1\r\nmore noise") == [Ready(1)]


def test_another_version_is_refused() -> None:
    with pytest.raises(GuestError, match="version 2"):
        AgentProtocol().feed(b"hospes-agent 2\n")


def test_a_command_is_sent_with_its_length() -> None:
    protocol = AgentProtocol(lambda: MARK)
    protocol.feed(GREETING)
    assert protocol.run("écho a\nb") == b"run " + MARK + b" 10\n\xc3\xa9cho a\nb\n"


def test_every_command_has_another_mark() -> None:
    marks = {random_mark() for _ in range(100)}
    assert len(marks) == 100
    assert {len(mark) for mark in marks} == {32}


def test_one_command_at_a_time_and_none_too_early() -> None:
    protocol = AgentProtocol()
    with pytest.raises(HospesError, match="not ready yet"):
        protocol.run("true")
    with pytest.raises(HospesError, match="still running"):
        started().run("true")


@pytest.mark.parametrize("command", ["a\0b", "x" * (LONGEST_COMMAND_BYTES + 1)])
def test_impossible_commands_are_refused(command: str) -> None:
    protocol = AgentProtocol()
    protocol.feed(GREETING)
    with pytest.raises(HospesError, match="file"):
        protocol.run(command)
    assert not protocol.running


def test_signals_have_known_names() -> None:
    assert AgentProtocol().signal("INT") == b"signal INT\n"
    with pytest.raises(HospesError, match="INT"):
        AgentProtocol().signal("9; poweroff")


@given(st.binary(max_size=400), st.binary(max_size=99), st.lists(st.integers(1, 60), min_size=1))
def test_any_output_survives_any_division(out: bytes, err: bytes, sizes: list[int]) -> None:
    half = len(out) // 2
    frame = MARK + b" e " + base64.b64encode(err) + b"\n"
    stream = out[:half] + frame + out[half:] + MARK + b" x 3\n"
    protocol, events = started(), []
    while stream:
        size = sizes[0]
        sizes = sizes[1:] + sizes[:1]
        events += protocol.feed(stream[:size])
        stream = stream[size:]
    assert joined(events) == (out, err, [3])
    assert not protocol.running


def test_output_that_begins_like_a_mark_is_output() -> None:
    protocol = started()
    assert protocol.feed(b"x" + MARK[:20]) == [Output(b"x")]
    assert protocol.feed(b"!") == [Output(MARK[:20] + b"!")]


def test_output_is_not_held_back() -> None:
    assert started().feed(b"prompt> ") == [Output(b"prompt> ")]


def test_nobody_s_output_is_dropped() -> None:
    protocol = AgentProtocol(lambda: MARK)
    protocol.feed(GREETING + b"late output of a child")
    protocol.run("true")
    assert protocol.feed(b"more of it" + MARK + b" b\n" + MARK + b" x 0\nafter") == [Finished(0)]


@pytest.mark.parametrize("frame", [b" q 1", b" x", b" x one", b" x 256", b" x -1", b" x 1_0",
                                   b" x " + b"9" * 5000, b" e %%%", b"", b" e YQ"])  # fmt: skip
def test_broken_frames_are_the_guest_s_error(frame: bytes) -> None:
    with pytest.raises(GuestError, match="frame"):
        started().feed(MARK + frame + b"\n")


def test_a_frame_without_an_end_is_bounded() -> None:
    protocol = started()
    protocol.feed(MARK + b" e ")
    with pytest.raises(GuestError, match="without an end"):
        protocol.feed(b"A" * (LONGEST_FRAME_BYTES + 1))
