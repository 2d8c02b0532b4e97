"""Crash files."""

from pathlib import Path

import pytest

from hospes.base.log import save_crash


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
