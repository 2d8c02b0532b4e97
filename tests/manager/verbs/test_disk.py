"""`disk …`: each verb once, as the command line calls it."""

from pathlib import Path

import pytest
from tests.storage.qemu import needs_qemu, qemu_img, qemu_io

from hospes.base.errors import HospesError
from hospes.manager.manager import Manager
from hospes.manager.verbs import disk
from hospes.spec.disk import DiskFormat
from hospes.ui import cli

M = Manager()


@pytest.fixture
def base(tmp_path: Path) -> Path:
    disk.create(M, tmp_path / "base.qcow2", size="8M")
    return tmp_path / "base.qcow2"


def test_create_and_info(base: Path, tmp_path: Path) -> None:
    made = disk.create(M, tmp_path / "top.qcow2", backing=base, cluster_size="4K")
    assert (made.virtual_bytes, made.backing, made.cluster_bytes) == (8 << 20, "base.qcow2", 4096)
    assert disk.info(M, tmp_path / "top.qcow2") == made


def test_resize(base: Path) -> None:
    assert disk.resize(M, base, "16M").virtual_bytes == 16 << 20
    with pytest.raises(HospesError, match="add --shrink"):
        disk.resize(M, base, "4M")
    assert disk.resize(M, base, "4M", shrink=True).virtual_bytes == 4 << 20


def test_convert(base: Path, tmp_path: Path) -> None:
    raw = disk.convert(M, base, tmp_path / "a.img", format=DiskFormat.RAW)
    assert raw is not None
    assert raw.virtual_bytes == 8 << 20
    packed = disk.convert(
        M, tmp_path / "a.img", tmp_path / "b.qcow2", source_format=DiskFormat.RAW, compress="zstd"
    )
    assert packed is not None
    assert packed.compression == "zstd"
    with pytest.raises(HospesError, match="'lzma' is no way to compress; choose zlib or zstd"):
        disk.convert(M, base, tmp_path / "c.qcow2", compress="lzma")


@needs_qemu
def test_foreign_formats(base: Path, tmp_path: Path) -> None:
    assert disk.convert(M, base, tmp_path / "a.vmdk") is None
    back = disk.convert(M, tmp_path / "a.vmdk", tmp_path / "b.qcow2")
    assert back is not None
    assert back.virtual_bytes == 8 << 20
    with pytest.raises(HospesError, match="cannot be compressed on the way"):
        disk.convert(M, tmp_path / "a.vmdk", tmp_path / "c.qcow2", compress="zlib")


@needs_qemu
def test_commit_rebase_and_map(base: Path, tmp_path: Path) -> None:
    top = tmp_path / "top.qcow2"
    disk.create(M, top, backing=base)
    qemu_io(top, "write -P 1 1M 64k")
    depths = {entry.offset: entry.depth for entry in disk.map(M, top)}
    assert depths == {0: 1, 1 << 20: 0, (1 << 20) + 65536: 1}
    disk.commit(M, top)
    assert {entry.depth for entry in disk.map(M, top)} == {1}
    assert disk.rebase(M, top).backing is None
    qemu_img("compare", base, top)
    assert disk.rebase(M, top, base, unsafe=True).backing == "base.qcow2"


def test_check(base: Path) -> None:
    report = disk.check(M, base)
    assert (report.corruptions, report.leaks, report.exit_code) == (0, 0, 0)
    assert disk.check(M, base, repair="all").exit_code == 0


def test_allowed_places(base: Path, tmp_path: Path) -> None:
    top = tmp_path / "elsewhere" / "top.qcow2"
    top.parent.mkdir()
    with pytest.raises(HospesError, match="allow its directory with --allow"):
        disk.create(M, top, backing=base)
    disk.create(M, top, backing=base, allow=[tmp_path])
    assert len(disk.map(M, top, allow=[tmp_path])) == 1


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "a.qcow2")
    assert cli.run(["disk", "create", path, "--size", "1M"]) == 0
    assert cli.run(["disk", "create", path, "--size", "1M"]) == 1
    assert "exists already; choose another name" in capsys.readouterr().err
    with open(path, "r+b") as file:
        file.seek((2 << 16) + 2 * 30)
        file.write(b"\0\1")
        file.truncate(40 << 16)
    assert cli.run(["disk", "check", path]) == 3
    assert "problems:             -\n" in capsys.readouterr().out
    assert cli.run(["disk", "check", path, "--repair", "leaks"]) == 0
    assert "leaks repaired:       1" in capsys.readouterr().out
    assert cli.run(["disk", "map", path, "--allow", "/tmp", "--allow", "/var"]) == 0
    assert cli.run(["disk", "info", str(tmp_path / "none.raw")]) == 1
    assert "there is no such file" in capsys.readouterr().err
