"""A running Debian kernel from outside: engines changed under it, time held, memory looked at."""

import re
import threading
import time
from collections.abc import Iterator
from typing import Final

import pytest
from tests.guest.kernel_log import COMMAND, troubles
from tests.guest.pair import BOOT_SECONDS

from hospes import Machine
from hospes.api import Result
from hospes.guests.store import Image

pytestmark = [pytest.mark.guest, pytest.mark.usefixtures("tiny")]

RAM: Final = 0x8000_0000
MEMORY_BYTES: Final = 128 << 20
PAGE_BYTES: Final = 4096
COMMAND_SECONDS: Final = 300
REFERENCE_INSTRUCTIONS: Final = 20_000
WORK: Final = """
    for n in 1 2 3 4 5 6; do
        sha256sum /bin/busybox
        gzip </bin/busybox | md5sum
        awk 'BEGIN { for (n = 1; n < 4000; n++) x = x * 0.9 + n / 7; printf "%.17g\\n", x }'
        ls -l /usr/bin | md5sum
    done | sort | uniq -c"""


@pytest.fixture(scope="module")
def vm(tiny: Image) -> Iterator[Machine]:
    with Machine("tiny", memory=MEMORY_BYTES, cpus=2) as machine:
        assert machine.session.ready(BOOT_SECONDS)
        yield machine


def in_the_meantime(vm: Machine, command: str) -> tuple[threading.Thread, list[Result]]:
    """Start a command and go on."""
    results: list[Result] = []
    thread = threading.Thread(target=lambda: results.append(vm.run(command, COMMAND_SECONDS)))
    thread.start()
    return thread, results


def execute(vm: Machine, instructions: int) -> None:
    """Wait until the harts have executed so many more."""
    wanted = vm.stats.instructions + instructions
    limit = time.monotonic() + COMMAND_SECONDS
    while vm.stats.instructions < wanted:
        assert time.monotonic() < limit, f"{vm.engine} makes no progress"
        time.sleep(0.01)


def test_engines_take_turns_while_the_guest_works(vm: Machine) -> None:
    undisturbed = vm.run(WORK, COMMAND_SECONDS)
    thread, disturbed = in_the_meantime(vm, WORK)
    turns = 0
    while thread.is_alive() and turns < 8:
        execute(vm, 3_000_000)
        vm.engine = "reference"
        assert vm.engine == "reference"
        if thread.is_alive():
            execute(vm, REFERENCE_INSTRUCTIONS)
            turns += 1
        vm.engine = "threaded"
    thread.join(COMMAND_SECONDS)
    assert turns >= 3
    assert disturbed == [undisturbed]
    assert len(undisturbed.stdout.splitlines()) == 4


def test_registers_tell_where_the_guest_is(vm: Machine) -> None:
    thread, _ = in_the_meantime(vm, "i=0; while [ $i -lt 60000 ]; do i=$((i + 1)); done")
    modes, counts = set(), []
    for _ in range(40):
        vm.pause()
        for number in range(2):
            registers = vm.registers(number)
            modes.add(registers.mode)
            assert registers["satp"] >> 60 == 10
            assert registers["stvec"] >> 38 == (1 << 26) - 1
            kernel = registers.pc >> 56 == 0xFF
            assert kernel == (registers.mode == "S")
            assert registers["x0"] == registers["zero"] == 0
            assert registers.pc % 2 == 0
        counts.append(vm.registers().instret + vm.registers(1).instret)
        vm.resume()
        time.sleep(0.01)
    thread.join(COMMAND_SECONDS)
    assert modes == {"S", "U"}
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


def test_memory_holds_what_the_guest_wrote(vm: Machine) -> None:
    """And the guest reads what we write."""
    mark = "".join(chr(ord("a") + n % 26) for n in range(0, 7 * 600, 7))
    lines = f"printf %s {mark[:300]}{mark[300:]} >/tmp/mark"
    vm.run(lines, COMMAND_SECONDS, check=True)
    vm.pause()
    memory = vm.read(RAM, MEMORY_BYTES)
    banner = re.search(rb"Linux version [0-9.]+\+deb\d+-riscv64 \(", memory)
    assert banner
    found = [hit.start() for hit in re.finditer(mark.encode(), memory)]
    assert any(at % PAGE_BYTES == 0 for at in found), found
    for at in found:
        vm.write(RAM + at, mark.upper().encode())
    vm.resume()
    assert vm.run("cat /tmp/mark", COMMAND_SECONDS).stdout == mark.upper()


def test_the_guests_clocks_stand_still_in_a_pause(vm: Machine) -> None:
    command = "cut -d ' ' -f 1 /proc/uptime; date +%s; usleep 1000; dmesg | tail -1"
    up, wall, *_ = vm.run(command, COMMAND_SECONDS).stdout.split("\n")
    begun = time.monotonic()
    vm.pause()
    held = time.monotonic()
    time.sleep(3)
    held = time.monotonic() - held
    vm.resume()
    up_now, wall_now, *_ = vm.run(command, COMMAND_SECONDS).stdout.split("\n")
    passed = time.monotonic() - begun
    assert 0 <= float(up_now) - float(up) <= passed - held + 0.5
    assert 0 <= int(wall_now) - int(wall) <= passed - held + 1.5
    slept = vm.run("time -p sleep 1", COMMAND_SECONDS).stderr
    assert 1 <= float(re.search(r"real ([0-9.]+)", slept)[1]) < 20


@pytest.mark.parametrize("engine", ["threaded", "reference"])
def test_every_page_that_changed_is_reported_dirty(vm: Machine, engine: str) -> None:
    thread, _ = in_the_meantime(vm, "for n in 1 2 3 4 5; do cat /bin/busybox >/tmp/x; done; ls /")
    execute(vm, 2_000_000)
    vm.engine = engine
    vm.pause()
    vm.dirty_pages()
    before = vm.read(RAM, MEMORY_BYTES)
    assert vm.dirty_pages() == []
    vm.resume()
    execute(vm, REFERENCE_INSTRUCTIONS)
    vm.pause()
    after, dirty = vm.read(RAM, MEMORY_BYTES), vm.dirty_pages()
    vm.resume()
    vm.engine = "threaded"
    thread.join(COMMAND_SECONDS)
    changed = {
        RAM + at
        for at in range(0, MEMORY_BYTES, PAGE_BYTES)
        if before[at : at + PAGE_BYTES] != after[at : at + PAGE_BYTES]
    }
    assert len(changed) > 5
    assert changed <= set(dirty)
    assert dirty == sorted(dirty)
    assert len(dirty) < MEMORY_BYTES // PAGE_BYTES // 4


def test_the_kernel_took_no_notice(vm: Machine) -> None:
    """After all the others: neither time that jumped nor anything else."""
    raw = vm.run(COMMAND, COMMAND_SECONDS).stdout
    later = raw[raw.index("Run /init") :]
    assert {line for line in troubles(later) if "hrtimer" not in line} == set()
