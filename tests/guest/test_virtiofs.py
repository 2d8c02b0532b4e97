"""Folders that virtiofsd serves, in a guest: what programs do there, seen from both sides."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.folders.virtiofsd.processes import running
from tests.guest.shared_folders import (
    SECONDS,
    check_links,
    check_much_data,
    check_random_operations,
    check_read_only,
    run,
    sharing,
)
from tests.waiting import eventually

from hospes import Machine
from hospes.base.errors import HospesError
from hospes.base.programs import find_program
from hospes.guests.store import Image
from hospes.spec.volume import VolumeKind

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
    with sharing(place, VolumeKind.VIRTIOFS) as machine:
        yield machine


def test_what_one_side_writes_the_other_reads(vm: Machine, place: Path) -> None:
    (place / "hello").write_text("from the host\n")
    assert run(vm, "cat /src/hello; echo from the guest >>/src/hello") == "from the host\n"
    assert (place / "hello").read_text() == "from the host\nfrom the guest\n"
    assert "volume0 on /src type virtiofs (rw" in run(vm, "mount; rm /src/hello")
    assert list(place.iterdir()) == []


def test_much_data_comes_whole_and_programs_run(vm: Machine, place: Path) -> None:
    check_much_data(vm, place, MEBIBYTES)
    assert run(vm, "cp /bin/busybox /src/; /src/busybox echo runs") == "runs\n"
    (place / "busybox").unlink()


def test_random_operations_do_what_they_do_elsewhere(vm: Machine) -> None:
    check_random_operations(vm, 3)


def test_a_folder_that_is_read_only(vm: Machine) -> None:
    check_read_only(vm)


def test_a_link_leads_nowhere_on_the_host(vm: Machine, place: Path) -> None:
    check_links(vm, place)


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
        assert eventually(lambda: bool(vm.remarks), SECONDS)
        assert "virtiofsd" in vm.remarks[0]
        assert "not connected" in vm.run("ls /src/file", SECONDS).stderr
        assert run(vm, "umount -l /src; mount -t virtiofs volume0 /src; cat /src/file") == "x\n"
    assert not running(tmp_path)
