"""Everything known of one machine that is kept."""

from contextlib import suppress
from dataclasses import dataclass

from hospes.base.errors import HospesError
from hospes.manager.link import Link
from hospes.manager.look import address_of, moment, state_of
from hospes.manager.store import MachineDirectory


@dataclass(frozen=True)
class Inspected:
    """One machine; what it does not have is None or empty."""

    name: str
    state: str
    directory: str
    image: str | None
    kernel: str | None
    initrd: str | None
    bios: str | None
    append: str | None
    memory: str | None
    cpus: int
    engine: str
    disks: tuple[str, ...]
    network: str
    address: str | None
    vsock_cid: int | None
    volumes: tuple[str, ...]
    agent: str | None
    process: int | None
    started: str | None
    ended: str | None
    exit_status: int | None
    message: str | None


def inspect_machine(machine: MachineDirectory) -> Inspected:
    """A machine as it is now."""
    spec, (state, _, _) = machine.spec, state_of(machine)
    started, ended = machine.started, machine.ended
    said = (ended.message, *ended.remarks) if ended else _remarks(machine)
    return Inspected(
        name=machine.name,
        state=state,
        directory=str(machine.path),
        image=spec.image,
        kernel=str(spec.kernel) if spec.kernel else None,
        initrd=str(spec.initrd) if spec.initrd else None,
        bios=str(spec.bios) if spec.bios else None,
        append=spec.append or None,
        memory=spec.memory,
        cpus=spec.cpus,
        engine=spec.engine,
        disks=tuple(str(disk.path) for disk in spec.disks),
        network=spec.network.text,
        address=(address_of(spec.network) or None) if machine.runs else None,
        vsock_cid=spec.vsock_cid or None,
        volumes=tuple(str(volume) for volume in spec.volumes),
        agent=(started.agent or None) if started else None,
        process=started.process if started and machine.runs else None,
        started=moment(started.when_s) if started else None,
        ended=moment(ended.when_s) if ended else None,
        exit_status=ended.exit_code if ended else None,
        message="; ".join(filter(None, said)) or None,
    )


def _remarks(machine: MachineDirectory) -> tuple[str, ...]:
    """What a machine that runs has to say to its user so far."""
    if machine.runs:
        with suppress(HospesError), Link(machine) as link:
            return link.info().remarks
    return ()
