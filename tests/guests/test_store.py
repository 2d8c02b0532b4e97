"""Images are whole or absent, whatever happens while they are made."""

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.guests.store import (
    FileRecord,
    Image,
    Manifest,
    cache_errors,
    discard_image,
    load_image,
    locked,
    record_file,
    replace_image,
    workspace,
)


def fill_with(content: bytes) -> "type[Manifest] | object":
    def fill(directory: Path) -> Manifest:
        (directory / "kernel").write_bytes(content)
        (directory / "initrd").write_bytes(content)
        return Manifest(
            name="x", recipe="1", release="13.1", packages=(), memory_bytes=1, append="",
            files={name: record_file(directory / name) for name in ("kernel", "initrd")},
        )  # fmt: skip

    return fill


def make(images: Path, content: bytes) -> Image:
    with locked(images, "x"):
        return replace_image(images, "x", fill_with(content))  # type: ignore[arg-type]


def names(images: Path) -> list[str]:
    return sorted(path.name for path in images.iterdir())


def test_an_image_is_made_loaded_replaced_and_removed(tmp_path: Path) -> None:
    made = make(tmp_path, b"one")
    assert made == load_image(tmp_path / "x")
    assert made.manifest.files["kernel"].size == made.kernel.stat().st_size == 3
    assert made.size_bytes == 6
    assert make(tmp_path, b"three").initrd.read_bytes() == b"three"
    assert names(tmp_path) == [".x.lock", "x"]
    discard_image(tmp_path, "x")
    assert load_image(tmp_path / "x") is None
    assert names(tmp_path) == [".x.lock"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt(), ValueError()]
)
def test_a_failure_leaves_the_old_image_and_nothing_else(
    tmp_path: Path, error: BaseException
) -> None:
    old = make(tmp_path, b"old")

    def fill(directory: Path) -> Manifest:
        (directory / "kernel").write_bytes(b"half")
        raise error

    with pytest.raises((type(error), HospesError)):
        replace_image(tmp_path, "x", fill)
    assert load_image(tmp_path / "x") == old
    assert names(tmp_path) == [".x.lock", "x"]


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(HospesError, match=r"is full; free some space or set HOSPES_CACHE"),
        cache_errors(tmp_path),
    ):
        Path("/dev/full").write_bytes(b"x")


def test_a_cache_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = pytest.raises(HospesError, match=r"not a directory.*HOSPES_CACHE")
    with refused, locked(tmp_path / "file" / "images", "x"):
        pass


def test_what_killed_processes_left_is_cleaned_up(tmp_path: Path) -> None:
    make(tmp_path, b"old")
    (tmp_path / "x").rename(tmp_path / ".x.old")  # killed between the two renames
    (tmp_path / ".x.new").mkdir()
    (tmp_path / ".x.new" / "kernel").touch()
    (tmp_path / ".x.work").mkdir()
    with workspace(tmp_path, "x") as work:
        assert names(work) == []
    make(tmp_path, b"new")
    assert names(tmp_path) == [".x.lock", "x"]


@pytest.mark.parametrize("name", ["kernel", "initrd"])
def test_a_damaged_image_says_how_to_mend_it(tmp_path: Path, name: str) -> None:
    make(tmp_path, b"content")
    (tmp_path / "x" / name).write_bytes(b"short")
    with pytest.raises(HospesError, match=rf"{name} has 5 bytes instead of 7; remove it with"):
        load_image(tmp_path / "x")
    (tmp_path / "x" / name).unlink()
    with pytest.raises(HospesError, match=rf"{name} is missing; remove it with"):
        load_image(tmp_path / "x")


@pytest.mark.parametrize("text", ["", "{}", '{"name": 5}', "[1]", "\xff"])
def test_a_damaged_manifest_is_one_sentence(tmp_path: Path, text: str) -> None:
    make(tmp_path, b"content")
    (tmp_path / "x" / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(HospesError, match="cannot be used"):
        load_image(tmp_path / "x")


def test_two_builders_take_turns(tmp_path: Path) -> None:
    waiting = threading.Event()
    done: list[str] = []

    def second() -> None:
        with locked(tmp_path, "x", lambda task, *_: waiting.set()):
            done.append("second")

    thread = threading.Thread(target=second)
    with locked(tmp_path, "x"):
        thread.start()
        assert waiting.wait(10)
        done.append("first")
    thread.join(10)
    assert done == ["first", "second"]


def test_a_dead_builder_s_lock_is_free(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from hospes.guests.store import locked\n"
        "with locked(Path(sys.argv[1]), 'x'): os._exit(9)"
    )
    result = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert result.returncode == 9
    with locked(tmp_path, "x"):
        assert os.listdir(tmp_path) == [".x.lock"]


def test_records_hold_size_and_checksum(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert record_file(tmp_path / "f") == FileRecord(3, digest)
