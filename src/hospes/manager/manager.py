"""What verbs act through: the surroundings of one user's request."""

from dataclasses import dataclass
from typing import Any, Protocol

from hospes.base.progress import Progress, silent


class Terminal(Protocol):
    """The front end's side of a machine run in the foreground."""

    def attach(self, machine: Any) -> None:
        """Join the user to the machine's console until the machine stops or the user leaves."""
        ...


@dataclass(frozen=True)
class Manager:
    """Collaborators a front end gives to the verbs it calls."""

    progress: Progress = silent
    terminal: Terminal | None = None
