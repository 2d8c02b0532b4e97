"""What verbs act through: the surroundings of one user's request."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from hospes.base.progress import Progress, silent

if TYPE_CHECKING:
    from socket import socket

    from hospes.api import Ending, Machine


class Terminal(Protocol):
    """Where the user of a machine in the foreground is."""

    def attach(self, vm: "Machine") -> "Ending":
        """Run a machine with its console joined to the user, until it stops or the user leaves."""
        ...

    def join(self, stream: "socket", *, boots: bool) -> bool:
        """Be at the console of a machine in another process until it ends, or the user leaves.

        True when the user has left. `boots` says that the machine has just been started.
        """
        ...

    def raw(self, resized: Callable[[int, int], None]) -> AbstractContextManager[object]:
        """While this lasts every key is input as it is; `resized` is told columns and rows.

        HospesError when there is no terminal.
        """
        ...

    @property
    def input_fd(self) -> int:
        """Standard input."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows; what is usual when there is no terminal."""
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
