"""Measurements of one program with a folder of the host that its guest has mounted."""

import tempfile
from pathlib import Path

from bench.folder_loads import AGAIN, LOADS, PREPARE
from bench.guest import PROMPT, LinuxGuest
from bench.measure import Measure, Samples, run_command
from bench.process import MachineProcess
from bench.programs import Program
from bench.workloads import SCRIPT


def measure_folders(guest: LinuxGuest, directory: Path) -> Measure:
    """Seconds for each byte or file, in an empty folder each time."""

    def measure(program: Program, samples: Samples) -> None:
        with (
            tempfile.TemporaryDirectory(dir=directory) as folder,
            MachineProcess(program.shared(guest, Path(folder))) as process,
        ):
            process.wait_for(PROMPT)
            run_command(process, f". /{SCRIPT}")
            run_command(process, PREPARE)
            for load in LOADS:
                run_command(process, AGAIN)
                before = process.cpu_seconds()
                seconds = run_command(process, load.command)
                cpu = process.cpu_seconds() - before
                samples.add(load.key, seconds / load.count, cpu / load.count)

    return measure
