"""What devices ask of the world outside the machine, as Protocols other rooms satisfy."""

from typing import Protocol


class CharacterBackend(Protocol):
    """Where a console's output goes."""

    def write(self, data: bytes, /) -> int:
        """Take bytes without waiting; returns how many, which is fewer when there is no room."""
        ...


class EntropySource(Protocol):
    """Random bytes; a recorded machine gets them from its log."""

    def read(self, count: int, /) -> bytes:
        """Exactly count random bytes."""
        ...


class DeviceMemory(Protocol):
    """Guest RAM as a device reaches it (DMA); both raise GuestError outside RAM."""

    def read(self, gpa: int, count: int, /) -> bytes:
        """A copy of count bytes."""
        ...

    def write(self, gpa: int, data: bytes, /) -> None:
        """Store bytes, marking the frames dirty."""
        ...
