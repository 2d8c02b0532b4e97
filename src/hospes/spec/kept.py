"""What the directory of a kept machine holds, and says of its life."""

from dataclasses import dataclass
from typing import Final

from hospes.spec.vm import VmSpec

SPEC_FILE: Final = "machine.json"
LOCK_FILE: Final = "lock"
"""Locked (flock) by the process that runs the machine; whether it runs is known by nothing else."""
CHANGE_FILE: Final = "change.lock"
"""Locked by who changes what was asked for."""
SOCKET_FILE: Final = "socket"
CONSOLE_FILE: Final = "console.log"
OLDER_CONSOLE_FILE: Final = "console.log.1"
WORKER_LOG_FILE: Final = "worker.log"
STARTED_FILE: Final = "started.json"
ENDING_FILE: Final = "ending.json"
VSOCK_FILE: Final = "vsock.sock"
RESERVE_FILE: Final = "reserve"
"""Space for writing down the end, should the machine fill the host's disk."""


@dataclass(frozen=True, kw_only=True)
class Boot:
    """What a worker is given: the machine to make, and which agent its guest has ("" for none).

    With `paused`, no guest instruction is executed before a client lets the machine go on.
    """

    spec: VmSpec
    agent: str = ""
    paused: bool = False


@dataclass(frozen=True, kw_only=True)
class Started:
    """The last start: the worker's process, and when, in seconds since 1970."""

    process: int
    when_s: float
    agent: str = ""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The last end. `kind` says why; `exit_code` is the guest's when it switched itself off."""

    kind: str
    exit_code: int
    when_s: float
    message: str = ""
    remarks: tuple[str, ...] = ()
