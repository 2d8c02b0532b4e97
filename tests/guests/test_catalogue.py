"""Images by name, made from packages that a fake apt-get hands out."""

import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from tests.guests.conftest import BUSYBOX, KERNEL, FakeApt

from hospes.base.errors import HospesError
from hospes.guests import catalogue
from hospes.guests.agent_script import AGENT_SCRIPT
from hospes.guests.cpio import read_archive
from hospes.guests.init_script import INIT_SCRIPT
from hospes.guests.store import Image
from hospes.guests.tree import Entry


def contents(image: Image) -> dict[str, Entry]:
    return {entry.path: entry for entry in read_archive(image.initrd.read_bytes())}


def test_tiny(tmp_path: Path, fake_apt: FakeApt) -> None:
    image = catalogue.pull("tiny", cache=tmp_path)
    assert image.kernel.read_bytes() == KERNEL
    files = contents(image)
    assert files["init"].data.decode() == INIT_SCRIPT
    assert files["usr/bin/hospes-agent"].data.decode() == AGENT_SCRIPT
    assert files["usr/bin/busybox"].data == BUSYBOX
    assert files["usr/bin/sh"].data == b"busybox"
    assert (files["bin"].data, files["usr/sbin"].data) == (b"usr/bin", b"bin")
    assert (stat.S_ISCHR(files["dev/console"].mode), files["dev/console"].device) == (True, (5, 1))
    assert stat.S_ISFIFO(files["run/hospes/errors"].mode)
    modules = "usr/lib/modules/9"
    assert files[f"{modules}/kernel/drivers/virtio/virtio_mmio.ko"].data == b"module"
    assert files[f"{modules}/modules.dep"].data == b"kernel/drivers/virtio/virtio_mmio.ko:\n"
    assert f"{modules}/kernel/drivers/other.ko" not in files
    assert image.manifest.release == "13.9"
    assert [p.name for p in image.manifest.packages] == ["busybox-static", "linux-image-9"]
    assert image.manifest.append.startswith("console=ttyS0")


def test_the_same_packages_make_the_same_image(tmp_path: Path, fake_apt: FakeApt) -> None:
    images = [catalogue.pull("tiny", cache=tmp_path / name) for name in ("a", "b")]
    assert images[0].manifest == images[1].manifest


def test_neither_the_mirror_nor_a_package_stays(tmp_path: Path, fake_apt: FakeApt) -> None:
    catalogue.pull("tiny", cache=tmp_path / "cache")
    cache = tmp_path / "cache"
    left = {str(path.relative_to(cache)): path for path in cache.rglob("*")}
    assert sorted(left) == [
        "images", "images/.tiny.lock", "images/tiny", "images/tiny/initrd", "images/tiny/kernel",
        "images/tiny/manifest.json",
    ]  # fmt: skip
    assert b"invalid" not in left["images/tiny/manifest.json"].read_bytes()


def test_once_there_nothing_is_fetched(tmp_path: Path, fake_apt: FakeApt) -> None:
    first = catalogue.ensure("tiny", cache=tmp_path)
    log = fake_apt.log
    assert catalogue.ensure("tiny", cache=tmp_path) == first
    assert catalogue.locate("tiny", tmp_path) == first
    assert fake_apt.log == log


def test_programs_take_precedence_over_applets(tmp_path: Path, fake_apt: FakeApt) -> None:
    files = contents(catalogue.build_initramfs(["bash", "perl"], tmp_path / "made"))
    assert files["usr/bin/bash"].data == b"bash"
    assert files["usr/sbin"].is_directory
    assert not any(path.startswith("usr/share/doc/") for path in files)
    assert files["usr/bin/sh"].data == b"busybox"
    assert sorted(p.name for p in (tmp_path / "made").iterdir()) == ["initrd", "kernel"]


def test_listing(tmp_path: Path, fake_apt: FakeApt) -> None:
    line, *others = catalogue.list_images(tmp_path)
    assert (line.name, line.present, line.release, line.size_bytes) == ("tiny", False, "", 0)
    assert [other.name for other in others] == ["installer", "debian", "debian-cloud"]
    image = catalogue.pull("tiny", cache=tmp_path)
    line, *_ = catalogue.list_images(tmp_path)
    assert (line.present, line.release, line.size_bytes) == (True, "13.9", image.size_bytes)
    image.kernel.unlink()
    assert not catalogue.list_images(tmp_path)[0].present


def test_images_for_tests_are_listed_when_there(tmp_path: Path, fake_apt: FakeApt) -> None:
    catalogue.pull("userland", cache=tmp_path)
    names = [line.name for line in catalogue.list_images(tmp_path)]
    assert "userland" in names
    catalogue.remove("userland", tmp_path)
    assert [line.name for line in catalogue.list_images(tmp_path)] == [
        name for name in names if name != "userland"
    ]


@pytest.mark.parametrize(
    "operation", [catalogue.locate, catalogue.pull, catalogue.remove, catalogue.ensure]
)
def test_an_unknown_image_names_the_known_ones(
    operation: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOSPES_CACHE", str(tmp_path))
    known = "tiny, installer, debian, debian-cloud"
    with pytest.raises(HospesError, match=rf"no image 'huge'; the known images are: {known}\."):
        operation("huge")


def test_an_absent_image_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(HospesError, match="hospes images pull tiny"):
        catalogue.locate("tiny", tmp_path)
    with pytest.raises(HospesError, match="nothing to remove"):
        catalogue.remove("tiny", tmp_path)


def test_removal(tmp_path: Path, fake_apt: FakeApt) -> None:
    image = catalogue.pull("tiny", cache=tmp_path)
    image.initrd.write_bytes(b"damaged")
    catalogue.remove("tiny", tmp_path)
    assert not image.directory.exists()


@pytest.mark.parametrize("verb", ["update", "download"])
def test_a_failure_leaves_nothing_behind(tmp_path: Path, fake_apt: FakeApt, verb: str) -> None:
    fake_apt.fail(verb, "E: Write error - write (28: No space left on device)\n")
    with pytest.raises(HospesError, match="is full"):
        catalogue.pull("tiny", cache=tmp_path / "cache")
    assert [p.name for p in (tmp_path / "cache/images").iterdir()] == [".tiny.lock"]


def test_an_image_with_other_scripts_is_brought_up_to_date(
    tmp_path: Path, fake_apt: FakeApt, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = catalogue.pull("tiny", cache=tmp_path)
    before = contents(image)
    log = fake_apt.log
    monkeypatch.setattr("hospes.guests.initramfs.AGENT_SCRIPT", "#!/bin/sh\n# newer\n")
    newer = catalogue.locate("tiny", tmp_path)
    after = contents(newer)
    assert after.pop("usr/bin/hospes-agent").data.endswith(b"# newer\n")
    before.pop("usr/bin/hospes-agent")
    assert after == before
    assert newer.manifest.packages == image.manifest.packages
    assert newer == catalogue.locate("tiny", tmp_path)
    assert fake_apt.log == log


def test_an_image_that_lacks_modules_is_made_anew(
    tmp_path: Path, fake_apt: FakeApt, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("hospes.guests.initramfs.MODULES", ("drivers/virtio/virtio_mmio",))
        old = catalogue.pull("tiny", cache=tmp_path)
    with pytest.raises(HospesError, match=r"older Hospes.*hospes images pull tiny"):
        catalogue.locate("tiny", tmp_path)
    new = catalogue.ensure("tiny", cache=tmp_path)
    assert set(old.manifest.modules) < set(new.manifest.modules)
    assert catalogue.locate("tiny", tmp_path) == new


def test_a_package_without_its_program(tmp_path: Path, fake_apt: FakeApt) -> None:
    (fake_apt.path / "busybox-static.deb").write_bytes((fake_apt.path / "bash.deb").read_bytes())
    with pytest.raises(HospesError, match="does not contain /usr/bin/busybox"):
        catalogue.pull("tiny", cache=tmp_path)


def test_the_manifest_is_readable_json(tmp_path: Path, fake_apt: FakeApt) -> None:
    image = catalogue.pull("tiny", cache=tmp_path)
    manifest = msgspec.json.decode((image.directory / "manifest.json").read_bytes())
    assert set(manifest["files"]) == {"kernel", "initrd"}
    assert len(manifest["packages"][0]["sha256"]) == 64
