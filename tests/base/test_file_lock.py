"""The lock of a directory: one holder, known to others, gone with its holder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hospes.base.file_lock import is_locked, take_lock

HOLD = """
import sys
from hospes.base.file_lock import take_lock
from pathlib import Path
assert take_lock(Path(sys.argv[1])) is not None
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "lock").touch()
    return tmp_path / "lock"


def test_one_holder(path: Path) -> None:
    assert not is_locked(path)
    lock = take_lock(path)
    assert lock is not None
    assert is_locked(path)
    assert take_lock(path, 0.02) is None
    os.close(lock)
    assert not is_locked(path)


def test_a_killed_holder_holds_nothing(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert is_locked(path)
        holder.kill()
        holder.wait()
    assert not is_locked(path)


def test_a_lock_that_is_not_there(path: Path) -> None:
    path.unlink()
    with pytest.raises(FileNotFoundError):
        take_lock(path)
    with pytest.raises(FileNotFoundError):
        is_locked(path)
