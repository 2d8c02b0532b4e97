"""Shared folders in a guest: what programs do there, seen from both sides."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.guest.shared_folders import (
    SECONDS,
    check_links,
    check_much_data,
    check_random_operations,
    check_read_only,
    run,
    sharing,
)
from tests.ui.programs import hospes

from hospes import Machine
from hospes.guests.store import Image
from hospes.spec.volume import VolumeKind

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]

FILES = 500
MANY_FILES = 100_000
MEBIBYTES = 8


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is shared."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def vm(tiny: Image, place: Path) -> Iterator[Machine]:
    with sharing(place, VolumeKind.NINEP) as machine:
        yield machine


def test_what_one_side_writes_the_other_reads(vm: Machine, place: Path) -> None:
    (place / "hello").write_text("from the host\n")
    assert run(vm, "cat /src/hello; echo from the guest >>/src/hello") == "from the host\n"
    assert (place / "hello").read_text() == "from the host\nfrom the guest\n"
    (place / "hello").write_text("again\n")
    assert run(vm, "cat /src/hello; mv /src/hello /src/moved; ls /src; rm /src/moved") == (
        "again\nmoved\n"
    )
    assert list(place.iterdir()) == []


def test_a_program_is_run_from_it(vm: Machine, place: Path) -> None:
    script = "cp /bin/busybox /src/busybox; cd /src; ./busybox echo runs; cmp busybox /bin/busybox"
    assert run(vm, script) == "runs\n"
    digest = hashlib.sha256((place / "busybox").read_bytes()).hexdigest()
    assert run(vm, "sha256sum /src/busybox").split()[0] == digest
    assert stat.S_IMODE((place / "busybox").stat().st_mode) == 0o755
    (place / "script").write_text("#!/bin/sh\necho script $0\n")
    (place / "script").chmod(0o755)
    assert run(vm, "/src/script; rm /src/script /src/busybox") == "script /src/script\n"


def test_much_data_comes_whole(vm: Machine, place: Path) -> None:
    check_much_data(vm, place, MEBIBYTES)


def test_many_small_files(vm: Machine, place: Path) -> None:
    make_small_files(vm, place, FILES)


@pytest.mark.soak
def test_very_many_small_files(vm: Machine, place: Path) -> None:
    make_small_files(vm, place, MANY_FILES)


def make_small_files(vm: Machine, place: Path, count: int) -> None:
    script = f"""
    mkdir /src/many; cd /src/many
    i=0; while [ $i -lt {count} ]; do echo $i >$i; i=$((i + 1)); done
    ls | wc -l; find . -type f | xargs cat | md5sum
    """
    lines = vm.run(script, 60 * SECONDS, check=True).stdout.split("\n")
    assert int(lines[0]) == count
    assert {path.name for path in (place / "many").iterdir()} == set(map(str, range(count)))
    assert (place / f"many/{count - 1}").read_text() == f"{count - 1}\n"
    vm.run("rm -r /src/many", 60 * SECONDS, check=True)
    assert not (place / "many").exists()


@pytest.mark.parametrize("seed", [1, 2])
def test_random_operations_do_what_they_do_elsewhere(vm: Machine, seed: int) -> None:
    check_random_operations(vm, seed)


def test_links_devices_owners_and_times(vm: Machine, place: Path) -> None:
    script = """
    cd /src; echo x >f; ln -s /etc/hostname l; cat l; ln f g; chown 5:6 f; chmod 4711 f
    stat -c '%u %g %a %h' g; mknod null c 1 3; echo gone >null; stat -c '%F' null; mkfifo p
    (echo through >p &); cat p; touch -d '2001-02-03 04:05:06' f; stat -c %Y f
    chmod 400 g; echo more >>f; cat f; mkdir d; chmod 555 d; touch d/x; ls d
    """
    assert run(vm, script).splitlines() == [
        "tiny", "5 6 4711 2", "character special file", "through", "981173106", "x", "more", "x",
    ]  # fmt: skip
    assert os.readlink(place / "l") == "/etc/hostname"
    assert (place / "f").stat().st_uid == os.geteuid()
    assert stat.S_ISREG((place / "null").stat().st_mode)
    run(vm, "cd /src; rm -r f g l null p d")
    assert list(place.iterdir()) == []


def test_a_file_lives_on_while_it_is_open(vm: Machine, place: Path) -> None:
    script = "cd /src; echo one >f; exec 7<>f; rm f; ls; echo two >&7; cat /proc/self/fd/7"
    assert run(vm, script).split()[-1] == "two"
    assert list(place.iterdir()) == []


def test_a_folder_that_is_read_only(vm: Machine) -> None:
    check_read_only(vm)


def test_a_link_leads_nowhere_on_the_host(vm: Machine, place: Path) -> None:
    check_links(vm, place)


def test_a_machine_that_is_kept_has_its_folders_again(tmp_path: Path) -> None:
    folder, home = tmp_path / "folder", str(tmp_path / "home")
    folder.mkdir()
    made = hospes("run", "--name", "kept", "-d", "-v", f"{folder}:/src", HOSPES_HOME=home)
    assert made.stdout == "kept\n", made.stderr
    try:
        for count in ("1", "2"):
            line = "echo x >>/src/count; wc -l </src/count"
            done = hospes("exec", "kept", "--", line, HOSPES_HOME=home)
            assert done.stdout.strip() == count, done.stderr
            assert hospes("stop", "kept", HOSPES_HOME=home).returncode == 0
            if count == "1":
                assert hospes("start", "kept", HOSPES_HOME=home).returncode == 0
        folder.rename(tmp_path / "elsewhere")
        refused = hospes("start", "kept", HOSPES_HOME=home)
        assert refused.returncode == 1
        assert f"here is no folder {folder} to share" in refused.stderr
    finally:
        hospes("rm", "-f", "kept", HOSPES_HOME=home)


def test_a_folder_that_goes_away_is_told(tiny: Image, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with Machine("tiny", volumes=[f"{folder}:/src"]) as vm:
        run(vm, "ls /src")
        folder.rmdir()
        assert vm.run("ls -la /src; echo x >/src/f", SECONDS).exit_code != 0
        [remark] = vm.remarks
        assert f"the shared folder {folder} has been removed" in remark
