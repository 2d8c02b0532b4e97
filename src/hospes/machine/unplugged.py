"""The end of a cable that is plugged in nowhere."""

from collections.abc import Sequence


class Unplugged:
    """A NetworkBackend without a link: nothing arrives, and what is sent is gone."""

    link_up = False
    waiting = False

    def send(self, frames: Sequence[bytes]) -> None:
        """They go nowhere."""

    def receive(self, limit: int) -> list[bytes]:
        """None ever come."""
        return []

    def accept(self, offloads: int) -> None:
        """The card says it again when it is plugged in."""
