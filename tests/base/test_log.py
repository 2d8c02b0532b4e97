"""Crash files."""

from pathlib import Path

import pytest

from hospes.base.log import CRASHES_KEPT, save_crash


def test_a_crash_file_holds_the_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOSPES_CACHE", str(tmp_path))
    try:
        raise RuntimeError("the flux is gone")
    except RuntimeError as error:
        path = save_crash(error)
    assert path is not None
    assert path.parent == tmp_path / "log"
    assert "RuntimeError: the flux is gone" in path.read_text()


def test_an_unwritable_cache_is_no_second_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    monkeypatch.setenv("HOSPES_CACHE", str(blocker))
    assert save_crash(RuntimeError("x")) is None


def test_the_oldest_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOSPES_CACHE", str(tmp_path))
    log = tmp_path / "log"
    log.mkdir()
    for number in range(60):
        (log / f"crash-20250101-{number:06}-1.txt").touch()
    (log / "debian.txt").touch()
    path = save_crash(RuntimeError("x"))
    left = sorted(path.name for path in log.glob("crash-*"))
    assert len(left) == CRASHES_KEPT
    assert left[0] == "crash-20250101-000011-1.txt"
    assert path is not None
    assert left[-1] == path.name
    assert (log / "debian.txt").exists()
