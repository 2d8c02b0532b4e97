"""The input/output thread."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from hospes.base.loop import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop("test loop")
    yield made
    made.close()


def test_posted_calls_run_in_order_in_the_thread(loop: Loop) -> None:
    seen: list[tuple[int, str]] = []
    done = threading.Event()
    for number in range(1000):
        loop.post(lambda n=number: seen.append((n, threading.current_thread().name)))  # type: ignore[misc]
    loop.post(done.set)
    assert done.wait(5)
    assert seen == [(number, "test loop") for number in range(1000)]


def test_readable_and_no_more(loop: Loop) -> None:
    read_end, write_end = os.pipe()
    got = bytearray()
    done = threading.Event()

    def readable() -> None:
        got.extend(os.read(read_end, 100))
        loop.on_readable(read_end, None)
        done.set()

    loop.post(lambda: loop.on_readable(read_end, readable))
    os.write(write_end, b"one")
    assert done.wait(5)
    os.write(write_end, b"two")
    loop.close()
    assert got == b"one"
    os.close(read_end)
    os.close(write_end)


def test_an_ordinary_file_is_readable(loop: Loop, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    done = threading.Event()
    with path.open("rb") as file:
        fd = file.fileno()

        def readable() -> None:
            loop.on_readable(fd, None)
            done.set()

        loop.post(lambda: loop.on_readable(fd, readable))
        assert done.wait(5)


def test_an_error_in_a_callback_does_not_end_the_thread(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashes: list[BaseException] = []
    monkeypatch.setattr("hospes.base.loop.save_crash", crashes.append)
    done = threading.Event()

    def fail() -> None:
        raise IndexError("on purpose")

    loop.post(fail)
    loop.post(done.set)
    assert done.wait(5)
    assert [type(crash) for crash in crashes] == [IndexError]


def test_close_leaves_no_thread_and_no_file() -> None:
    files, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    loop = Loop("short")
    loop.close()
    loop.close()
    assert len(os.listdir("/proc/self/fd")) == files
    assert threading.active_count() == threads
