"""Linux guests that crash or are damaged from the start; afterwards nothing of them is left."""

import gc
import gzip
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest
import zstandard
from tests.guest.pair import BOOT_SECONDS

from hospes import HospesError, Machine
from hospes.api import EndKind, describe
from hospes.guests import initramfs
from hospes.guests.cpio import read_archive
from hospes.guests.store import Image
from hospes.machine.machine import Machine as Core

pytestmark = pytest.mark.guest

SOON_SECONDS: Final = 1.0
# With a checksum, as the program `zstd` writes it: without one, not every change can be noticed.
ZSTD: Final = zstandard.ZstdCompressor(3, write_checksum=True)


def boot(kernel: Path, initrd: Path | None, append: str = "", memory: str = "256M") -> Core:
    """A machine whose restarts end it, so that a reboot after a panic is an end."""
    words = f"console=ttyS0 panic=-1 {append}"
    spec = describe(None, kernel=kernel, initrd=initrd, append=words, memory=memory)
    return Core(spec, restart=False)


def test_a_panic_at_boot_reboots(tiny: Image) -> None:
    with boot(tiny.kernel, tiny.initrd, "rdinit=/nothing root=/dev/none") as machine:
        machine.start()
        ending = machine.wait(BOOT_SECONDS)
        said = machine.console.history.decode("utf-8", "replace")
    assert ending.kind is EndKind.GUEST
    assert "Kernel panic - not syncing" in said


def test_a_panic_later_reboots_or_halts(tiny: Image) -> None:
    with Machine("tiny", append="panic=-1") as machine:
        machine.run("true", BOOT_SECONDS)
        with pytest.raises(HospesError, match="restarted meanwhile"):
            machine.run("echo c >/proc/sysrq-trigger", BOOT_SECONDS)
        assert "sysrq triggered crash" in machine.console_output
        assert machine.session.ready(BOOT_SECONDS)
        assert machine.run("echo again", BOOT_SECONDS).stdout == "again\n"
    with Machine("tiny", append="panic=0") as machine:
        machine.run("true", BOOT_SECONDS)
        machine.run("(sleep 0.2; echo c >/proc/sysrq-trigger) >/dev/null 2>&1 &", 60)
        limit = time.monotonic() + BOOT_SECONDS
        while "end Kernel panic" not in machine.console_output and time.monotonic() < limit:
            time.sleep(0.05)
        begun = time.monotonic()
        machine.stop()
        assert machine.wait(60).kind is EndKind.USER
        assert time.monotonic() - begun < 10 * SOON_SECONDS


def test_a_linux_guest_that_only_spins_can_be_stopped(tiny: Image) -> None:
    with Machine("tiny", cpus=2) as machine:
        machine.run("true", BOOT_SECONDS)
        machine.run("for n in 1 2 3; do yes >/dev/null 2>&1 & done", BOOT_SECONDS)
        time.sleep(0.5)
        begun = time.monotonic()
        machine.stop()
        machine.wait(60)
        assert time.monotonic() - begun < 10 * SOON_SECONDS


def damaged(data: bytes, choose: random.Random) -> bytes:
    """With one byte in two thousand changed."""
    changed = bytearray(data)
    for _ in range(len(data) // 2000):
        changed[choose.randrange(len(data))] = choose.getrandbits(8)
    return bytes(changed)


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_initrd(tiny: Image, tmp_path: Path, seed: int) -> None:
    """The guest's kernel copes: it boots, or panics and reboots."""
    choose = random.Random(seed)
    entries = [
        replace(entry, data=damaged(entry.data, choose)) if entry.is_regular else entry
        for entry in read_archive(tiny.initrd.read_bytes())
    ]
    path = tmp_path / "initrd"
    initramfs.write_initramfs(entries, path)
    with boot(tiny.kernel, path, "hospes.agent=hvc0") as machine:
        machine.start()
        limit = time.monotonic() + BOOT_SECONDS
        while machine.ending is None and time.monotonic() < limit:
            if b"hospes-agent 1" in machine.agent.history:
                break
            time.sleep(0.1)
        assert machine.ending is None or machine.ending.kind is EndKind.GUEST
        assert time.monotonic() < limit, machine.console.history[-2000:]


@pytest.mark.parametrize("kept", [3000, 1 << 20, 8 << 20, -4096, -1])
def test_a_truncated_kernel(tiny: Image, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "kernel"
    path.write_bytes(tiny.kernel.read_bytes()[:kept])
    with pytest.raises(HospesError, match=r"is truncated|is not a RISC-V kernel"):
        Machine(None, kernel=path)


@pytest.mark.parametrize("kept", [50, 3000, 1 << 20, -1000])
def test_a_truncated_initrd(tiny: Image, tmp_path: Path, kept: int) -> None:
    path = tmp_path / "initrd"
    path.write_bytes(tiny.initrd.read_bytes()[:kept])
    with pytest.raises(HospesError, match=f"initrd {path} is"):
        Machine(None, kernel=tiny.kernel, initrd=path)


@pytest.mark.parametrize("pack", [gzip.compress, ZSTD.compress])
def test_a_damaged_compressed_initrd(
    tiny: Image, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    data = bytearray(pack(tiny.initrd.read_bytes()))
    data[len(data) // 2] ^= 0x55
    path = tmp_path / "initrd"
    path.write_bytes(data)
    with pytest.raises(HospesError, match=f"initrd {path} "):
        Machine(None, kernel=tiny.kernel, initrd=path)


def test_guest_memory_cannot_be_left(tiny: Image) -> None:
    with Machine("tiny", memory="128M") as machine:
        for gpa, count in ((0, 8), (0x8000_0000 - 4, 8), (0x8800_0000 - 4, 8), (1 << 63, 8)):
            with pytest.raises(HospesError, match="not in RAM"):
                machine.read(gpa, count)
            with pytest.raises(HospesError, match="not in RAM"):
                machine.write(gpa, bytes(count))
        with pytest.raises(HospesError):
            machine.registers(1)


def count_of(what: str) -> int:
    """How many threads, files, mappings or child processes this process has."""
    if what == "threads":
        return threading.active_count()
    if what == "maps":
        return len(Path("/proc/self/maps").read_text().splitlines())
    if what == "children":
        return len(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
    return len(os.listdir("/proc/self/fd"))


def test_nothing_grows_with_machines_that_came_and_went(tiny: Image) -> None:
    counted = []
    for cycle in range(7):
        with Machine("tiny", memory="128M", cpus=2) as machine:
            if cycle % 3 == 0:
                machine.run("true", BOOT_SECONDS)
            else:
                time.sleep(0.3)
        del machine
        gc.collect()
        counted.append([count_of(what) for what in ("threads", "files", "maps", "children")])
    assert counted[1] == counted[-1], counted
    memory = Path("/proc/self/status").read_text()
    resident = next(line for line in memory.splitlines() if line.startswith("VmRSS"))
    assert int(resident.split()[1]) < 600_000
