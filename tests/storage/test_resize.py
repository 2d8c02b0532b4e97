"""New sizes for images in files."""

from pathlib import Path

import pytest
from tests.storage.cut_operations import after_cuts
from tests.storage.memory_files import MemoryFiles
from tests.storage.qemu import assert_sound, needs_qemu, qemu_read

from hospes.base.errors import HospesError
from hospes.storage.chain import Surroundings, open_image
from hospes.storage.check import check_image
from hospes.storage.create import create_image
from hospes.storage.info import image_info
from hospes.storage.qcow2.making import Qcow2Options
from hospes.storage.resize import resize_image

SIZE = 1 << 20


def filled(path: Path, around: Surroundings | None = None) -> None:
    create_image(path, SIZE, options=Qcow2Options(4096), around=around)
    image = open_image(path, writable=True, around=around)
    image.write(0, b"x" * SIZE)
    image.close()


@needs_qemu
@pytest.mark.parametrize("name", ["a.raw", "a.qcow2"])
def test_larger_and_smaller(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    filled(path)
    resize_image(path, 3 * SIZE)
    assert qemu_read(path, path.suffix[1:]) == b"x" * SIZE + bytes(2 * SIZE)
    with pytest.raises(HospesError, match=r"would lose everything beyond 512K; .* add --shrink"):
        resize_image(path, SIZE // 2)
    resize_image(path, SIZE // 2, shrink=True)
    resize_image(path, SIZE)
    assert qemu_read(path, path.suffix[1:]) == b"x" * (SIZE // 2) + bytes(SIZE // 2)
    if name == "a.qcow2":
        assert_sound(path)


def test_what_is_cut_off_is_given_back(tmp_path: Path) -> None:
    filled(tmp_path / "a.qcow2")
    before = image_info(tmp_path / "a.qcow2").disk_bytes
    resize_image(tmp_path / "a.qcow2", SIZE // 4, shrink=True)
    assert image_info(tmp_path / "a.qcow2").disk_bytes < before // 2
    assert check_image(tmp_path / "a.qcow2").leaks == 0


@pytest.mark.parametrize("size", [0, -512, 1000])
def test_sizes_that_cannot_be(size: int, tmp_path: Path) -> None:
    filled(tmp_path / "a.qcow2")
    with pytest.raises(HospesError, match="multiple of 512"):
        resize_image(tmp_path / "a.qcow2", size)


def test_too_large_for_the_format(tmp_path: Path) -> None:
    filled(tmp_path / "a.qcow2")
    with pytest.raises(HospesError, match="the most is"):
        resize_image(tmp_path / "a.qcow2", 1 << 50)


@pytest.mark.parametrize("size", [SIZE // 4, 64 << 20])
def test_a_power_cut_leaves_the_old_size_or_the_new(size: int) -> None:
    path = Path("/disks/a.qcow2")

    def make() -> MemoryFiles:
        files = MemoryFiles()
        filled(path, Surroundings(files))
        return files

    def action(around: Surroundings) -> None:
        resize_image(path, size, shrink=True, around=around)

    for around in after_cuts(make, action, 40):
        assert check_image(path, around=around).corruptions == 0
        image = open_image(path, around=around)
        assert image.size_bytes in (SIZE, size)
        kept = min(SIZE, image.size_bytes)
        assert image.read(0, kept) == b"x" * kept
        rest = min(image.size_bytes - kept, 1 << 20)
        assert image.read(kept, rest) == bytes(rest)
