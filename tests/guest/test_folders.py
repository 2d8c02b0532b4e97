"""Shared folders in a guest: what programs do there, seen from both sides."""

import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.ui.programs import hospes

from hospes import Machine
from hospes.guests.store import Image

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]

SECONDS = 120.0
FILES = 500
MANY_FILES = 100_000
MEBIBYTES = 8
# Each line is an operation on files called by few names; the loop's own state is in the shell.
OPERATIONS = """
x=$1; state=$2
cd $x
i=0
while [ $i -lt 200 ]; do
	i=$((i + 1))
	state=$(((state * 1103515245 + 12345) % 2147483648))
	a=f$((state / 8 % 6)) b=d$((state / 64 % 3)) c=f$((state / 256 % 6))
	case $((state / 65536 % 14)) in
	0) echo $i >$a ;;
	1) echo $i >>$a ;;
	2) mkdir $b ;;
	3) mv $a $b/ ;;
	4) mv $b/$a $c ;;
	5) rm $a ;;
	6) ln $a $c ;;
	7) ln -s $c $a ;;
	8) truncate -s $((state / 1048576)) $a ;;
	9) head -c 500 $a >$b/$a ;;
	10) head -c 7 $a | dd of=$c bs=7 seek=$((state / 1048576 % 50)) conv=notrunc ;;
	11) chmod 7$((state / 1048576 % 8))5 $a ;;
	12) rm -r $b ;;
	13) cp $a $c ;;
	esac
done 2>/dev/null >/dev/null
find . | sort
find . -type f -exec md5sum {} + | sort
find . -type l -exec readlink {} + | sort
find . -type f -exec stat -c '%n %a %s %h' {} + | sort
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is shared."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def vm(tiny: Image, place: Path) -> Iterator[Machine]:
    reading = place.parent / "reading"
    reading.mkdir(exist_ok=True)
    (reading / "file").write_text("read only\n")
    volumes = [f"{place}:/src", f"{reading}:/data/reading:ro"]
    with Machine("tiny", volumes=volumes, memory="512M") as machine:
        yield machine
    assert machine.remarks == ()


def run(vm: Machine, command: str) -> str:
    return vm.run(command, SECONDS, check=True).stdout


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
    data = os.urandom(MEBIBYTES << 20)
    (place / "data").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    assert run(vm, "sha256sum /src/data").split()[0] == digest
    run(vm, "dd if=/src/data of=/src/copy bs=77777; sync; rm /src/data")
    assert hashlib.sha256((place / "copy").read_bytes()).hexdigest() == digest
    (place / "copy").unlink()


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
    run(vm, f"mkdir -p /src/random /tmp/random; cat >/tmp/operations <<'E'\n{OPERATIONS}\nE")
    here = run(vm, f"sh /tmp/operations /src/random {seed}")
    there = run(vm, f"sh /tmp/operations /tmp/random {seed}")
    assert here == there
    assert len(there.splitlines()) > 10
    run(vm, "rm -r /src/random /tmp/random")


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
    assert run(vm, "cat /data/reading/file") == "read only\n"
    # Whatever the guest makes of its mount, the host does not let it.
    for before in ("", "mount -o remount,rw /data/reading"):
        run(vm, before)
        for change in ("echo x >file", "rm file", "mkdir d", "touch file", "ln -s x y"):
            done = vm.run(f"cd /data/reading; {change}", SECONDS)
            assert "Read-only file system" in done.stderr, change
    assert run(vm, "cat /data/reading/file") == "read only\n"


def test_a_link_leads_nowhere_on_the_host(vm: Machine, place: Path) -> None:
    (place.parent / "secret").write_text("secret\n")
    (place / "out").symlink_to(place.parent)
    (place / "etc").symlink_to("/etc")
    assert run(vm, "cat /src/etc/hostname") == "tiny\n"
    assert vm.run("cat /src/out/secret /src/../secret", SECONDS).exit_code == 1
    run(vm, "rm /src/out /src/etc")


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
