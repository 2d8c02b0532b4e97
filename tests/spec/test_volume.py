"""Shared folders as users write them."""

from pathlib import Path

import pytest

from hospes.base.errors import HospesError
from hospes.base.record import pack, unpack
from hospes.spec.machine import MachineSpec
from hospes.spec.vm import VmSpec
from hospes.spec.volume import VolumeKind, VolumeSpec, mount_tag, parse_volume


def test_the_grammar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_volume("/data:/srv") == VolumeSpec(Path("/data"), "/srv")
    assert parse_volume("./src:/src:ro") == VolumeSpec(tmp_path / "src", "/src", read_only=True)
    assert parse_volume("src:/src:rw") == VolumeSpec(tmp_path / "src", "/src")
    volume = parse_volume(".:/home/me/:ro,uid=1000,gid=100")
    assert volume == VolumeSpec(tmp_path, "/home/me/", read_only=True, uid=1000, gid=100)
    assert (volume.place, mount_tag(2)) == ("/home/me", "volume2")
    assert str(volume) == f"{tmp_path}:/home/me:ro,uid=1000,gid=100"
    assert parse_volume(str(volume)) == VolumeSpec(tmp_path, "/home/me", True, 1000, 100)
    assert str(parse_volume("/data:/srv:rw")) == "/data:/srv"
    served = parse_volume("/data:/srv:ro,virtiofs")
    assert served == VolumeSpec(Path("/data"), "/srv", True, kind=VolumeKind.VIRTIOFS)
    assert parse_volume(str(served)) == served


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("/data", "does not say what to share"), (":/src", "does not say what to share"),
        ("/data:", "does not say what to share"), ("/data:/src:", "does not say what to share"),
        ("/data:src", "begins with /"), ("/data:/", "own root"), ("/data:/a/../b", "begins with /"),
        ("/data:/my src", "letters, digits"), ("/data:/a,b", "letters, digits"),
        ("/data:/a\tb", "letters, digits"), ("/data:/src:fast", "'fast'"),
        ("/data:/src:uid=me", "'uid=me'"), ("/data:/src:uid=4294967295", "no user"),
        ("/data:/src:uid=" + "9" * 5000, "write ro, rw"),
        ("/data:/src:virtiofs,uid=5", "another user's with virtiofs"),
    ],
)  # fmt: skip
def test_what_cannot_be(text: str, sentence: str) -> None:
    with pytest.raises(HospesError, match=sentence) as caught:
        parse_volume(text)
    assert "\n" not in str(caught.value)


def test_two_folders_have_two_places() -> None:
    same = (parse_volume("/a:/src"), parse_volume("/b:/src/"))
    with pytest.raises(HospesError, match="cannot both be at /src"):
        VmSpec(kernel=Path("k"), volumes=same)
    many = tuple(parse_volume(f"/a:/{number}") for number in range(27))
    with pytest.raises(HospesError, match="27 disks and shared folders"):
        VmSpec(kernel=Path("k"), volumes=many)


def test_a_machine_that_is_kept_has_them() -> None:
    spec = MachineSpec(volumes=(parse_volume("/a:/src:ro,uid=5"), parse_volume("/b:/b:virtiofs")))
    assert unpack(pack(spec), MachineSpec) == spec
    assert MachineSpec().volumes == ()
