"""Locks: one writer or many readers, in one process, in several, and against QEMU."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.storage.qemu import needs_qemu, qemu_img

from hospes.storage import lock
from hospes.storage.chain import open_image
from hospes.storage.create import create_image
from hospes.storage.errors import ImageInUseError
from hospes.storage.os_file import OsFiles

HOLD = """
import sys
from pathlib import Path
from hospes.storage.chain import open_image
image = open_image(Path(sys.argv[1]), writable=sys.argv[2] == "writable")
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create_image(tmp_path / "a.qcow2", 1 << 20)
    return tmp_path / "a.qcow2"


@contextmanager
def other_process(path: Path, how: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the image open."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("without_ofd_locks", [False, True])
def test_one_writer_or_many_readers(
    without_ofd_locks: bool, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if without_ofd_locks:
        monkeypatch.setattr(lock, "_SETLK", None)
    readers = [open_image(path), open_image(path)]
    with pytest.raises(ImageInUseError, match="in use by another machine"):
        open_image(path, writable=True)
    for reader in readers:
        reader.close()
    writer = open_image(path, writable=True)
    for writable in (False, True):
        with pytest.raises(ImageInUseError):
            open_image(path, writable=writable)
    writer.close()
    open_image(path).close()


def test_two_processes_and_one_that_is_killed(path: Path) -> None:
    with other_process(path, "writable") as process:
        with pytest.raises(ImageInUseError):
            open_image(path, writable=True)
        process.kill()
        process.wait()
        open_image(path, writable=True).close()
    with other_process(path, "reading"):
        open_image(path).close()
        with pytest.raises(ImageInUseError):
            open_image(path, writable=True)


def test_a_backing_image_cannot_be_written_to_meanwhile(path: Path, tmp_path: Path) -> None:
    create_image(tmp_path / "b.qcow2", None, backing=path)
    top = open_image(tmp_path / "b.qcow2", writable=True)
    with pytest.raises(ImageInUseError):
        open_image(path, writable=True)
    other = open_image(path)
    other.close()
    top.close()


def test_a_failed_opening_holds_nothing(path: Path, tmp_path: Path) -> None:
    create_image(tmp_path / "b.qcow2", None, backing=path)
    writer = open_image(path, writable=True)
    with pytest.raises(ImageInUseError):
        open_image(tmp_path / "b.qcow2", writable=True)
    writer.close()
    open_image(tmp_path / "b.qcow2", writable=True).close()


def test_information_is_had_without_a_lock(path: Path) -> None:
    writer = open_image(path, writable=True)
    OsFiles().open(path, writable=False, locked=False).close()
    writer.close()


@needs_qemu
def test_qemu_respects_our_locks(path: Path) -> None:
    writer = open_image(path, writable=True)
    done = subprocess.run(["qemu-img", "info", path], capture_output=True, text=True, check=False)
    assert "lock" in done.stderr
    writer.close()
    reader = open_image(path)
    qemu_img("info", path)
    words = ["qemu-io", "-c", "write 0 512", str(path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "lock" in done.stderr
    reader.close()


@needs_qemu
def test_we_respect_qemus_locks(path: Path) -> None:
    process = subprocess.Popen(
        ["qemu-io", str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write("write 0 512\n")
        process.stdin.flush()
        assert "wrote" in process.stdout.read(60)
        with pytest.raises(ImageInUseError):
            open_image(path, writable=True)
        with pytest.raises(ImageInUseError):
            open_image(path)
    finally:
        process.communicate("quit\n", timeout=20)
    open_image(path, writable=True).close()
