"""A machine's shared folders: opened once, closed at its end."""

import os
from pathlib import Path

import pytest
from tests.machine.bare import bare_machine

from hospes.base.errors import HospesError
from hospes.machine.folders import Folders
from hospes.spec.volume import VolumeSpec


def open_folder(path: Path) -> Folders:
    return Folders([VolumeSpec(path, "/src")], lambda: None, lambda sentence: None)


def test_what_is_no_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(HospesError, match=r"there is no folder .*/none to share"):
        open_folder(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(HospesError, match=r"/file is not a folder"):
        open_folder(tmp_path / "file")
    with pytest.raises(HospesError, match=r"cannot be shared: file name too long"):
        open_folder(tmp_path / ("x" * 300))


def test_nothing_is_left(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    folders = open_folder(tmp_path)
    assert [folder.tag for folder in folders.all] == ["volume0"]
    folders.all[0].executor.submit(lambda: None)
    folders.close()
    assert os.listdir("/proc/self/fd") == before
    with pytest.raises(HospesError):
        Folders(
            [VolumeSpec(tmp_path, "/a"), VolumeSpec(tmp_path / "none", "/b")],
            lambda: None, lambda sentence: None,
        )  # fmt: skip
    assert os.listdir("/proc/self/fd") == before


def test_the_board_has_a_device_for_each(tmp_path: Path) -> None:
    volumes = (VolumeSpec(tmp_path, "/a"), VolumeSpec(tmp_path, "/b", read_only=True))
    with bare_machine("j .", volumes=volumes) as machine:
        functions = machine._powered.board.functions
        assert [functions[name].config()[2:] for name in ("volume0", "volume1")] == [
            b"volume0", b"volume1",
        ]  # fmt: skip
