"""The cache of object code: damage is noticed, trouble with the disk is survived."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hospes.compiler.cache import KEPT, ObjectCache

CODE = bytes(range(256)) * 8


@pytest.fixture
def cache(tmp_path: Path) -> ObjectCache:
    return ObjectCache(tmp_path / "made" / "native")


def file_of(cache: ObjectCache) -> Path:
    (path,) = cache.folder.iterdir()
    return path


def test_gives_back_what_was_put(cache: ObjectCache) -> None:
    assert cache.get("key") is None
    cache.put("key", CODE)
    assert cache.get("key") == CODE
    assert cache.get("other") is None
    cache.put("key", b"")
    assert cache.get("key") == b""


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "shorter than its digest": lambda data: data[:20],
    "cut off": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "a bit of the code": lambda data: data[:-5] + bytes([data[-5] ^ 1]) + data[-4:],
    "a bit of the digest": lambda data: bytes([data[0] ^ 0x80]) + data[1:],
    "without a digest": lambda data: CODE,
    "zeros, as after a power cut": lambda data: bytes(len(data)),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_file_counts_as_absent(cache: ObjectCache, name: str) -> None:
    cache.put("key", CODE)
    path = file_of(cache)
    path.write_bytes(DAMAGE[name](path.read_bytes()))
    assert cache.get("key") is None
    cache.put("key", CODE)
    assert cache.get("key") == CODE


def test_a_folder_in_the_files_place(cache: ObjectCache) -> None:
    (cache.folder / "key.o").mkdir(parents=True)
    assert cache.get("key") is None
    cache.put("key", CODE)
    assert [path.name for path in cache.folder.iterdir()] == ["key.o"]


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    cache = ObjectCache(tmp_path / "file" / "native")
    cache.put("key", CODE)
    assert cache.get("key") is None


def test_a_disk_that_fills_up(cache: ObjectCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    cache.put("key", CODE)
    assert cache.get("key") is None
    assert list(cache.folder.iterdir()) == []


def test_old_files_go(cache: ObjectCache) -> None:
    for number in range(KEPT + 3):
        cache.put(f"key{number}", CODE)
        os.utime(cache.folder / f"key{number}.o", ns=(number, number))
    cache.put("last", CODE)
    kept = {path.stem for path in cache.folder.iterdir()}
    assert kept == {"last", *(f"key{number}" for number in range(4, KEPT + 3))}


WRITER = """
import sys
from pathlib import Path
from hospes.compiler.cache import ObjectCache
cache = ObjectCache(Path(sys.argv[1]))
code = bytes(range(256)) * 4096
print("ready", flush=True)
sys.stdin.readline()
for turn in range(60):
    key = f"key{turn % 3}"
    found = cache.get(key)
    assert found is None or found == code, "a torn file"
    cache.put(key, code)
    assert cache.get(key) == code
"""


def test_processes_that_write_at_once(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for _ in range(2)
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    ended = [writer.communicate(timeout=60) for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0], ended
    assert {path.name for path in tmp_path.iterdir()} == {"key0.o", "key1.o", "key2.o"}
