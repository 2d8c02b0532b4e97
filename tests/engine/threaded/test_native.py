"""The engine's native code and its cache: made once, told of once, made again when damaged."""

import ctypes
from pathlib import Path

import pytest

from hospes.engine.threaded import native

TEXT = "define void @enter(ptr %h) {\n  store i64 99, ptr %h\n  ret void\n}\n"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """An empty cache, a small engine in place of the real one; the progress lines it gives."""
    monkeypatch.setenv("HOSPES_CACHE", str(tmp_path))
    monkeypatch.setattr(native, "_engine_text", lambda: TEXT)
    return []


def load(monkeypatch: pytest.MonkeyPatch, told: list[str]) -> int:
    """Load as a new process would; what the code stores."""
    monkeypatch.setattr(native, "_loaded", {})
    enter = native.load_engine(told.append)
    block = ctypes.c_uint64(0)
    enter(ctypes.addressof(block))
    return block.value


def test_is_generated_once(monkeypatch: pytest.MonkeyPatch, told: list[str]) -> None:
    assert [load(monkeypatch, told) for _ in range(3)] == [99] * 3
    assert told == ["generating native code for this processor (once)"]


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_damaged_object_is_generated_again(
    monkeypatch: pytest.MonkeyPatch, told: list[str], tmp_path: Path, damage: str
) -> None:
    load(monkeypatch, told)
    (path,) = (tmp_path / "native").iterdir()
    data = path.read_bytes()
    half = len(data) // 2
    path.write_bytes(data[:half] if damage == "cut" else data[:half] + b"\xcc\xcc" + data[half:])
    assert load(monkeypatch, told) == 99
    assert len(told) == 2
    assert path.read_bytes() == data
    assert load(monkeypatch, told) == 99
    assert len(told) == 2


def test_a_cache_that_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, told: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("HOSPES_CACHE", str(tmp_path / "file"))
    assert [load(monkeypatch, told) for _ in range(2)] == [99] * 2
    assert len(told) == 2
