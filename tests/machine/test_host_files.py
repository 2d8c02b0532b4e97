"""A console joined to pipes, a pseudo-terminal and files."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.waiting import eventually

from hospes.base.clock import HostClock
from hospes.base.loop import Loop
from hospes.devices.stream import CharacterStream
from hospes.machine.console import Console
from hospes.machine.host_files import PENDING_BYTES, HostFiles


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop("test loop")
    yield made
    made.close()


class Guest:
    """The machine's thread, reduced to its console."""

    def __init__(self) -> None:
        self.awake = threading.Event()
        self.console = Console("ttyS0", self.awake.set)
        self.stream = CharacterStream(self.console, HostClock())

    def send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            taken = self.console.write(bytes(view[:10000]))
            view = view[taken:]
            if not taken:
                assert self.awake.wait(10)
                self.awake.clear()

    def receive(self, count: int) -> bytes:
        got = bytearray()
        limit = time.monotonic() + 10
        while len(got) < count and time.monotonic() < limit:
            self.console.deliver(self.stream)
            got += self.stream.take(5000)
        return bytes(got)


def reader(fd: int, into: bytearray) -> threading.Thread:
    def run() -> None:
        while data := os.read(fd, 1 << 16):
            into.extend(data)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_flood_arrives_whole_and_memory_stays_bounded(loop: Loop) -> None:
    guest = Guest()
    read_end, write_end = os.pipe()
    files = HostFiles(guest.console, loop, None, write_end)
    got = bytearray()
    thread = reader(read_end, got)
    flood = os.urandom(1 << 20) * 8
    guest.send(flood)
    assert len(files._pending) <= PENDING_BYTES
    files.close()
    os.close(write_end)
    thread.join()
    assert got == flood
    os.close(read_end)


def test_nobody_reading_holds_the_guest_back(loop: Loop) -> None:
    guest = Guest()
    read_end, write_end = os.pipe()
    files = HostFiles(guest.console, loop, None, write_end)
    total = 0
    while taken := guest.console.write(b"x" * 60000):
        total += taken
        time.sleep(0.01)
    assert PENDING_BYTES <= total <= PENDING_BYTES + (1 << 20)
    assert guest.console.blocked
    begun = time.monotonic()
    files.close()
    assert time.monotonic() - begun < 4
    assert not guest.console.blocked
    os.close(read_end)
    os.close(write_end)


def test_a_paste_arrives_whole(loop: Loop) -> None:
    guest = Guest()
    read_end, write_end = os.pipe()
    HostFiles(guest.console, loop, read_end, None)
    pasted = os.urandom(1 << 20)
    writer = threading.Thread(target=os.write, args=(write_end, pasted))
    writer.start()
    assert guest.receive(len(pasted)) == pasted
    writer.join()
    os.close(write_end)


def test_input_that_waits_is_not_read_further(loop: Loop) -> None:
    guest = Guest()
    read_end, write_end = os.pipe()
    files = HostFiles(guest.console, loop, read_end, None)
    os.set_blocking(write_end, False)
    total = 0
    while True:
        try:
            total += os.write(write_end, b"y" * 4096)
        except BlockingIOError:
            time.sleep(0.05)
            try:
                total += os.write(write_end, b"y" * 4096)
            except BlockingIOError:
                break
    assert total < 1 << 20
    assert guest.receive(total) == b"y" * total
    files.close()
    os.close(read_end)
    os.close(write_end)


def test_the_end_of_input_is_reported_once(loop: Loop) -> None:
    guest = Guest()
    read_end, write_end = os.pipe()
    ended: list[int] = []
    HostFiles(guest.console, loop, read_end, None, on_end=lambda: ended.append(1))
    os.write(write_end, b"bye")
    os.close(write_end)
    assert eventually(lambda: bool(ended), 5)
    assert guest.receive(3) == b"bye"
    assert ended == [1]
    os.close(read_end)


def test_a_closed_reader_ends_output_and_does_not_hold_the_guest(loop: Loop) -> None:
    guest = Guest()
    read_end, write_end = os.pipe()
    os.close(read_end)
    ended: list[int] = []
    HostFiles(guest.console, loop, None, write_end, on_end=lambda: ended.append(1))
    guest.console.write(b"anyone?")
    assert eventually(lambda: bool(ended), 5)
    guest.send(b"z" * (1 << 20))
    os.close(write_end)


def test_the_filter_sees_input_first(loop: Loop) -> None:
    guest = Guest()
    read_end, write_end = os.pipe()
    HostFiles(guest.console, loop, read_end, None, look=lambda data: data.replace(b"\x1d", b""))
    os.write(write_end, b"a\x1db")
    assert guest.receive(2) == b"ab"
    os.close(write_end)


def test_a_terminal_is_not_made_non_blocking(loop: Loop) -> None:
    guest = Guest()
    manager, terminal = os.openpty()
    files = HostFiles(guest.console, loop, None, terminal)
    guest.console.write(b"hello")
    assert os.read(manager, 100) == b"hello"
    assert os.get_blocking(terminal)
    files.close()
    os.close(manager)
    os.close(terminal)


def test_one_socket_for_both_directions(loop: Loop) -> None:
    guest = Guest()
    near, far = socket.socketpair()
    ended: list[int] = []
    files = HostFiles(
        guest.console, loop, near.fileno(), near.fileno(), on_end=lambda: ended.append(1)
    )
    far.sendall(b"typed")
    assert guest.receive(5) == b"typed"
    guest.send(b"shown")
    assert far.recv(100) == b"shown"
    far.close()
    assert eventually(lambda: bool(ended), 5)
    guest.send(b"into the void")
    files.close()
    near.close()


def test_output_to_an_ordinary_file(loop: Loop, tmp_path: Path) -> None:
    guest = Guest()
    path = tmp_path / "log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT)
    files = HostFiles(guest.console, loop, None, fd)
    guest.send(b"line\n" * 100000)
    files.close()
    os.close(fd)
    assert path.read_bytes() == b"line\n" * 100000


def test_closing_waits_for_a_reader_that_keeps_taking() -> None:
    """Slower than a second in all, but never idle for one."""
    read_end, write_end = os.pipe()
    loop = Loop("test")
    console = Console("console", lambda: None)
    files = HostFiles(console, loop, None, write_end)
    data = bytes(200 * 1024)
    assert console.write(data) == len(data)
    got = bytearray()

    def read() -> None:
        while len(got) < len(data):
            time.sleep(0.2)
            got.extend(os.read(read_end, 32768))

    reader = threading.Thread(target=read)
    reader.start()
    files.close()
    reader.join(10)
    loop.close()
    os.close(read_end)
    os.close(write_end)
    assert len(got) == len(data)
