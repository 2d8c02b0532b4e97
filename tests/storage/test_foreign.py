"""Other makers' disks: through qemu-img, never to a file elsewhere."""

import random
import shutil
from pathlib import Path

import pytest
from tests.storage.qemu import needs_qemu, qemu_img

from hospes.storage.chain import Surroundings, open_image
from hospes.storage.errors import StorageError
from hospes.storage.foreign import convert_foreign, is_foreign, refuse_other_files
from hospes.storage.os_file import OsFiles
from hospes.storage.qcow2.making import Qcow2Options, make_qcow2

SIZE = 1 << 20
AROUND = Surroundings()


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    (tmp_path / "a.raw").write_bytes(random.Random(1).randbytes(SIZE // 2).ljust(SIZE, b"\0"))
    return tmp_path / "a.raw"


@needs_qemu
@pytest.mark.parametrize("suffix", ["vmdk", "vhdx", "vdi"])
def test_there_and_back(suffix: str, raw: Path, tmp_path: Path) -> None:
    foreign, back = tmp_path / f"a.{suffix}", tmp_path / "b.qcow2"
    assert is_foreign(foreign)
    convert_foreign(raw, None, foreign, None, AROUND)
    convert_foreign(foreign, None, back, None, AROUND)
    image = open_image(back)
    assert image.read(0, SIZE) == raw.read_bytes()
    image.close()
    assert len(list(tmp_path.iterdir())) == 3


def test_without_qemu_img(raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(
        StorageError, match=r"a\.vdi needs qemu-img, .*; install package qemu-utils"
    ):
        convert_foreign(raw, None, tmp_path / "a.vdi", None, AROUND)


@needs_qemu
def test_a_damaged_disk_is_refused_in_a_sentence(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "a.vhdx").write_bytes(b"junk" * 1000)
    with pytest.raises(StorageError, match="cannot be converted") as caught:
        convert_foreign(tmp_path / "a.vhdx", None, tmp_path / "b.qcow2", None, AROUND)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "b.qcow2").exists()
    with pytest.raises(StorageError, match="exists already"):
        convert_foreign(tmp_path / "a.vhdx", None, raw, None, AROUND)


@needs_qemu
def test_a_descriptor_that_names_files_elsewhere_is_refused(raw: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat.vmdk"
    qemu_img("convert", "-O", "vmdk", "-o", "subformat=monolithicFlat", raw, flat)
    refuse_other_files(flat)
    text = flat.read_text().rstrip("\0")
    for name in ("/etc/passwd", "../secret", "a\\b", "n" * 300):
        flat.write_text(text.replace("flat-flat.vmdk", name))
        with pytest.raises(StorageError, match="outside of its directory"):
            refuse_other_files(flat)
    flat.write_text(text + '\nparentFileNameHint="/etc/passwd"\n')
    with pytest.raises(StorageError, match="based on another disk"):
        refuse_other_files(flat)


@needs_qemu
@pytest.mark.parametrize(
    "line",
    ['# c\nRW 8FLAT "{secret}" 0', 'RW 8 VMFS "{secret}', 'RW\v8\fFLAT\t"{secret}" 0',
     'x = "y\nRW 8 VMFS "{secret}"'],
)  # fmt: skip
def test_what_only_qemu_img_takes_for_an_extent_is_refused(line: str, tmp_path: Path) -> None:
    """Each of these made it copy a file of the host into the disk."""
    secret, disk = tmp_path / "secret", tmp_path / "disk" / "a.vmdk"
    secret.write_bytes(b"secret".ljust(4096))
    disk.parent.mkdir()
    start = "# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\n"
    extent = line.format(secret=secret)
    disk.write_text(f'{start}createType="monolithicFlat"\n{extent}\n')
    out = tmp_path / "out.raw"
    qemu_img("convert", "-f", "vmdk", "-O", "raw", f"file:{disk}", out)
    assert out.read_bytes().startswith(b"secret")
    with pytest.raises(StorageError, match="outside of its directory"):
        refuse_other_files(disk)


@needs_qemu
def test_a_parent_is_found_where_qemu_img_looks_for_it(raw: Path, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse.vmdk"
    qemu_img("convert", "-O", "vmdk", raw, sparse)
    data = bytearray(sparse.read_bytes())
    end = data.index(b"\0", 512)
    hint = b'# parentFileNameHint="/etc/passwd"\n'
    data[end : end + len(hint)] = hint
    data[28:36] = (19).to_bytes(8, "little")
    sparse.write_bytes(data)
    with pytest.raises(StorageError, match="based on another disk"):
        refuse_other_files(sparse)


@needs_qemu
def test_a_descriptor_far_inside_a_sparse_file_is_found(raw: Path, tmp_path: Path) -> None:
    sparse = tmp_path / "sparse.vmdk"
    qemu_img("convert", "-O", "vmdk", raw, sparse)
    refuse_other_files(sparse)
    data = bytearray(sparse.read_bytes().ljust(3 << 20, b"\0"))
    data[12:20] = bytes(8)
    data[28:36] = (5000).to_bytes(8, "little")
    data[5000 * 512 :] = b'# Disk DescriptorFile\nRW 8 FLAT "/etc/passwd" 0\n'
    sparse.write_bytes(data)
    with pytest.raises(StorageError, match="outside of its directory"):
        refuse_other_files(sparse)


def test_a_source_of_ours_is_followed_only_inside_its_place(tmp_path: Path) -> None:
    file = OsFiles().create(tmp_path / "a.qcow2")
    make_qcow2(file, SIZE, Qcow2Options(backing="/etc/passwd", backing_format="raw"))
    file.publish()
    file.close()
    with pytest.raises(StorageError, match=r"is not in|needs qemu-img"):
        convert_foreign(tmp_path / "a.qcow2", None, tmp_path / "a.vdi", None, AROUND)
