"""Which kernel of a disk is taken: by links, by release, on one partition or two."""

from pathlib import Path

import pytest
from tests.guests.ext4.images import gpt_disk, make_ext4, needs_e2fsprogs, needs_sfdisk, raw_disk

from hospes.base.errors import HospesError
from hospes.guests.boot_disk import find_boot_files
from hospes.spec.boot import BootContent, NothingToBootError

pytestmark = needs_e2fsprogs

UUID = "00010203-0405-0607-0809-0a0b0c0d0e0f"
CONSOLE = ("ro", "console=ttyS0")


def tree(folder: Path, files: dict[str, str]) -> Path:
    """Files with their own path as content; `-> target` makes a link."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if text.startswith("-> "):
            path.symlink_to(text[3:])
        else:
            path.write_text(text or name)
    return folder


def found(folder: Path, files: dict[str, str]) -> BootContent:
    make_ext4(folder / "disk", tree(folder / "tree", files), "-U", UUID)
    return find_boot_files([raw_disk(folder / "disk")])


ROOT = {"etc/fstab": "#", "boot/vmlinuz-6.9": "", "boot/initrd.img-6.9": ""}
NEWER = ROOT | {"boot/vmlinuz-6.12": "", "boot/initrd.img-6.12": "", "boot/vmlinuz-6.12~rc1": ""}
DEBIAN = NEWER | {"vmlinuz": "-> boot/vmlinuz-6.9", "initrd.img": "-> boot/initrd.img-6.9"}
RISCV = {
    "etc/fstab": "#",
    "boot/vmlinux-7+deb13-riscv64": "",
    "boot/initrd.img-7+deb13-riscv64": "",
    "boot/vmlinux": "-> vmlinux-7+deb13-riscv64",
    "boot/initrd.img": "-> initrd.img-7+deb13-riscv64",
}


@pytest.mark.parametrize(
    ("files", "release"),
    [
        (DEBIAN, "6.9"),
        (NEWER, "6.12"),
        (RISCV, "7+deb13-riscv64"),
        (DEBIAN | {"vmlinuz": "-> boot/gone"}, "6.12"),
        (DEBIAN | {"initrd.img": "-> boot/gone"}, "6.9"),
        (DEBIAN | {"vmlinuz": "-> /../boot/./vmlinuz-6.12"}, "6.12"),
    ],
)
def test_the_kernel_that_the_guest_would_boot(
    tmp_path: Path, files: dict[str, str], release: str
) -> None:
    content = found(tmp_path, files)
    assert content.release == release
    assert content.kernel.endswith(f"-{release}".encode())
    assert content.words == (f"root=UUID={UUID}", *CONSOLE)
    if files.get("initrd.img") != DEBIAN["initrd.img"] or "gone" not in files["vmlinuz"]:
        assert (content.initrd or b"").startswith(b"boot/initrd.img-")


def test_without_an_initrd(tmp_path: Path) -> None:
    content = found(tmp_path, {"boot/vmlinuz-1": "", "x": "y"})
    assert (content.kernel, content.initrd, content.words) == (b"boot/vmlinuz-1", None, CONSOLE)


@needs_sfdisk
@pytest.mark.parametrize("label", ["gpt", "dos"])
def test_a_boot_partition_of_its_own(tmp_path: Path, label: str) -> None:
    boot = {"vmlinuz-6.12": "", "initrd.img-6.12": "", "vmlinuz-6.9": "", "initrd.img-6.9": ""}
    root = {name: DEBIAN[name] for name in ("etc/fstab", "vmlinuz", "initrd.img")}
    make_ext4(tmp_path / "b", tree(tmp_path / "boot", boot), "-t", "ext2", size="8M")
    make_ext4(tmp_path / "r", tree(tmp_path / "root", root), "-U", UUID, size="8M")
    gpt_disk(tmp_path / "disk", [tmp_path / "b", tmp_path / "r"], label)
    content = find_boot_files([raw_disk(tmp_path / "disk")])
    assert (content.kernel, content.initrd) == (b"vmlinuz-6.9", b"initrd.img-6.9")
    assert content.words[0] == f"root=UUID={UUID}"
    assert content.name == f"disk {tmp_path}/disk (/vmlinuz-6.9)"


def test_nothing_to_boot(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(bytes(1 << 20))
    with pytest.raises(NothingToBootError, match=r"no Linux to boot on .*/empty; name an image"):
        find_boot_files([raw_disk(tmp_path / "empty")])
    with pytest.raises(NothingToBootError, match="no Linux to boot on"):
        found(tmp_path, {"etc/fstab": "#"})


def test_the_reason_is_told_when_a_file_system_cannot_be_read(tmp_path: Path) -> None:
    found(tmp_path, DEBIAN)
    with (tmp_path / "disk").open("r+b") as file:
        file.seek(1024 + 0x70)
        file.write(b"????")
    with pytest.raises(HospesError, match="superblock's checksum is wrong"):
        find_boot_files([raw_disk(tmp_path / "disk")])


def test_the_second_disk_is_looked_at_when_the_first_has_nothing(tmp_path: Path) -> None:
    found(tmp_path, DEBIAN)
    (tmp_path / "empty").write_bytes(bytes(1 << 20))
    content = find_boot_files([raw_disk(tmp_path / "empty"), raw_disk(tmp_path / "disk")])
    assert content.release == "6.9"
