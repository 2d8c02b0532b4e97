"""What can be done inside the guest of a running machine, by an agent that runs there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from hospes.manager.manager import Terminal


@dataclass(frozen=True)
class Command:
    """A command for a guest: what runs, as whom, and whether with input or with a terminal.

    A single word is a line for the guest's shell; several are a program and its arguments.
    """

    words: Sequence[str]
    input: bool = False
    terminal: bool = False
    user: str | None = None


class GuestAgent(Protocol):
    """An agent that is held for a while."""

    def run(self, command: Command, terminal: Terminal) -> int:
        """Run a command, waiting for the guest to be ready; its exit code."""
        ...

    def copy_in(self, source: str, target: str) -> None:
        """Copy a file or directory of the host into the guest, as `cp -r` does."""
        ...

    def copy_out(self, source: str, target: str) -> None:
        """Copy a file or directory of the guest to the host, as `cp -r` does."""
        ...

    def shut_down(self, seconds: float) -> bool:
        """Ask the guest to switch itself off; False when it is not ready to be asked in time."""
        ...
