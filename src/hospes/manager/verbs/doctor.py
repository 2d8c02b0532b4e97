"""What this host offers: each capability, what depends on it, and what is done without it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hospes.manager.manager import Manager
from hospes.manager.verb import verb

if TYPE_CHECKING:
    from hospes.manager.host import Capability


@dataclass(frozen=True)
class Examination:
    """The capabilities of a host; the exit code is 1 if something required is missing."""

    capabilities: "tuple[Capability, ...]"

    @property
    def exit_code(self) -> int:
        """0 when every required capability is there."""
        return int(any(c.required and not c.present for c in self.capabilities))


@verb("GET /host/capabilities")
def doctor(m: Manager) -> Examination:
    """Tell what this host has, and what is done without the rest."""
    from hospes.manager.host import survey

    return Examination(survey())
