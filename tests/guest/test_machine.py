"""The machine under a stock Linux kernel, through the public API."""

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hospes import CommandTimeout, HospesError, Machine
from hospes.api import EndKind, describe
from hospes.guests.store import Image

pytestmark = pytest.mark.guest

BOOT_SECONDS = 120
OPENSBI = Path("/usr/lib/riscv64-linux-gnu/opensbi/generic")


@pytest.fixture(scope="module")
def vm(tiny: Image) -> Iterator[Machine]:
    """One guest for the tests that leave it as it was."""
    with Machine("tiny", memory="512M") as machine:
        assert machine.session.ready(BOOT_SECONDS)
        yield machine


def test_commands(vm: Machine) -> None:
    assert vm.run("uname -m", timeout=BOOT_SECONDS).stdout == "riscv64\n"
    result = vm.run("echo out; echo err >&2; exit 7", timeout=60)
    assert (result.stdout, result.stderr, result.exit_code) == ("out\n", "err\n", 7)
    assert vm.run(["echo", "a  b", "$HOME"], timeout=60).stdout == "a  b $HOME\n"


def test_output_of_a_hundred_megabytes_arrives_whole(vm: Machine) -> None:
    line = b"0123456789abcde\n"
    digest, count = hashlib.sha256(), 0

    def take(data: bytes) -> None:
        nonlocal count
        digest.update(data)
        count += len(data)

    part = "yes 0123456789abcde | head -c 10000000 >/tmp/part"
    command = f"{part}; cat {'/tmp/part ' * 10}; rm /tmp/part"
    assert vm.session.run(command, take, lambda data: None, 300) == 0
    assert count == 100_000_000
    assert digest.digest() == hashlib.sha256(line * (count // len(line))).digest()


def test_a_command_that_hangs_is_killed(vm: Machine) -> None:
    with pytest.raises(CommandTimeout):
        vm.run("while :; do :; done", timeout=1)
    assert vm.run("echo still here", timeout=60).stdout == "still here\n"


def test_looking_inside_and_pausing(vm: Machine) -> None:
    vm.pause()
    first = vm.registers()
    assert first["satp"] >> 60 in (8, 9, 10)
    assert vm.read(0x8020_0038, 4) == b"RSC\x05"
    time.sleep(0.3)
    assert vm.registers() == first
    vm.resume()
    before = float(vm.run("cut -d ' ' -f 1 /proc/uptime", timeout=60).stdout)
    vm.pause()
    time.sleep(3)
    vm.resume()
    after = float(vm.run("cut -d ' ' -f 1 /proc/uptime", timeout=60).stdout)
    assert 0 <= after - before < 2.5


def test_changing_engines_while_it_runs(vm: Machine) -> None:
    begun = vm.run("sha256sum /bin/busybox", timeout=60).stdout
    for _ in range(10):
        vm.engine = "reference"
        time.sleep(0.02)
        vm.engine = "threaded"
        time.sleep(0.02)
    assert vm.run("sha256sum /bin/busybox", timeout=60).stdout == begun


def test_an_idle_guest_costs_little(vm: Machine) -> None:
    vm.run("sleep 5", timeout=60)
    before = time.process_time()
    time.sleep(2)
    assert time.process_time() - before < 0.4


def test_the_numbers_add_up(vm: Machine) -> None:
    stats = vm.stats
    assert stats.instructions > 500_000_000
    assert stats.exits["device"] > 0
    assert stats.engine["tlb_misses"] > 0
    assert sum(stats.time.values()) == pytest.approx(stats.elapsed, rel=0.01)


def test_a_paste_of_64_kilobytes_arrives_whole(tiny: Image) -> None:
    pasted = b"".join(b"%07d\n" % number for number in range(8192))
    spec = describe("tiny", memory="512M", agent=False)
    with Machine(spec) as machine:
        wait_for(machine, "# ")
        machine.type("stty -echo; echo re''ady; cat >/tmp/pasted; stty echo; sha256sum /tmp/p*\n")
        wait_for(machine, "ready\r\n")
        machine.type(pasted + b"\x04")
        wait_for(machine, hashlib.sha256(pasted).hexdigest())


def test_several_harts(tiny: Image) -> None:
    with Machine("tiny", memory="512M", cpus=4) as machine:
        assert machine.run("nproc", timeout=BOOT_SECONDS).stdout == "4\n"
        command = "for n in 1 2 3 4; do sha256sum /bin/busybox & done; wait"
        sums = machine.run(command, timeout=60).stdout.split("\n")[:4]
        assert len(set(sums)) == 1
        assert machine.poweroff().kind is EndKind.GUEST


@pytest.mark.parametrize("name", ["fw_jump.elf", "fw_dynamic.bin"])
def test_stock_opensbi(tiny: Image, name: str) -> None:
    if not OPENSBI.exists():
        pytest.skip("Debian's package opensbi is not installed")
    spec = describe(
        None, bios=OPENSBI / name, kernel=tiny.kernel, initrd=tiny.initrd, memory="512M",
        append="console=ttyS0 hospes.agent=hvc0",
    )  # fmt: skip
    with Machine(spec) as machine:
        found = machine.run("dmesg | grep 'SBI implementation'", timeout=BOOT_SECONDS).stdout
        assert "ID=0x1 " in found
        # The images' own kernels do not try out their cryptography; this one has.
        assert machine.run("dmesg | grep 'alg: '", timeout=BOOT_SECONDS).stdout == ""
        assert "OpenSBI v" in machine.console_output
        assert machine.poweroff().exit_code == 0


def test_a_reboot_starts_anew(tiny: Image) -> None:
    with Machine("tiny", memory="512M") as machine:
        with pytest.raises(HospesError, match="restarted meanwhile"):
            machine.run("reboot -f; sleep 60", timeout=BOOT_SECONDS)
        assert machine.core.restarts == 1
        assert machine.session.ready(BOOT_SECONDS)


def test_nothing_is_left_behind(tiny: Image) -> None:
    with Machine("tiny", memory="256M") as machine:
        machine.run("true", timeout=BOOT_SECONDS)
    threads, files = threading.active_count(), len(os.listdir("/proc/self/fd"))
    with Machine("tiny", memory="256M") as machine:
        machine.run("true", timeout=BOOT_SECONDS)
    assert threading.active_count() == threads
    assert len(os.listdir("/proc/self/fd")) == files


def wait_for(machine: Machine, text: str) -> None:
    """Until the console shows something."""
    limit = time.monotonic() + BOOT_SECONDS
    while text not in machine.console_output:
        assert time.monotonic() < limit, machine.console_output[-500:]
        time.sleep(0.02)
