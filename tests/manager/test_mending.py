"""Disks of a machine whose process was killed."""

from pathlib import Path

import pytest
from tests.storage.test_check import count_too_low, leaked_clusters, path

from hospes.base.errors import HospesError
from hospes.base.record import write_record
from hospes.manager.mending import mend_after_crash
from hospes.manager.store import MachineDirectory, Store
from hospes.spec.disk import DiskFormat, DiskSpec
from hospes.spec.kept import ENDING_FILE, STARTED_FILE, Ended, Started
from hospes.spec.machine import MachineSpec
from hospes.storage.check import check_image

__all__ = ["path"]


@pytest.fixture
def killed(tmp_path: Path) -> MachineDirectory:
    """A machine that was started, whose end nobody has written down."""
    machine = Store(tmp_path).create("web", lambda _: MachineSpec(image="tiny"))
    write_record(machine.path / STARTED_FILE, Started(process=1, when_s=1.0))
    return machine


@pytest.mark.parametrize("format", [None, DiskFormat.QCOW2])
def test_lost_space_is_given_back(
    killed: MachineDirectory, path: Path, format: DiskFormat | None
) -> None:
    leaked_clusters(path)
    assert check_image(path).leaks == 3
    mend_after_crash(killed, [DiskSpec(path, format)])
    assert check_image(path).leaks == 0


def test_nothing_is_touched_without_need(killed: MachineDirectory, path: Path) -> None:
    leaked_clusters(path)
    before = path.read_bytes()
    mend_after_crash(killed, [DiskSpec(path, read_only=True), DiskSpec(path, DiskFormat.RAW)])
    write_record(killed.path / ENDING_FILE, Ended(kind="poweroff", exit_code=0, when_s=2.0))
    mend_after_crash(killed, [DiskSpec(path)])
    assert path.read_bytes() == before


def test_a_damaged_disk_is_not_written_to(killed: MachineDirectory, path: Path) -> None:
    count_too_low(path)
    before = path.read_bytes()
    with pytest.raises(HospesError, match=r"'web' was killed and its disk .*a\.qcow2 is damaged"):
        mend_after_crash(killed, [DiskSpec(path)])
    assert path.read_bytes() == before


def test_what_is_missing_is_left_to_the_start(killed: MachineDirectory, tmp_path: Path) -> None:
    mend_after_crash(killed, [DiskSpec(tmp_path / "nothing.qcow2"), DiskSpec(size_bytes=1 << 20)])
