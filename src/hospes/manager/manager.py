"""What verbs act through: the surroundings of one user's request."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hospes.base.progress import Progress, silent

if TYPE_CHECKING:
    from hospes.api import Ending, Machine


class Terminal(Protocol):
    """Where the user of a machine in the foreground is."""

    def attach(self, vm: "Machine") -> "Ending":
        """Run a machine with its console joined to the user, until it stops or the user leaves."""
        ...

    def output(self, data: bytes) -> None:
        """Standard output of a command in a guest."""
        ...

    def error(self, data: bytes) -> None:
        """Standard error of a command in a guest."""
        ...

    def remark(self, message: str) -> None:
        """Say something while the guest runs; may be called by any thread."""
        ...

    def environment(self) -> dict[str, str]:
        """What a shell on this terminal should know: its kind and size."""
        ...


@dataclass(frozen=True)
class Manager:
    """Collaborators a front end gives to the verbs it calls."""

    progress: Progress = silent
    terminal: Terminal | None = None
