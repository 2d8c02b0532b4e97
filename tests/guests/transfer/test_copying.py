"""Copies into and out of a "guest" that is this host with the real agent and the real tar."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.guests.qga_host import DIRECTORY, StandInPorts

from hospes.base.errors import HospesError
from hospes.guests.execution.command import Command
from hospes.guests.execution.running import Execution
from hospes.guests.transfer import copying
from hospes.guests.transfer.copying import Copier, look
from hospes.guests.transfer.placement import Kind


@pytest.fixture
def copier(ports: StandInPorts) -> Copier:
    return Copier(ports, ports_directory=DIRECTORY)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "d").mkdir(parents=True)
    (source / "a").write_bytes(os.urandom(300_000))
    (source / "d/b").write_text("b")
    (source / "d/b").chmod(0o751)
    (source / "d/l").symlink_to("b")
    os.utime(source / "d", (1, 1))
    return source


def same(one: Path, other: Path) -> bool:
    command = ["diff", "-r", "--no-dereference", one, other]
    listing = ["find", ".", "-printf", "%p %m %T@\n"]
    lists = [
        sorted(subprocess.run(listing, cwd=path, capture_output=True, check=True).stdout.split())
        for path in (one, other)
    ]
    return subprocess.run(command, check=False).returncode == 0 and lists[0] == lists[1]


@pytest.mark.parametrize("way", ["in", "out"])
def test_both_ways_and_each_kind_of_target(
    copier: Copier, source: Path, tmp_path: Path, way: str
) -> None:
    def copy(one: str, other: str) -> None:
        if way == "in":
            copier.copy_in(one, other)
        else:
            copier.copy_out(one, other)

    there = tmp_path / "there"
    copy(str(source), str(there))
    assert same(source, there)
    copy(str(source), str(there))
    assert same(source, there / "source")
    copy(f"{source}/.", f"{tmp_path}/contents/")
    assert same(source, tmp_path / "contents")
    copy(str(source / "a"), str(there / "renamed"))
    copy(str(source / "a"), str(there / "d"))
    (there / "link").symlink_to("renamed")
    copy(str(source / "d/b"), str(there / "link"))
    assert (there / "d/a").read_bytes() == (source / "a").read_bytes()
    assert (there / "link").is_symlink()
    assert (there / "renamed").read_text() == "b"
    (tmp_path / "to").symlink_to(source)
    copy(f"{tmp_path}/to", f"{tmp_path}/followed")
    assert same(source, tmp_path / "followed")
    copy(f"{tmp_path}/to", str(there))
    assert same(source, there / "to")


@pytest.mark.parametrize("way", ["in", "out"])
@pytest.mark.parametrize(
    ("one", "other", "sentence"),
    [
        ("nothing", "x", "nothing"),
        ("source/a/", "x", "source/a"),
        ("source/a", "no/x", "There is no directory '.*/no' to copy into; make it first"),
        ("source/a", "no/", "There is no directory '.*/no/' to copy into"),
        ("source", "source/a", "is a file, so no directory can be copied there"),
        ("source/a", "/dev/null", "'/dev/null' is neither a file nor a directory"),
    ],
)
def test_what_cannot_be_copied_is_one_sentence(
    copier: Copier, source: Path, tmp_path: Path, way: str, one: str, other: str, sentence: str
) -> None:
    copy = copier.copy_in if way == "in" else copier.copy_out
    with pytest.raises(HospesError, match=sentence) as raised:
        copy(f"{tmp_path}/{one}", str(Path(tmp_path, other)) + "/" * other.endswith("/"))
    assert "\n" not in str(raised.value)
    assert os.stat("/dev/null").st_rdev


def test_a_guest_that_cannot_write_is_told_of(copier: Copier, source: Path) -> None:
    with pytest.raises(HospesError, match=r"'/proc/x' cannot be written in the guest: \./x: "):
        copier.copy_in(source / "a", "/proc/x")


@pytest.mark.skipif(os.getuid() != 0, reason="only root becomes another user")
def test_files_belong_to_the_user(ports: StandInPorts, source: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for parent in tmp_path.parents:
        if parent.stat().st_mode & 0o777 == 0o700:  # pytest's own, fewer or more of them
            parent.chmod(0o755)
    copier = Copier(ports, "nobody", ports_directory=DIRECTORY)
    copier.copy_in(source, str(tmp_path / "theirs"))
    assert (tmp_path / "theirs/a").owner() == "nobody"
    (source / "a").chmod(0o600)
    with pytest.raises(HospesError, match="Permission denied"):
        copier.copy_out(str(source / "a"), tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_progress_is_told_in_bytes(ports: StandInPorts, source: Path, tmp_path: Path) -> None:
    steps: list[tuple[str, int, int]] = []
    copier = Copier(ports, progress=lambda *step: steps.append(step), ports_directory=DIRECTORY)
    copied = copier.copy_in(source / "a", str(tmp_path / "b"))
    assert copied.bytes == 300_000
    assert steps[-1] == ("copying a", 300_000, 300_000)
    assert len(steps) > 1
    copier.copy_out(str(source / "a"), tmp_path / "c")
    assert steps[-1] == ("copying a", 300_000, 300_000)


@pytest.mark.parametrize(
    ("sent", "sentence"),
    [
        ("echo rubbish, and nothing that tar would write; head -c 600 /dev/zero", "damaged header"),
        ("true", "it sent less than was due"),
        ("head -c 1024 /dev/zero", "it sent less than was due"),
        ("tar -c -f - -C / ./etc/hostname", r"it began with '\./etc/hostname'"),
        ("tar -c -f - -C /etc hostname | head -c 1000", "less than was due"),
    ],
)
def test_a_guest_whose_tar_lies(
    copier: Copier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: str, sentence: str
) -> None:
    def lying(*arguments: object, **wanted: object) -> Execution:
        command = Command(["sh", "-c", sent])
        return original(arguments[0], command, **wanted)  # type: ignore[arg-type]

    original = copying.launch
    monkeypatch.setattr(copying, "launch", lying)
    place = tmp_path / "place"
    place.mkdir()
    with pytest.raises(HospesError, match=f"cannot be copied from: .*({sentence})"):
        copier.copy_out("/some/file", place / "x")
    assert not list(place.iterdir())


def test_what_is_at_a_target(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    (tmp_path / "l").symlink_to("f")
    (tmp_path / "dangling").symlink_to("g")
    assert look(str(tmp_path)) == (Kind.DIRECTORY, str(tmp_path))
    assert look(f"{tmp_path}/f/") == (Kind.FILE, f"{tmp_path}/f")
    assert look(f"{tmp_path}/l") == (Kind.FILE, f"{tmp_path}/f")
    assert look(f"{tmp_path}/dangling") == (Kind.MISSING, f"{tmp_path}/g")
    assert look(f"{tmp_path}/x") == (Kind.MISSING, f"{tmp_path}/x")
    assert look(f"{tmp_path}/x/y")[0] is Kind.NOWHERE
    assert look(f"{tmp_path}/f/y")[0] is Kind.NOWHERE
    assert look("/dev/null")[0] is Kind.OTHER
