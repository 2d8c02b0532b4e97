"""What decides a file's format: what is said, then its name, never its content."""

from pathlib import Path

import pytest

from hospes.spec.disk import DiskFormat
from hospes.storage.chain import open_image
from hospes.storage.create import create_image
from hospes.storage.errors import DamagedImageError, StorageError
from hospes.storage.formats import backing_format_of, format_of


def test_the_name_tells() -> None:
    assert format_of(Path("a.QCOW2")) is DiskFormat.QCOW2
    assert format_of(Path("a.raw")) is DiskFormat.RAW
    assert format_of(Path("a.qcow2"), DiskFormat.RAW) is DiskFormat.RAW


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("a.img", "say raw or qcow2"), ("a", "say raw or qcow2"), ("a.vmdk", "foreign format")],
)
def test_other_names_do_not(name: str, sentence: str) -> None:
    with pytest.raises(StorageError, match=sentence):
        format_of(Path(name))


def test_a_backing_files_format_is_what_the_header_says() -> None:
    assert backing_format_of("top", Path("base.qcow2"), "raw") is DiskFormat.RAW
    assert backing_format_of("top", Path("base.qcow2"), None) is DiskFormat.QCOW2
    with pytest.raises(StorageError, match="rebase it with --unsafe and --backing-format"):
        backing_format_of("top", Path("base.img"), None)
    with pytest.raises(StorageError, match="format 'vmdk'"):
        backing_format_of("top", Path("base.img"), "vmdk")


def test_a_guest_that_writes_a_header_into_its_raw_disk_gains_nothing(tmp_path: Path) -> None:
    secret, disk, evil = tmp_path / "secret.raw", tmp_path / "disk.raw", tmp_path / "evil.qcow2"
    secret.write_bytes(b"secret" * 1000)
    create_image(evil, 1 << 20, backing=secret)
    disk.write_bytes(evil.read_bytes())
    image = open_image(disk)
    assert image.read(0, 4) == b"QFI\xfb"
    assert image.backing is None
    image.close()


def test_a_raw_disk_called_qcow2_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.qcow2").write_bytes(bytes(100_000))
    with pytest.raises(DamagedImageError, match="not a qcow2 image"):
        open_image(tmp_path / "a.qcow2")
