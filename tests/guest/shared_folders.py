"""What holds in a guest for every folder that host and guest share, whoever serves it.

The machine has one at /src, to write to, and one at /data/reading that is read-only, with a file.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hospes import Machine
from hospes.spec.volume import VolumeKind, VolumeSpec

SECONDS = 120.0
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


@contextmanager
def sharing(place: Path, kind: VolumeKind) -> Iterator[Machine]:
    """A machine with both; `place` is what it may write to."""
    reading = place.parent / "reading"
    reading.mkdir(exist_ok=True)
    (reading / "file").write_text("read only\n")
    volumes = (
        VolumeSpec(place, "/src", kind=kind),
        VolumeSpec(reading, "/data/reading", read_only=True, kind=kind),
    )
    with Machine("tiny", volumes=volumes, memory="512M") as machine:
        yield machine
    assert machine.remarks == ()


def run(vm: Machine, command: str) -> str:
    """What a command prints, which has to succeed."""
    return vm.run(command, SECONDS, check=True).stdout


def check_much_data(vm: Machine, place: Path, mebibytes: int) -> None:
    """It comes whole, both ways."""
    data = os.urandom(mebibytes << 20)
    (place / "data").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    assert run(vm, "sha256sum /src/data").split()[0] == digest
    run(vm, "dd if=/src/data of=/src/copy bs=77777; sync; rm /src/data")
    assert hashlib.sha256((place / "copy").read_bytes()).hexdigest() == digest
    (place / "copy").unlink()


def check_random_operations(vm: Machine, seed: int) -> None:
    """They do what they do elsewhere."""
    run(vm, f"mkdir -p /src/random /tmp/random; cat >/tmp/operations <<'E'\n{OPERATIONS}\nE")
    here = run(vm, f"sh /tmp/operations /src/random {seed}")
    there = run(vm, f"sh /tmp/operations /tmp/random {seed}")
    assert here == there
    assert len(there.splitlines()) > 10
    run(vm, "rm -r /src/random /tmp/random")


def check_read_only(vm: Machine) -> None:
    """Whatever the guest makes of its mount, the host does not let it change anything."""
    assert run(vm, "cat /data/reading/file") == "read only\n"
    for before in ("", "mount -o remount,rw /data/reading"):
        run(vm, before)
        for change in ("echo x >file", "rm file", "mkdir d", "touch file", "ln -s x y"):
            done = vm.run(f"cd /data/reading; {change}", SECONDS)
            assert "Read-only file system" in done.stderr, change
    assert run(vm, "cat /data/reading/file") == "read only\n"


def check_links(vm: Machine, place: Path) -> None:
    """They lead nowhere on the host."""
    (place.parent / "secret").write_text("secret\n")
    (place / "out").symlink_to(place.parent)
    (place / "etc").symlink_to("/etc")
    assert run(vm, "cat /src/etc/hostname") == "tiny\n"
    assert vm.run("cat /src/out/secret /src/../secret", SECONDS).exit_code == 1
    run(vm, "rm /src/out /src/etc")
