"""A machine that is kept: made, started, and looked at from a terminal."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError
from hospes.manager.launch import launch, own_card, own_cid, own_disks, own_root
from hospes.manager.link import Link
from hospes.manager.manager import Manager, Terminal
from hospes.manager.ran import Ran
from hospes.manager.seed import NAMELESS, Wishes, keep_seed
from hospes.manager.stopping import wait_for_end
from hospes.manager.store import MachineDirectory, Store
from hospes.spec.machine import MachineSpec

ALL_LINES: Final = -1
END_SECONDS: Final = 10.0
CRASHED: Final = 1


def run_kept(
    m: Manager,
    asked: MachineSpec,
    disks: Sequence[str],
    wishes: Wishes,
    name: str | None,
    words: Sequence[str],
    detach: bool,
) -> Ran | str:
    """Make a machine and start it; its name, or with a terminal what came of it there.

    A machine that cannot be started is not kept.
    """

    def fill(directory: Path) -> MachineSpec:
        host_name = name or asked.image or NAMELESS
        seeds = keep_seed(directory, asked.image, host_name, wishes, m.progress)
        root = own_root(asked.image, directory, m.progress)
        own = (*root, *own_disks(disks, directory), *seeds)
        network = own_card(asked.network)
        return replace(asked, disks=own, network=network, vsock_cid=own_cid())

    machine = Store().create(name, fill)
    watched = not detach and m.terminal is not None
    try:
        launch(machine, words, m.progress, paused=watched)
    except BaseException:
        machine.remove()
        raise
    if m.terminal is None or detach:
        return machine.name
    return at_console(machine, m.terminal, lines=ALL_LINES, boots=True)


def at_console(
    machine: MachineDirectory, terminal: Terminal, *, lines: int = 0, boots: bool = False
) -> Ran:
    """Be at a running machine's console until it ends or the user leaves.

    One that `boots` waits for this, so that nothing is missed.
    """
    stream = Link(machine).console(lines)
    if boots:
        with Link(machine) as link:
            link.resume()
    if terminal.join(stream, boots=boots):
        return Ran(0, f"{machine.name} goes on; 'hospes attach {machine.name}' comes back to it")
    if not wait_for_end(machine, END_SECONDS):
        raise HospesError(
            f"the process of the machine {machine.name!r} has hung up; "
            f"see 'hospes inspect {machine.name}'"
        )
    ended = machine.ended
    if ended is None:
        return Ran(CRASHED, f"the process of the machine {machine.name!r} was killed")
    failed = [ended.message] if ended.kind == "error" else []
    return Ran(ended.exit_code, "; ".join([*failed, *ended.remarks]))
