"""The console's log: bounded, kept over starts, and no trouble for the guest."""

import os
from pathlib import Path

import pytest

from hospes.worker.console_log import ConsoleLog


def test_it_is_rotated(tmp_path: Path) -> None:
    log = ConsoleLog(tmp_path / "log", tmp_path / "log.1", pytest.fail, 10)
    for piece in (b"12345", b"6789", b"abcdef", b"gh"):
        log.write(piece)
    log.close()
    assert (tmp_path / "log").read_bytes() == b"abcdefgh"
    assert (tmp_path / "log.1").read_bytes() == b"123456789"


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    for piece in (b"first ", b"second"):
        log = ConsoleLog(tmp_path / "log", tmp_path / "log.1", pytest.fail)
        log.write(piece)
        log.close()
    assert (tmp_path / "log").read_bytes() == b"first second"


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    os.symlink("/dev/full", tmp_path / "log")
    log = ConsoleLog(tmp_path / "log", tmp_path / "log.1", said.append)
    log.write(b"lost")
    log.close()
    assert said
    assert "is not complete: no space left on device" in said[0]
