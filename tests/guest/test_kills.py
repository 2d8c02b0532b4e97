"""The process of a machine is killed while its guest writes: nothing it was promised is lost."""

from pathlib import Path

import pytest
from tests.guest.debian import PATIENT, hospes
from tests.guest.durable import survives
from tests.guests.ext4.images import make_ext4, needs_e2fsprogs
from tests.storage.qemu import needs_qemu
from tests.worker.homes import own_home

from hospes.guests.store import Image
from hospes.manager.store import Store
from hospes.storage.convert import convert_image

pytestmark = [pytest.mark.guest, needs_e2fsprogs, needs_qemu]


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.soak)])
def test_a_data_disk(
    tiny: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    empty, plain, disk = tmp_path / "empty", tmp_path / "data.raw", tmp_path / "data.qcow2"
    empty.mkdir()
    make_ext4(plain, empty, size="256M")
    convert_image(plain, disk)
    with own_home(tmp_path / "home", monkeypatch):
        assert hospes("run", "--name", "k", "-d", "tiny", "--disk", str(disk)).returncode == 0
        mount = "mount -t ext4 /dev/vda /mnt"
        files = survives("k", disk, ("", "/mnt"), mount, kills, tmp_path)
        done = hospes("exec", "k", "--", f"{mount} && cat /mnt/{files[-1]} | head -n 1")
        assert done.stdout == f"{files[-1]}\n"


@pytest.mark.soak
def test_the_root_disk_of_a_whole_debian(
    debian: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with own_home(tmp_path / "home", monkeypatch):
        assert hospes("run", "--name", "k", "-d", "debian", "--append", PATIENT).returncode == 0
        disk = Store().find("k").path / "root.qcow2"
        make = "mkdir -p /root/kills && systemctl is-system-running --wait"
        files = survives("k", disk, ("/root/kills", "/root/kills"), make, 20, tmp_path)
        look = f"head -n 1 /root/kills/{files[-1]}; systemctl is-system-running --wait"
        assert hospes("exec", "k", "--", look).stdout == f"{files[-1]}\nrunning\n"
        errors = hospes("exec", "k", "--", "dmesg -l err,crit,alert,emerg").stdout
        assert errors == ""
