"""A full disk, and a place that cannot be changed: one sentence each, with what to do."""

from pathlib import Path

import pytest

from hospes.base.disk_errors import disk_errors
from hospes.base.errors import HospesError


def test_a_full_disk() -> None:
    with (
        pytest.raises(HospesError) as caught,
        disk_errors("the machines in", Path("/somewhere"), "HOSPES_HOME"),
    ):
        Path("/dev/full").write_bytes(b"x")
    said = "the disk with the machines in /somewhere is full; free some space or set HOSPES_HOME"
    assert str(caught.value) == said


def test_a_place_that_cannot_be_changed(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(HospesError) as caught,
        disk_errors("the cache", tmp_path, "HOSPES_CACHE"),
    ):
        (tmp_path / "file" / "below").mkdir()
    said = f"the cache {tmp_path} cannot be changed (not a directory); set HOSPES_CACHE to a "
    assert str(caught.value) == f"{said}directory that can"
