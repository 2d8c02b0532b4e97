"""What can be asked for, and the program that the agent is to start."""

import shlex

import pytest

from hospes.base.errors import HospesError
from hospes.guests.execution.command import Command, StreamNames, Terminal, starting

NAMES = StreamNames("out", "control", "in")


def after_script(command: Command, names: StreamNames = NAMES) -> list[str]:
    program = starting(command, names, "mark", "/ports")
    assert program[:4] == ["setsid", "-f", "bash", "-c"]
    return program[6:]


def test_words_reach_the_guest_as_they_are() -> None:
    argv = ["printf", "%s", "a 'b' \"c\" $d `e` \\ \n ü"]
    assert after_script(Command(argv)) == [
        "mark", "/ports", "out", "control", "in", "", "", "", "LANG=C.UTF-8", *argv,
    ]  # fmt: skip


def test_settings() -> None:
    command = Command(["ls"], {"A": "b c", "LANG": "C"}, "/tmp", "debian")
    assert after_script(command, StreamNames("out", "control")) == [
        "mark", "/ports", "out", "control", "", "debian", "/tmp", "", "LANG=C", "A=b c", "ls",
    ]  # fmt: skip


def test_a_terminal_is_made_by_script() -> None:
    argv = ["ls", "a b", "$c"]
    words = after_script(Command(argv, {"X": "1"}, terminal=Terminal(30, 100, "vt100")))
    assert words[7:11] == ["terminal", "TERM=vt100", "LANG=C.UTF-8", "X=1"]
    assert words[-1] == "/dev/null"
    line = words[words.index("-c") + 1]
    assert "stty rows 30 cols 100" in line
    assert f"exec {shlex.join(argv)}" in line


def test_a_program_whose_name_looks_like_a_variable() -> None:
    assert after_script(Command(["a=b", "c"]))[-6:] == [
        "/bin/sh", "-c", 'exec "$@"', "sh", "a=b", "c",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"argv": []}, "no command to run"),
        ({"argv": [""]}, "no command to run"),
        ({"argv": ["a\0b"]}, "contains a NUL"),
        ({"argv": ["a", "\udcff"]}, "is not UTF-8"),
        ({"argv": ["a", "x" * 131072]}, "has 131072 bytes and Linux takes 131071"),
        ({"argv": ["a"], "user": "x; reboot"}, "no name of a user"),
        ({"argv": ["a"], "user": ""}, "no name of a user"),
        ({"argv": ["a"], "user": "-x"}, "no name of a user"),
        ({"argv": ["a"], "directory": ""}, "empty name"),
        ({"argv": ["a"], "environment": {"A=B": "c"}}, "no name of a variable"),
        ({"argv": ["a"], "environment": {"A": "\0"}}, "contains a NUL"),
        ({"argv": ["a"], "terminal": Terminal(-1, 80)}, "does not exist"),
        ({"argv": ["a"], "terminal": Terminal(24, 65536)}, "does not exist"),
    ],
)
def test_what_cannot_be(wanted: dict[str, object], sentence: str) -> None:
    with pytest.raises(HospesError, match=sentence) as raised:
        Command(**wanted)  # type: ignore[arg-type]
    assert "\n" not in str(raised.value)
