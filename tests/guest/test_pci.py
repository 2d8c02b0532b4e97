"""PCI as a stock kernel finds it: functions, their interrupts, disks that come and go."""

import hashlib
import re
from pathlib import Path

import pytest

from hospes.api import Machine
from hospes.spec.vm import DISKS_MAX
from hospes.storage.create import create_image

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]

BOOT_SECONDS = 120.0
LIST = "cd /sys/bus/pci/devices; for d in *; do echo $d $(cat $d/vendor $d/device $d/class); done"
DISK = "/sys/bus/pci/devices/0000:00:03.0"
FOUND = """\
0000:00:01.0 0x1af4 0x1044 0x100000
0000:00:02.0 0x1af4 0x1043 0x078000
0000:00:03.0 0x1af4 0x1042 0x010000
"""
WRONG = re.compile(r"error|fail|can't|cannot|invalid|conflict|BUG|WARNING", re.IGNORECASE)
FILL = "dd if=/dev/urandom bs=1M count=8 | tee /dev/vda | md5sum; sync"
DIGEST = "echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/vda bs=1M count=8 | md5sum"
SIZES_AND_SERIALS = "cat /sys/block/vd?/size; for d in /sys/block/vd?; do cat $d/serial; echo; done"
AGAIN = f"echo 1 >{DISK}/remove; ls /dev/vda; echo 1 >/sys/bus/pci/rescan; sleep 0.2; ls /dev/vda"


@pytest.mark.parametrize(("interrupts", "kind"), [("aia", "PCI-MSIX"), ("plic", "PLIC")])
def test_a_disk(tmp_path: Path, interrupts: str, kind: str) -> None:
    path = tmp_path / "disk.raw"
    create_image(path, 8 << 20)
    with Machine("tiny", disks=[path], interrupts=interrupts, cpus=2) as vm:
        assert vm.run(LIST, BOOT_SECONDS, check=True).stdout == FOUND
        digest = vm.run(FILL, BOOT_SECONDS, check=True).stdout
        assert vm.run(DIGEST, BOOT_SECONDS, check=True).stdout == digest
        lines = vm.run("grep virtio /proc/interrupts", BOOT_SECONDS, check=True).stdout
        assert all(kind in line for line in lines.splitlines())
        assert vm.run(AGAIN, BOOT_SECONDS).stdout == "/dev/vda\n"
        assert vm.run(DIGEST, BOOT_SECONDS, check=True).stdout == digest
        log = vm.run("dmesg | grep -iE 'pci|virtio|vd[a-z]'", BOOT_SECONDS, check=True).stdout
        assert [line for line in log.splitlines() if WRONG.search(line)] == []
        assert vm.remarks == ()
    assert digest.split()[0] == hashlib.md5(path.read_bytes()).hexdigest()


def test_as_many_disks_as_may_be(tmp_path: Path) -> None:
    disks = [f"size={n + 1}M,serial=number{n}" for n in range(DISKS_MAX)]
    with Machine("tiny", disks=disks) as vm:
        seen = vm.run(SIZES_AND_SERIALS, BOOT_SECONDS, check=True)
        sizes = [str(2048 * (n + 1)) for n in range(DISKS_MAX)]
        assert seen.stdout.split() == sizes + [f"number{n}" for n in range(DISKS_MAX)]


def test_disks_in_slots() -> None:
    with Machine("tiny", disks=["size=1M,bus=mmio", "size=2M"]) as vm:
        seen = vm.run("cat /sys/block/vd?/size; ls -l /sys/block", BOOT_SECONDS, check=True)
        assert seen.stdout.split()[:2] == ["4096", "2048"]
        assert re.search(r"pci0000:00.*virtio_mmio", seen.stdout, re.DOTALL)
