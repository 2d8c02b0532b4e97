"""Measurements of one program with a folder of the host that its guest has mounted."""

import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from bench.folder_loads import AGAIN, LOADS, key_of, prepare
from bench.guest import PROMPT, LinuxGuest
from bench.measure import Measure, Samples, run_command
from bench.process import MachineProcess
from bench.programs import QEMU_NAME, Program, virtiofsd_socket
from bench.workloads import SCRIPT
from hospes.folders.virtiofsd import process as virtiofsd
from hospes.spec.volume import VolumeKind


def measure_folders(guest: LinuxGuest, directory: Path, kind: VolumeKind) -> Measure:
    """Seconds for each byte or file, in an empty folder each time."""

    def measure(program: Program, samples: Samples) -> None:
        with tempfile.TemporaryDirectory(dir=directory) as name:
            folder = Path(name)
            # Hospes starts its virtiofsd itself.
            alone = kind == VolumeKind.VIRTIOFS and program.name == QEMU_NAME
            with (
                _virtiofsd(folder) if alone else nullcontext(),
                MachineProcess(program.shared(guest, folder, kind)) as process,
            ):
                process.wait_for(PROMPT)
                run_command(process, f". /{SCRIPT}")
                run_command(process, prepare(kind))
                for load in LOADS:
                    run_command(process, AGAIN)
                    before = process.cpu_seconds()
                    seconds = run_command(process, load.command)
                    cpu = process.cpu_seconds() - before
                    samples.add(key_of(load, kind), seconds / load.count, cpu / load.count)

    return measure


@contextmanager
def _virtiofsd(folder: Path) -> Iterator[None]:
    """One that serves the folder to who connects to its socket, started as Hospes does."""
    with socket.socket(socket.AF_UNIX) as listener:
        path = virtiofsd_socket(folder)
        listener.bind(str(path))
        listener.listen(1)
        server = virtiofsd.start(virtiofsd.find(), folder, listener.fileno())
        try:
            yield
        finally:
            virtiofsd.end(server, patience=1.0)
            path.unlink()
