"""Booting what is on a disk: its own kernel, and after an upgrade and a reboot the new one."""

import io
from pathlib import Path

import pytest
from tests.guests.ext4.images import gpt_disk, make_ext4, needs_e2fsprogs, needs_sfdisk
from tests.ui.programs import hospes

from hospes.api import Machine
from hospes.base.errors import HospesError
from hospes.guests.cpio import write_archive
from hospes.guests.store import Image
from hospes.guests.tree import regular
from hospes.storage.convert import convert_image
from hospes.storage.create import create_image

pytestmark = [pytest.mark.guest, needs_e2fsprogs]

BOOT_SECONDS = 120.0
APPEND = "quiet hospes.agent=hvc0 hospes.disks"
UPGRADE = """
mount -t ext4 {} /mnt && cd /mnt/boot || exit
ln vmlinux-1 vmlinux-2 && mv new initrd.img-2
cd .. && ln -sf boot/vmlinux-2 vmlinux && ln -sf boot/initrd.img-2 initrd.img
sync
reboot -f
sleep 60
"""


def marked(initrd: bytes, mark: str) -> bytes:
    """An initrd with one file more, in a second archive."""
    more = io.BytesIO()
    write_archive([regular("mark", mark.encode())], more)
    return initrd + more.getvalue()


@pytest.fixture
def tree(tiny: Image, tmp_path: Path) -> Path:
    """A root with kernels, initrds and links as Debian has them."""
    root = tmp_path / "tree"
    (root / "boot").mkdir(parents=True)
    (root / "etc").mkdir()
    (root / "etc/fstab").touch()
    initrd = tiny.initrd.read_bytes()
    (root / "boot/vmlinux-1").write_bytes(tiny.kernel.read_bytes())
    (root / "boot/initrd.img-1").write_bytes(marked(initrd, "first"))
    (root / "boot/new").write_bytes(marked(initrd, "second"))
    (root / "vmlinux").symlink_to("boot/vmlinux-1")
    (root / "initrd.img").symlink_to("boot/initrd.img-1")
    return root


@pytest.mark.parametrize("kind", ["qcow2", pytest.param("gpt", marks=needs_sfdisk)])
def test_an_upgrade_in_the_guest_takes_effect_at_its_reboot(
    tree: Path, tmp_path: Path, kind: str
) -> None:
    whole, disk, device = tmp_path / "root.raw", tmp_path / "root.raw", "/dev/vda"
    make_ext4(whole, tree, "-U", "00010203-0405-0607-0809-0a0b0c0d0e0f", size="256M")
    if kind == "qcow2":
        disk = tmp_path / "root.qcow2"
        convert_image(whole, disk)
    if kind == "gpt":
        disk, device = tmp_path / "disk.raw", "/dev/vda1"
        gpt_disk(disk, [whole])
    with Machine(None, disks=[disk], append=APPEND, memory="256M") as vm:
        line = vm.run("cat /proc/cmdline", BOOT_SECONDS, check=True).stdout
        assert line.startswith("root=UUID=00010203-0405-0607-0809-0a0b0c0d0e0f ro console=ttyS0 ")
        assert vm.run("cat /mark", BOOT_SECONDS).stdout == "first"
        with pytest.raises(HospesError, match="restarted meanwhile"):
            vm.run(UPGRADE.format(device), BOOT_SECONDS)
        assert vm.run("cat /mark", BOOT_SECONDS).stdout == "second"


def test_without_anything_to_boot_there_is_one_sentence(tmp_path: Path) -> None:
    create_image(tmp_path / "empty.qcow2", 16 << 20)
    done = hospes("run", "--disk", str(tmp_path / "empty.qcow2"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"hospes: There is no Linux to boot on {tmp_path}/empty.qcow2;")
    assert len(done.stderr.splitlines()) == 1
