"""The agent in the guest of a running machine, whichever kind it has."""

from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Final

from hospes.base.errors import HospesError
from hospes.guests.store import OWN_AGENT
from hospes.manager.guest_agent import GuestAgent
from hospes.manager.link import Link
from hospes.manager.own_agent import OwnAgent
from hospes.manager.store import MachineDirectory

AGENTS: Final = MappingProxyType({OWN_AGENT: OwnAgent})


def agent_of(
    machine: MachineDirectory, patience: float = 0.0
) -> AbstractContextManager[GuestAgent]:
    """The agent in a machine's guest; `patience` is how long another user of it is waited for."""
    with Link(machine) as link:
        kind = link.info().agent
    if kind not in AGENTS:
        raise HospesError(
            f"the guest of {machine.name!r} has no agent to do this; "
            f"use its console with 'hospes attach {machine.name}'"
        )
    return AGENTS[kind](machine, patience)
