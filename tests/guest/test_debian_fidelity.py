"""A whole Debian that is kept: in order, on time, after a reboot too, and ended in order."""

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from tests.guest.debian import BOOT_SECONDS, ORDER, PATIENT, hospes, in_guest
from tests.worker.homes import own_home

from hospes.base.clock import HostClock
from hospes.guests.ext4.filesystem import FileSystem
from hospes.guests.ext4.superblock import Incompatible
from hospes.guests.guest_clock import compare
from hospes.guests.qga import open_agent
from hospes.guests.store import Image
from hospes.manager.link import Link, WorkerPorts
from hospes.manager.store import MachineDirectory, Store
from hospes.spec.disk import DiskFormat
from hospes.storage.chain import open_image

pytestmark = pytest.mark.guest

EXACT_NS = 50_000_000
SETTLE_SECONDS = 30.0


@pytest.fixture(scope="module")
def web(debian: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MachineDirectory]:
    """A machine that runs during all tests of this module."""
    with (
        pytest.MonkeyPatch.context() as patch,
        own_home(tmp_path_factory.mktemp("home"), patch),
    ):
        done = hospes("run", "--name", "web", "-d", "debian", "--append", PATIENT)
        assert (done.returncode, done.stdout) == (0, "web\n")
        yield Store().find("web")


def off_by_ns(machine: MachineDirectory) -> int:
    """How far the guest's clock is from the host's at most."""
    with open_agent(WorkerPorts(machine), BOOT_SECONDS) as agent:
        ahead_ns, taken_ns = compare(agent, HostClock())
    return abs(ahead_ns) + taken_ns // 2


def assert_on_time(machine: MachineDirectory) -> None:
    """The clock is set beside everything else, so a moment is given."""
    limit = time.monotonic() + SETTLE_SECONDS
    while (off_ns := off_by_ns(machine)) > EXACT_NS:
        assert time.monotonic() < limit, f"off by {off_ns / 1e6} ms"
        time.sleep(0.1)


def test_everything_runs_and_nothing_complains(web: MachineDirectory) -> None:
    assert in_guest("web", ORDER) == "running\n"


def test_the_clock_after_boot_and_after_a_pause(web: MachineDirectory) -> None:
    assert_on_time(web)
    assert hospes("pause", "web").returncode == 0
    time.sleep(3)
    assert hospes("resume", "web").returncode == 0
    assert_on_time(web)


@pytest.mark.soak
def test_the_clock_after_ten_minutes(web: MachineDirectory) -> None:
    assert in_guest("web", ORDER) == "running\n"
    assert_on_time(web)
    time.sleep(600)
    assert off_by_ns(web) <= EXACT_NS


@pytest.mark.soak
def test_a_reboot(web: MachineDirectory) -> None:
    started, before = web.started, in_guest("web", "cat /proc/sys/kernel/random/boot_id")
    in_guest("web", "echo kept >/root/kept")
    hospes("exec", "web", "--", "systemctl", "reboot")
    limit = time.monotonic() + BOOT_SECONDS
    with Link(web) as link:
        while not link.info().restarts:
            assert time.monotonic() < limit
            time.sleep(0.1)
        assert link.info().restarts == 1
    assert in_guest("web", "cat /proc/sys/kernel/random/boot_id") != before
    assert_on_time(web)
    assert in_guest("web", f"cat /root/kept; {ORDER}") == "kept\nrunning\n"
    assert web.started == started


def test_an_end_in_order(web: MachineDirectory) -> None:
    """Last. The root file system was unmounted, so its journal is empty."""
    done = hospes("stop", "web")
    assert (done.returncode, done.stderr) == (0, "")
    assert web.ended is not None
    assert (web.ended.kind, web.ended.exit_code, web.ended.remarks) == ("guest", 0, ())
    shown = hospes("logs", "web", "--tail", "30").stdout
    assert "reboot: Power down" in shown
    disk = web.path / "root.qcow2"
    assert hospes("disk", "check", str(disk)).returncode == 0
    with closing(open_image(disk, DiskFormat.QCOW2)) as image:
        assert not FileSystem(image).super.incompatible & Incompatible.RECOVER
