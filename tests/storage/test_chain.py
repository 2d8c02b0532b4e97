"""Images over images: what is followed, and where that ends."""

from pathlib import Path

import pytest
from tests.storage.memory_files import MemoryFiles

from hospes.spec.disk import DiskFormat
from hospes.storage.chain import LAYERS_MAX, Surroundings, open_chain, open_image
from hospes.storage.create import create_image
from hospes.storage.errors import HostFileError, StorageError
from hospes.storage.qcow2.making import Qcow2Options, make_qcow2

SIZE = 1 << 20


def image_over(files: MemoryFiles, name: str, backing: str | None, kind: str | None) -> Path:
    """An image whose header names whatever it is told to."""
    make_qcow2(files.add(name), SIZE, Qcow2Options(4096, backing=backing, backing_format=kind))
    return Path("/disks") / name


def test_three_layers_show_through_each_other(tmp_path: Path) -> None:
    a, b, c = (tmp_path / name for name in ("a.raw", "b.qcow2", "c.qcow2"))
    a.write_bytes(b"a" * SIZE)
    create_image(b, SIZE, backing=a)
    create_image(c, SIZE * 2, backing=b)
    for path, at in ((b, 100_000), (c, 200_000)):
        image = open_image(path, writable=True)
        image.write(at, path.name[:1].encode() * 1000)
        image.close()
    layers = open_chain(c)
    assert [layer.path.name for layer in layers] == ["c.qcow2", "b.qcow2", "a.raw"]
    content = layers[0].device.read(0, SIZE * 2)
    assert content[100_000:101_000] == b"b" * 1000
    assert content[200_000:201_000] == b"c" * 1000
    assert content[:100_000] == b"a" * 100_000
    assert content[SIZE:] == bytes(SIZE)
    layers[0].device.close()
    assert a.read_bytes() == b"a" * SIZE


@pytest.mark.parametrize(
    "name", ["../outside.raw", "/etc/passwd", "sub/inside.raw", "../disks/../outside.raw"]
)
def test_a_backing_file_elsewhere_is_refused(name: str) -> None:
    files = MemoryFiles()
    path = image_over(files, "top.qcow2", name, "raw")
    with pytest.raises(StorageError, match=r"is not in /disks; move it there or allow .* --allow"):
        open_image(path, around=Surroundings(files))
    assert files.opened == [path]


def test_allowed_places_are_followed_with_all_below_them(tmp_path: Path) -> None:
    base, top = tmp_path / "bases" / "debian" / "b.raw", tmp_path / "disks" / "t.qcow2"
    base.parent.mkdir(parents=True)
    top.parent.mkdir()
    base.write_bytes(b"b" * SIZE)
    around = Surroundings(places=(tmp_path / "bases",))
    create_image(top, None, backing=base, around=around)
    image = open_image(top, around=around)
    assert image.read(0, 5) == b"bbbbb"
    image.close()
    with pytest.raises(StorageError, match="is not in"):
        open_image(top)


def test_a_link_out_of_the_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s" * 1024)
    disks = tmp_path / "disks"
    disks.mkdir()
    (disks / "base.raw").write_bytes(b"b" * 1024)
    create_image(disks / "top.qcow2", None, backing=disks / "base.raw")
    (disks / "base.raw").unlink()
    (disks / "base.raw").symlink_to(tmp_path / "secret")
    with pytest.raises(StorageError, match="is not in"):
        open_image(disks / "top.qcow2")


@pytest.mark.parametrize("name", ["nbd://host/export", "json:{}", "file:base.raw", "ssh:x"])
def test_a_backing_file_that_is_none_is_refused(name: str) -> None:
    files = MemoryFiles()
    path = image_over(files, "top.qcow2", name, "raw")
    with pytest.raises(StorageError, match="which is not a file"):
        open_image(path, around=Surroundings(files))


def test_a_backing_file_that_is_missing_is_named() -> None:
    files = MemoryFiles()
    path = image_over(files, "top.qcow2", "gone.raw", "raw")
    with pytest.raises(HostFileError, match=r"/disks/gone\.raw cannot be opened: there is no such"):
        open_image(path, around=Surroundings(files))
    assert files.named[path].users == []


def test_an_image_over_itself_is_refused() -> None:
    files = MemoryFiles()
    path = image_over(files, "a.qcow2", "b.qcow2", "qcow2")
    image_over(files, "b.qcow2", "a.qcow2", "qcow2")
    with pytest.raises(StorageError, match="based on itself"):
        open_image(path, around=Surroundings(files))


def test_a_chain_without_end_is_refused() -> None:
    files = MemoryFiles()
    for n in range(LAYERS_MAX + 1):
        path = image_over(files, f"{n}.qcow2", f"{n - 1}.qcow2" if n else None, "qcow2")
    with pytest.raises(StorageError, match=f"more than {LAYERS_MAX} images"):
        open_image(path, around=Surroundings(files))
    longest = Path(f"/disks/{LAYERS_MAX - 1}.qcow2")
    image = open_image(longest, around=Surroundings(files))
    assert image.read(0, SIZE) == bytes(SIZE)


def test_the_named_format_holds_even_if_the_content_looks_otherwise() -> None:
    """A raw base that begins like a qcow2 image stays raw."""
    files = MemoryFiles()
    image_over(files, "base.raw", "/etc/passwd", "raw")
    path = image_over(files, "top.qcow2", "base.raw", "raw")
    image = open_image(path, around=Surroundings(files))
    assert image.read(0, 4) == b"QFI\xfb"
    assert len(files.opened) == 2


def test_a_backing_file_without_a_format_goes_by_its_name() -> None:
    files = MemoryFiles()
    image_over(files, "base.qcow2", None, None)
    path = image_over(files, "top.qcow2", "base.qcow2", None)
    layers = open_chain(path, around=Surroundings(files))
    assert [layer.format for layer in layers] == [DiskFormat.QCOW2] * 2
