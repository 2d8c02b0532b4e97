"""What an image with a root disk is built from, with a pretended apt and a pretended guest."""

import hashlib
import lzma
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.guests.conftest import BUSYBOX, KERNEL
from tests.guests.debs import deb, member, tar
from tests.guests.test_iso9660 import entries
from tests.guests.test_light_modules import module
from tests.guests.test_module_signature import signed

from hospes.base.errors import HospesError
from hospes.base.progress import silent
from hospes.guests import catalogue
from hospes.guests.cpio import read_archive
from hospes.guests.debian_recipe import APPEND, BASE_PACKAGES
from hospes.guests.debian_script import INSTALL_SCRIPT, START
from hospes.guests.store import Image
from hospes.spec.vm import VmSpec
from hospes.storage.chain import open_image

CONTENTS = {
    "busybox-static": ("usr/bin/busybox", BUSYBOX),
    "linux-image-9": ("boot/vmlinux-9", KERNEL),
    "e2fsprogs": ("usr/sbin/mke2fs", b"mke2fs"),
    "libeatmydata1": ("usr/lib/riscv64-linux-gnu/libeatmydata.so.1.3.0", b"library"),
}
SIGNED = signed(module(), 0, 0, 700)
MODULE = (member("./usr/lib/modules/9/kernel/fs/isofs/isofs.ko.xz"), lzma.compress(SIGNED))
SIZE = 1 << 20


class PretendedApt:
    """Every package there is stands alone, but that the kernel's brings linux-image-9."""

    mirror = "http://m.invalid/debian"
    release = "13.9"

    def __init__(self, root: Path) -> None:
        self.root = root
        self.made = {name: self._make(name) for name in (*BASE_PACKAGES, *CONTENTS, "nginx")}

    def _make(self, name: str) -> bytes:
        path, content = CONTENTS.get(name, (f"usr/share/{name}", b""))
        more = [MODULE] if name == "linux-image-9" else []
        self.root.mkdir(exist_ok=True)
        entry = (member(f"./{path}", mode=0o755), content)
        return deb(self.root / name, entry, *more, name=name).read_bytes()

    def update(self, progress: object) -> None: ...

    def available(self) -> str:
        return "\n\n".join(
            f"Package: {name}\nVersion: 1.0-1\nArchitecture: riscv64\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}" + "\nEssential: yes" * (name == "apt")
            for name, data in self.made.items()
        )

    def simulate(self, names: Sequence[str]) -> str:
        more = ["linux-image-9"] if "linux-image-riscv64" in names else []
        return "\n".join(f"{what} {n} (1)" for what in ("Inst", "Conf") for n in (*names, *more))

    def download_closure(self, names: Sequence[str], into: Path, progress: object) -> None:
        for name in names:
            (into / f"{name}_1.0-1_riscv64.deb").write_bytes(self.made[name])

    download = download_closure


class PretendedGuest:
    """Notes what it was given; says `words` and ends with `code`."""

    def __init__(self, words: bytes = b"", code: int = 0) -> None:
        self.words, self.code = words, code
        self.source: dict[str, bytes] = {}
        self.initramfs: dict[str, bytes] = {}
        self.command = ""

    def __call__(self, spec: VmSpec, command: str, output: Callable[[bytes], object]) -> int:
        disk, source, initrd, journal = (one.path for one in spec.disks)
        assert disk is not None
        assert source is not None
        assert initrd is not None
        assert journal is not None
        assert spec.disks[1].read_only
        self.command, self.source = command, entries(source.read_bytes())
        assert spec.initrd is not None
        self.initramfs = {e.path: e.data for e in read_archive(spec.initrd.read_bytes())}
        with disk.open("r+b") as file:
            file.write(b"installed")
        initrd.write_bytes(tar((member("initrd.img-9"), b"made in the guest")))
        output(self.words)
        return self.code


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Image]:
    monkeypatch.setattr("hospes.guests.debian.PrivateApt", PretendedApt)

    def make(guest: PretendedGuest, name: str = "own", *packages: str) -> Image:
        return catalogue.build(name, packages, guest, disk_bytes=SIZE, cache=tmp_path)

    return make


def test_the_guest_finds_all_it_needs(build: Callable[..., Image]) -> None:
    guest = PretendedGuest()
    build(guest, "own", "nginx")
    assert guest.command == START
    assert guest.source["install"].decode() == INSTALL_SCRIPT
    assert {f"{name}.deb" for name in (*BASE_PACKAGES, "nginx")} <= set(guest.source)
    settings = dict(line.split("=", 1) for line in guest.source["settings"].decode().splitlines())
    assert settings["FOUNDATION"] == '"apt"'
    assert settings["EPOCH"] == '"0"'
    steps = [line.split() for line in guest.source["steps"].decode().splitlines()]
    assert [step[0] for step in steps] == ["unpack", "configure"]
    assert "nginx" in steps[0]
    assert "apt" not in steps[0]
    modules = [entry.path for entry in read_archive(guest.source["modules"]) if entry.is_regular]
    assert modules == ["usr/lib/modules/9/kernel/fs/isofs/isofs.ko.xz"]


def test_the_guest_waits_for_nothing(build: Callable[..., Image]) -> None:
    """Its modules are loaded as they are, and its dpkg's fsync is void."""
    guest = PretendedGuest()
    build(guest)
    assert guest.initramfs["usr/lib/modules/9/kernel/fs/isofs/isofs.ko"] == module()
    assert guest.source["libeatmydata.so"] == b"library"


def test_the_files_by_which_an_image_differs(build: Callable[..., Image]) -> None:
    guest = PretendedGuest()
    build(guest)
    late = {entry.path: entry.data.decode() for entry in read_archive(guest.source["after"])}
    assert late["etc/hostname"] == "own\n"
    assert "127.0.1.1 own" in late["etc/hosts"]
    assert late["etc/fstab"].startswith("LABEL=root / ext4")
    assert "URIs: http://m.invalid/debian\n" in late["etc/apt/sources.list.d/debian.sources"]
    early = {entry.path: entry for entry in read_archive(guest.source["before"])}
    assert early["usr/sbin/policy-rc.d"].mode & 0o111


def test_what_becomes_of_it(build: Callable[..., Image]) -> None:
    image = build(PretendedGuest(), "own", "nginx")
    assert image.disk is not None
    disk = open_image(image.disk)
    assert (disk.size_bytes, disk.read(0, 9)) == (SIZE, b"installed")
    disk.close()
    assert image.initrd.read_bytes() == b"made in the guest"
    assert image.kernel.read_bytes() == KERNEL
    manifest = image.manifest
    assert (manifest.append, manifest.agent, manifest.wanted) == (APPEND, "qemu", ("nginx",))
    assert (manifest.release, manifest.memory_bytes) == ("13.9", 1 << 30)
    assert "nginx" in [record.name for record in manifest.packages]


def test_an_own_image_is_listed_found_and_removed(
    build: Callable[..., Image], tmp_path: Path
) -> None:
    image = build(PretendedGuest(), "own", "nginx")
    assert catalogue.ensure("own", cache=tmp_path) == catalogue.locate("own", tmp_path) == image
    line = catalogue.list_images(tmp_path)[-1]
    assert (line.name, line.description, line.present) == ("own", "debian with nginx", True)
    catalogue.remove("own", tmp_path)
    known = "tiny, installer, debian"
    with pytest.raises(HospesError, match=f"no image 'own'; the known images are: {known}"):
        catalogue.locate("own", tmp_path)


def test_it_is_made_again_as_it_was(build: Callable[..., Image], tmp_path: Path) -> None:
    first = build(PretendedGuest(), "own", "nginx")
    again = catalogue.pull("own", cache=tmp_path, driver=PretendedGuest())
    assert again.manifest.wanted == first.manifest.wanted == ("nginx",)
    assert again.manifest.disk_bytes == SIZE


def test_packages_stay_in_the_cache(build: Callable[..., Image], tmp_path: Path) -> None:
    build(PretendedGuest())
    kept = [path.name for path in (tmp_path / "packages").iterdir()]
    assert "apt_1.0-1_riscv64.deb" in kept
    assert not (tmp_path / "images/.own.work").exists()


def test_a_package_that_fails(build: Callable[..., Image], tmp_path: Path) -> None:
    words = b"dpkg: error processing package nginx (--configure):\n it returned exit status 1\n"
    with pytest.raises(HospesError, match="package nginx cannot be installed") as caught:
        build(PretendedGuest(words, 1), "own", "nginx")
    assert "it returned exit status 1" in str(caught.value)
    log = tmp_path / "log/own.txt"
    assert str(log) in str(caught.value)
    assert log.read_bytes() == words
    assert not (tmp_path / "images/own").exists()


@pytest.mark.parametrize("words", [b"", b"mke2fs: no such device\n"])
def test_a_guest_that_fails_otherwise(build: Callable[..., Image], words: bytes) -> None:
    with pytest.raises(HospesError, match="Installing failed in the guest"):
        build(PretendedGuest(words, 1))


@pytest.mark.parametrize("name", ["Debian", "a_b", "-a", "a" * 64, "../a", ""])
def test_a_name_that_cannot_be(build: Callable[..., Image], name: str) -> None:
    with pytest.raises(HospesError, match="cannot be called"):
        build(PretendedGuest(), name)


def test_tiny_has_no_root_disk(tmp_path: Path) -> None:
    with pytest.raises(HospesError, match="'tiny' has no root disk to build on"):
        catalogue.build("own", [], PretendedGuest(), base="tiny", cache=tmp_path)
    with pytest.raises(HospesError, match="'tiny' is one of Hospes"):
        catalogue.build("tiny", [], PretendedGuest(), cache=tmp_path)


def test_a_package_that_is_not_the_listed_one(
    build: Callable[..., Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PretendedApt, "download_closure", _damaged)
    with pytest.raises(HospesError, match="is not the one its signed list names"):
        build(PretendedGuest())


def _damaged(self: PretendedApt, names: Sequence[str], into: Path, progress: object) -> None:
    for name in names:
        (into / f"{name}_1.0-1_riscv64.deb").write_bytes(b"something else")


def test_without_a_guest_it_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(HospesError, match="hospes images pull debian"):
        catalogue.ensure("debian", silent, tmp_path)
