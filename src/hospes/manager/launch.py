"""Starting a machine's process: what was asked for becomes what the process is given."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from hospes.base.errors import HospesError
from hospes.base.paths import module_path
from hospes.base.progress import Progress
from hospes.base.record import pack
from hospes.guests import agent_kinds, catalogue
from hospes.guests.describe import describe
from hospes.manager.driver import drive
from hospes.manager.mending import mend_after_crash
from hospes.manager.ssh import server_words
from hospes.manager.store import MachineDirectory, Store, home_errors
from hospes.spec.disk import DiskFormat, DiskSpec, parse_disk
from hospes.spec.kept import VSOCK_FILE, WORKER_LOG_FILE, Boot
from hospes.spec.net import MAC_SEED_BYTES, NetworkKind, NetworkSpec, mac_from
from hospes.spec.vsock import VsockSpec, new_cid
from hospes.worker.report import unpack_lines

ROOT_FILE: Final = "root.qcow2"
BASE_FILE: Final = "base.qcow2"
SHELL_WORD: Final = "hospes.shell"
READ_BYTES: Final = 4096


def own_root(image: str | None, directory: Path, progress: Progress) -> tuple[DiskSpec, ...]:
    """The root disk of a machine made from an image that has one: a layer on the image's.

    The image's disk becomes a file of the machine, too, by a hard link where that can be: whatever
    happens to the image, the machine keeps what it is based on.
    """
    base = image and catalogue.ensure(image, progress, driver=drive).disk
    if not base:
        return ()
    from hospes.storage.create import create_image

    try:
        os.link(base, directory / BASE_FILE)
    except OSError:
        shutil.copyfile(base, directory / BASE_FILE)
    root, kind = directory / ROOT_FILE, DiskFormat.QCOW2
    create_image(root, None, kind, backing=directory / BASE_FILE, backing_format=kind)
    return (DiskSpec(Path(ROOT_FILE), kind),)


def own_disks(wanted: Sequence[str], directory: Path) -> tuple[DiskSpec, ...]:
    """The disks of a machine that is kept: a new one becomes a file in its directory."""
    disks = []
    for number, text in enumerate(wanted):
        disk = parse_disk(text)
        if disk.path is not None:
            disks.append(replace(disk, path=disk.path.absolute()))
            continue
        from hospes.storage.create import create_image

        kind = disk.format or DiskFormat.QCOW2
        path = Path(f"disk{number}.{kind}")
        create_image(directory / path, disk.size_bytes, kind)
        disks.append(replace(disk, path=path, format=kind, size_bytes=None))
    return tuple(disks)


def own_card(network: NetworkSpec) -> NetworkSpec:
    """The network of a machine that is kept: its card has the same address at every start."""
    if network.kind == NetworkKind.NONE or network.mac is not None:
        return network
    return replace(network, mac=mac_from(os.urandom(MAC_SEED_BYTES)))


def own_cid() -> int:
    """A vsock address that no other machine of this user has."""
    taken = set()
    for machine in Store().all():
        with suppress(HospesError):
            taken.add(machine.spec.vsock_cid)
    return new_cid(taken)


def boot_of(
    machine: MachineDirectory, words: Sequence[str], progress: Progress, paused: bool
) -> Boot:
    """What a machine's process is given; `words` are added to the kernel's command line."""
    spec = machine.spec
    agent = _agent(spec.image, progress) if spec.image else ""
    own = {agent_kinds.OWN: [SHELL_WORD], agent_kinds.QEMU: [f"systemd.hostname={machine.name}"]}
    ssh = server_words(machine.path) if agent == agent_kinds.QEMU or spec.boots_disk else []
    return Boot(
        spec=describe(
            spec.image,
            kernel=spec.kernel,
            initrd=spec.initrd,
            bios=spec.bios,
            append=" ".join(filter(None, [*own.get(agent, ()), spec.append, *words, *ssh])),
            memory=spec.memory,
            cpus=spec.cpus,
            engine=spec.engine,
            disks=[_placed(disk, machine.path) for disk in spec.disks],
            interrupts=spec.interrupts,
            allow=spec.allow,
            network=replace(spec.network, station=machine.name),
            volumes=spec.volumes,
            vsock=VsockSpec(spec.vsock_cid or new_cid(), machine.path / VSOCK_FILE),
            agent=agent == agent_kinds.OWN,
            own_root=(machine.path / ROOT_FILE).exists(),
            progress=progress,
            driver=drive,
        ),
        agent=agent,
        paused=paused,
    )


def _agent(image: str, progress: Progress) -> str:
    return catalogue.ensure(image, progress, driver=drive).manifest.agent


def _placed(disk: DiskSpec, directory: Path) -> DiskSpec:
    return disk if disk.path is None else replace(disk, path=directory / disk.path)


def launch(
    machine: MachineDirectory, words: Sequence[str], progress: Progress, *, paused: bool = False
) -> None:
    """Start a machine's process; returns once the machine runs, HospesError when it cannot.

    With `paused`, it is to be resumed before anything is executed.
    """
    boot = boot_of(machine, words, progress, paused)
    mend_after_crash(machine, boot.spec.disks)
    with home_errors(machine.path), (machine.path / WORKER_LOG_FILE).open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "hospes.worker", str(machine.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
            cwd="/",
            env=os.environ | {"PYTHONPATH": module_path()},
        )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(BrokenPipeError), process.stdin as into:
            into.write(pack(boot))
        _await_ready(machine, process.stdout, progress)
    except BaseException:
        process.terminate()
        process.wait()
        raise
    finally:
        process.stdout.close()
    process.returncode = 0  # It outlives this process, and is nobody's child to wait for.


def _await_ready(machine: MachineDirectory, out: IO[bytes], progress: Progress) -> None:
    for line in unpack_lines(_pieces(out)):
        if line.error:
            raise HospesError(line.error)
        if line.ready:
            return
        progress(line.task, line.done, line.total)
    raise HospesError(
        f"the process of the machine {machine.name!r} ended before the machine ran; "
        f"see {machine.path / WORKER_LOG_FILE}"
    )


def _pieces(out: IO[bytes]) -> Iterator[bytes]:
    while piece := out.read1(READ_BYTES):  # type: ignore[attr-defined]
        yield piece
