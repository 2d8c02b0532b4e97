"""Folders that virtiofsd serves, in a guest: what programs do there, seen from both sides."""

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.folders.virtiofsd.processes import running
from tests.guest.test_folders import OPERATIONS, SECONDS, run

from hospes import Machine
from hospes.base.errors import HospesError
from hospes.base.programs import find_program
from hospes.guests.store import Image

pytestmark = [
    pytest.mark.guest,
    pytest.mark.skipif(not find_program("virtiofsd"), reason="virtiofsd is not installed"),
]

MEBIBYTES = 8


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is shared."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="module")
def vm(tiny: Image, place: Path) -> Iterator[Machine]:
    reading = place.parent / "reading"
    reading.mkdir(exist_ok=True)
    (reading / "file").write_text("read only\n")
    volumes = [f"{place}:/src:virtiofs", f"{reading}:/data/reading:ro,virtiofs"]
    with Machine("tiny", volumes=volumes, memory="512M") as machine:
        yield machine
    assert machine.remarks == ()


def test_what_one_side_writes_the_other_reads(vm: Machine, place: Path) -> None:
    (place / "hello").write_text("from the host\n")
    assert run(vm, "cat /src/hello; echo from the guest >>/src/hello") == "from the host\n"
    assert (place / "hello").read_text() == "from the host\nfrom the guest\n"
    assert "volume0 on /src type virtiofs (rw" in run(vm, "mount; rm /src/hello")
    assert list(place.iterdir()) == []


def test_much_data_comes_whole_and_programs_run(vm: Machine, place: Path) -> None:
    data = os.urandom(MEBIBYTES << 20)
    (place / "data").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    assert run(vm, "sha256sum /src/data").split()[0] == digest
    run(vm, "dd if=/src/data of=/src/copy bs=77777; sync; rm /src/data")
    assert hashlib.sha256((place / "copy").read_bytes()).hexdigest() == digest
    assert run(vm, "cp /bin/busybox /src/; rm /src/copy; /src/busybox echo runs") == "runs\n"
    (place / "busybox").unlink()


def test_random_operations_do_what_they_do_elsewhere(vm: Machine) -> None:
    run(vm, f"mkdir -p /src/random /tmp/random; cat >/tmp/operations <<'E'\n{OPERATIONS}\nE")
    here = run(vm, "sh /tmp/operations /src/random 3")
    there = run(vm, "sh /tmp/operations /tmp/random 3")
    assert here == there
    assert len(there.splitlines()) > 10
    run(vm, "rm -r /src/random /tmp/random")


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


def test_it_is_there_again_after_whatever_happens(tiny: Image, tmp_path: Path) -> None:
    """A pause, a reset of the device, one of the machine, and virtiofsd's own end."""
    (tmp_path / "file").write_text("x\n")
    with Machine("tiny", volumes=[f"{tmp_path}:/src:virtiofs"], memory="256M") as vm:
        vm.run("cat /src/file", SECONDS, check=True)
        vm.pause()
        vm.resume()
        assert run(vm, "cat /src/file") == "x\n"
        again = """
        umount /src; cd /sys/bus/virtio/drivers/virtiofs; device=$(echo virtio*)
        echo $device >unbind; echo $device >bind; mount -t virtiofs volume0 /src; cat /src/file
        """
        assert run(vm, again) == "x\n"
        with pytest.raises(HospesError, match="restarted meanwhile"):
            vm.run("reboot -f; sleep 60", SECONDS)
        assert vm.session.ready(SECONDS)
        assert run(vm, "cat /src/file") == "x\n"
        assert vm.remarks == ()
        for number in running(tmp_path):
            os.kill(int(number), 9)
        deadline = time.monotonic() + SECONDS
        while not vm.remarks and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "virtiofsd" in vm.remarks[0]
        assert "not connected" in vm.run("ls /src/file", SECONDS).stderr
        assert run(vm, "umount -l /src; mount -t virtiofs volume0 /src; cat /src/file") == "x\n"
    assert not running(tmp_path)
