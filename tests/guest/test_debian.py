"""A whole Debian on its root disk: it starts, is in order, and is the same under QEMU."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.guest.login import Login
from tests.guest.peer import QEMU, need_qemu

from hospes import Machine
from hospes.api import drive
from hospes.guests.catalogue import build
from hospes.guests.store import Image
from hospes.storage.chain import Surroundings
from hospes.storage.create import create_image

pytestmark = pytest.mark.guest

BOOT_SECONDS = 600
"""Long: the host may be busy with other things."""
TREE = (
    "mkdir /a && mount -t ext4 -o ro,noload /dev/vda /a && cd /a && ls -lAnR --full-time && "
    "find . -type f -print0 | sort -z | xargs -0 sha256sum"
)
ORDER = (
    "systemctl is-system-running --wait",
    "systemctl list-units --failed --plain --no-legend",
    "dmesg -l emerg,alert,crit,err",
    "cat /etc/hostname",
    "systemctl is-enabled systemd-networkd systemd-networkd-wait-online",
    "dpkg --audit",
)


@contextmanager
def here() -> Iterator[Login]:
    with Machine("debian", agent=False) as vm:
        yield Login(lambda: vm.console_output, vm.type)


@contextmanager
def in_qemu(image: Image, directory: Path) -> Iterator[Login]:
    """The same disk, kernel and initrd; what is written goes to a file of the test's own."""
    assert image.disk is not None
    overlay, shown = directory / "overlay.qcow2", directory / "console"
    around = Surroundings(places=(image.directory,))
    create_image(overlay, None, backing=image.disk, around=around)
    process = subprocess.Popen(
        [
            QEMU, "-machine", "virt", "-m", "1G", "-nographic", "-kernel", image.kernel,
            "-initrd", image.initrd, "-append", image.manifest.append,
            "-drive", f"file={overlay},if=none,id=root,format=qcow2",
            "-device", "virtio-blk-device,drive=root",
        ],
        stdin=subprocess.PIPE, stdout=shown.open("wb"),
    )  # fmt: skip
    assert process.stdin is not None
    keyboard = process.stdin

    def type(text: str) -> None:
        keyboard.write(text.encode())
        keyboard.flush()

    try:
        yield Login(lambda: shown.read_text("utf-8", "replace"), type)
    finally:
        process.kill()
        process.wait()


def order(login: Login) -> list[str]:
    login.enter(BOOT_SECONDS)
    return [login.run(command, BOOT_SECONDS)[1] for command in ORDER]


@pytest.mark.soak
def test_the_system_is_in_order_as_it_is_under_qemu(debian: Image, tmp_path: Path) -> None:
    need_qemu()
    with (
        here() as ours,
        in_qemu(debian, tmp_path) as theirs,
        ThreadPoolExecutor(1) as pool,
    ):
        judged = pool.submit(order, theirs)
        found = order(ours)
        assert found == judged.result()
    running, failed, errors, name, enabled, audit = found
    assert (running, failed, errors, audit) == ("running", "", "", "")
    assert name == "debian"
    assert enabled.split() == ["enabled", "disabled"]


@pytest.mark.soak
def test_it_has_a_disk_of_its_own_and_ends_well(debian: Image, tmp_path: Path) -> None:
    before = debian.manifest.files["disk.qcow2"]
    with Machine("debian", agent=False, append="systemd.hostname=mine", disks=["size=64M"]) as vm:
        login = Login(lambda: vm.console_output, vm.type)
        login.enter(BOOT_SECONDS)
        assert login.run("hostname") == (0, "mine")
        code, disks = login.run("findmnt -n -o SOURCE /; lsblk -n -d -o SIZE /dev/vdb")
        assert (code, disks.split()) == (0, ["/dev/vda", "64M"])
        assert login.run("touch /written; sync")[0] == 0
        vm.type("poweroff\n")
        assert vm.wait(BOOT_SECONDS).exit_code == 0
    assert debian.disk is not None
    assert debian.disk.stat().st_size == before.size


@pytest.mark.soak
def test_the_same_packages_make_the_same_files(debian: Image, tmp_path: Path) -> None:
    again = build("debian", [], drive, cache=tmp_path)
    trees = []
    for image in (debian, again):
        assert image.disk is not None
        with Machine("tiny", disks=[f"{image.disk},readonly"]) as vm:
            trees.append(vm.run(TREE, 1200, check=True).stdout.splitlines())
    if [p.sha256 for p in debian.manifest.packages] != [p.sha256 for p in again.manifest.packages]:
        pytest.skip("the archive has newer packages since the image was built")
    assert sorted(set(trees[0]) ^ set(trees[1])) == []
    assert trees[0] == trees[1]
    assert len(trees[0]) > 10_000
