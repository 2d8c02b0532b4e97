"""The seed's disk: only when asked for, only for images that look at it."""

from pathlib import Path

import pytest
from tests.guests.test_nocloud import KEY

from hospes.base.errors import HospesError
from hospes.base.progress import silent
from hospes.guests import catalogue
from hospes.guests.store import Image, Manifest
from hospes.manager.seed import SEED_FILE, Wishes, keep_seed, seed


def an_image(name: str, cloud_init: bool) -> Image:
    manifest = Manifest(
        name=name, recipe="", release="", packages=(), files={}, memory_bytes=0, append="",
        cloud_init=cloud_init,
    )  # fmt: skip
    return Image(Path(), manifest)


@pytest.mark.parametrize("cloud_init", [False, True])
def test_the_image_must_have_cloud_init(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cloud_init: bool
) -> None:
    monkeypatch.setattr(catalogue, "ensure", lambda name, *_, **__: an_image(name, cloud_init))
    (tmp_path / "key").write_text(KEY)
    with seed("tiny", Wishes(), silent) as disks:
        assert not disks
    if cloud_init:
        with seed("web", Wishes(None, (tmp_path / "key",)), silent) as disks:
            assert [disk.read_only for disk in disks] == [True]
    else:
        with (
            pytest.raises(HospesError, match="image 'tiny' has no cloud-init"),
            seed("tiny", Wishes(None, (tmp_path / "key",)), silent),
        ):
            pass


def test_of_a_guest_without_an_image_nothing_is_known(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(KEY)
    with seed(None, Wishes(None, (tmp_path / "key",)), silent) as disks:
        assert len(disks) == 1


def test_a_machine_that_is_kept_has_the_seed_in_its_directory(tmp_path: Path) -> None:
    assert keep_seed(tmp_path, None, "web", Wishes(), silent) == ()
    (tmp_path / "key").write_text(KEY)
    [disk] = keep_seed(tmp_path, None, "web", Wishes(None, (tmp_path / "key",)), silent)
    assert (disk.path, disk.read_only) == (Path(SEED_FILE), True)
    assert b"local-hostname: web" in (tmp_path / SEED_FILE).read_bytes()
