"""The agent in the guest of a running machine, whichever kind it has."""

from contextlib import AbstractContextManager

from hospes.base.errors import HospesError
from hospes.guests import agent_kinds
from hospes.manager.guest_agent import GuestAgent
from hospes.manager.link import Link
from hospes.manager.manager import Manager
from hospes.manager.own_agent import OwnAgent
from hospes.manager.store import MachineDirectory


def agent_of(
    m: Manager, machine: MachineDirectory, patience: float = 0.0
) -> AbstractContextManager[GuestAgent]:
    """The agent in a machine's guest; `patience` is how long another user of it is waited for."""
    with Link(machine) as link:
        kind = link.info().agent
    if kind == agent_kinds.OWN:
        return OwnAgent(machine, m, patience)
    if not kind and machine.spec.boots_disk:
        # Here, for few machines have use for it.
        from hospes.manager.ssh import SshAgent

        return SshAgent(machine, m)
    if kind != agent_kinds.QEMU:
        raise HospesError(
            f"the guest of {machine.name!r} has no agent to do this; "
            f"use its console with 'hospes attach {machine.name}'"
        )
    # Here, for it is a good deal, and images made here have no use for it.
    from hospes.manager.qemu_agent import QemuAgent

    return QemuAgent(machine, m, patience)
