"""Stopping a machine that runs in a process of its own, in order or at once."""

import os
import signal
import time
from contextlib import suppress
from typing import Final

from hospes.base.errors import HospesError
from hospes.manager.agents import agent_of
from hospes.manager.link import Link, not_running
from hospes.manager.manager import Manager
from hospes.manager.store import MachineDirectory

PLUG_SECONDS: Final = 10.0
KILL_SECONDS: Final = 5.0
PAUSE_SECONDS: Final = 0.02


def stop_in_order(m: Manager, machine: MachineDirectory, seconds: float) -> str:
    """Ask the guest to switch itself off, and pull the plug when it has not in so many seconds.

    Returns what there is to remark, or "".
    """
    with Link(machine) as link:
        info = link.info()
        if info.state == "paused":
            link.resume()
    name, deadline = machine.name, time.monotonic() + seconds
    if not info.agent and not machine.spec.boots_disk:
        pull_plug(machine)
        return f"the guest of {name!r} has no agent that could be asked; the plug was pulled"
    try:
        with agent_of(m, machine, seconds) as agent:
            asked = agent.shut_down(deadline - time.monotonic())
    except HospesError as error:
        if not machine.runs:
            return ""
        pull_plug(machine)
        return f"the guest of {name!r} could not be asked ({error}); the plug was pulled"
    if asked and wait_for_end(machine, deadline - time.monotonic()):
        return ""
    pull_plug(machine)
    what = "is still not off" if asked else "was not ready to be asked"
    return f"the guest of {name!r} {what} after {seconds:g} s; the plug was pulled"


def pull_plug(machine: MachineDirectory) -> str:
    """Stop it without asking the guest; a process that does not answer is killed."""
    if not machine.runs:
        raise not_running(machine)
    with suppress(HospesError), Link(machine) as link:
        link.stop()
        if link.wait(PLUG_SECONDS) or not machine.runs:
            return ""
    started = machine.started
    if machine.runs and started is not None:
        with suppress(ProcessLookupError):
            os.kill(started.process, signal.SIGKILL)
        if not wait_for_end(machine, KILL_SECONDS):
            raise HospesError(
                f"the process {started.process} of the machine {machine.name!r} does not end; "
                "look what holds it"
            )
        return f"the process of the machine {machine.name!r} did not answer and was killed"
    return ""


def wait_for_end(machine: MachineDirectory, seconds: float) -> bool:
    """Whether the machine's process ends in so many seconds."""
    deadline = time.monotonic() + seconds
    while machine.runs:
        if time.monotonic() >= deadline:
            return False
        time.sleep(PAUSE_SECONDS)
    return True
