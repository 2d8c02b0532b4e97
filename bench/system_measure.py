"""Measurements of one program with the whole system: its boot, its disk, packages unpacked."""

import re
from typing import Final

from bench.guest import PROMPT
from bench.measure import Measure, Samples, run_command
from bench.process import MachineProcess
from bench.programs import Program
from bench.system_guest import LOGIN, MULTI_USER, USER, SystemGuest
from bench.system_loads import FIO_LOADS, FIO_MARK, MOUNT, PACKAGES_DISK, SCRIPT, UNPACK
from hospes.base.errors import HospesError

SYSTEM_BOOT: Final = "system_boot"
SYSTEM_MEMORY: Final = "system_memory"
BOOT_SECONDS: Final = 600.0
LOAD_SECONDS: Final = 900.0


def measure_system(guest: SystemGuest, loads: bool) -> Measure:
    """A boot to multi-user.target, then, if wanted, the loads."""

    def measure(program: Program, samples: Samples) -> None:
        with MachineProcess(program.system(guest)) as process:
            at = process.wait_for(MULTI_USER, seconds=BOOT_SECONDS)
            samples.add(SYSTEM_BOOT, at - process.started, process.cpu_seconds())
            samples.add(SYSTEM_MEMORY, process.resident_beyond(guest.memory_bytes))
            if loads:
                _log_in(process)
                _measure_loads(process, samples)

    return measure


def _log_in(process: MachineProcess) -> None:
    process.wait_for(LOGIN, seconds=BOOT_SECONDS)
    start = len(process.output)
    process.send(f"{USER}\n")
    process.wait_for(PROMPT, start)
    run_command(process, f"mount -o ro {PACKAGES_DISK} {MOUNT} && . {MOUNT}/{SCRIPT}")


def _measure_loads(process: MachineProcess, samples: Samples) -> None:
    before = process.cpu_seconds()
    samples.add(UNPACK, run_command(process, UNPACK, LOAD_SECONDS), process.cpu_seconds() - before)
    for load in FIO_LOADS:
        start = len(process.output)
        run_command(process, load.key)
        found = re.search(re.escape(FIO_MARK) + rb"(\d+) ", bytes(process.output[start:]))
        if found is None or not int(found[1]):
            raise HospesError(f"fio told no bandwidth of {load.key}; see that it works by hand")
        samples.add(load.key, 1.0 / (1024 * int(found[1])))
