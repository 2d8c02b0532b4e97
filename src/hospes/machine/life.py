"""The states in a machine's life, and how it may end."""

from dataclasses import dataclass
from enum import StrEnum


class MachineState(StrEnum):
    """Where in its life a machine is."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"


class EndKind(StrEnum):
    """Why a machine stopped."""

    GUEST = "the guest switched itself off"
    USER = "stopped by the user"
    ERROR = "error"


@dataclass(frozen=True)
class Ending:
    """How a machine stopped; exit_code is the guest's when it switched itself off."""

    kind: EndKind
    exit_code: int = 0
    message: str = ""
