"""Raw mode on a pseudo-terminal."""

import fcntl
import os
import pty
import signal
import struct
import termios
from collections.abc import Iterator

import pytest

from hospes.ui.terminal import LeaveKey, RawTerminal


@pytest.fixture
def terminal() -> Iterator[int]:
    master, slave = pty.openpty()
    yield slave
    os.close(master)
    os.close(slave)


def is_raw(fd: int) -> bool:
    return not termios.tcgetattr(fd)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)


def set_size(fd: int, columns: int, rows: int) -> None:
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def test_the_terminal_is_raw_inside_and_as_it_was_after(terminal: int) -> None:
    before = termios.tcgetattr(terminal)
    with RawTerminal(terminal):
        assert is_raw(terminal)
    assert termios.tcgetattr(terminal) == before


def test_an_error_inside_restores_it_too(terminal: int) -> None:
    before = termios.tcgetattr(terminal)
    with pytest.raises(KeyboardInterrupt), RawTerminal(terminal):
        raise KeyboardInterrupt
    assert termios.tcgetattr(terminal) == before


def test_the_size_is_told_at_the_start_and_when_it_changes(terminal: int) -> None:
    sizes: list[tuple[int, int]] = []
    set_size(terminal, 80, 24)
    earlier = signal.getsignal(signal.SIGWINCH)
    with RawTerminal(terminal, lambda columns, rows: sizes.append((columns, rows))):
        set_size(terminal, 132, 50)
        signal.raise_signal(signal.SIGWINCH)
    assert sizes == [(80, 24), (132, 50)]
    assert signal.getsignal(signal.SIGWINCH) == earlier


def test_the_leave_key_ends_what_the_guest_gets() -> None:
    left = []
    look = LeaveKey(lambda: left.append(True))
    assert look(b"ls\n") == b"ls\n"
    assert not left
    assert look(b"ab\x1dcd") == b"ab"
    assert left == [True]


def test_ctrl_c_goes_to_the_guest() -> None:
    assert LeaveKey(lambda: None)(b"\x03") == b"\x03"
