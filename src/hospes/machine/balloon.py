"""How much memory a guest makes do with, and what it says about it."""

import threading
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from hospes.base.errors import HospesError
from hospes.devices.virtio.balloon import PAGE_SHIFT, VirtioBalloon
from hospes.spec.size import format_size
from hospes.spec.vm import PAGE_BYTES

ANSWER_SECONDS: Final = 5.0
TAGS: Final = MappingProxyType(
    {
        0: "swapped_in_bytes",
        1: "swapped_out_bytes",
        2: "major_faults",
        3: "minor_faults",
        4: "free_bytes",
        5: "total_bytes",
        6: "available_bytes",
        7: "cached_bytes",
    }
)


@dataclass(frozen=True)
class MemoryStatistics:
    """What a guest says about its memory (virtio 1.2, 5.5.6.4); None where it says nothing.

    `wall_ns` is the host's time of the answer, `balloon_bytes` what is in the balloon. Swapped
    bytes and faults count from the guest's start; `available_bytes` could be had without swapping.
    """

    wall_ns: int
    balloon_bytes: int
    swapped_in_bytes: int | None = None
    swapped_out_bytes: int | None = None
    major_faults: int | None = None
    minor_faults: int | None = None
    free_bytes: int | None = None
    total_bytes: int | None = None
    available_bytes: int | None = None
    cached_bytes: int | None = None


def leave(device: VirtioBalloon | None, memory_bytes: int, target_bytes: int) -> None:
    """Ask the guest for a balloon that leaves it target_bytes of its memory."""
    if not 0 < target_bytes <= memory_bytes or target_bytes % PAGE_BYTES:
        raise HospesError(
            f"a guest with {format_size(memory_bytes)} of memory cannot be left "
            f"{format_size(target_bytes)}; name at most all of it, in pages of {PAGE_BYTES} bytes"
        )
    _present(device).resize((memory_bytes - target_bytes) >> PAGE_SHIFT)


class Inquiry:
    """Statistics asked for by one thread and delivered by the machine's own."""

    def __init__(self) -> None:
        self._answered = threading.Event()
        self._statistics: MemoryStatistics | None = None

    def begin(self, device: VirtioBalloon | None) -> None:
        """Ask the guest; the machine's thread."""
        balloon = _present(device)
        balloon.ask(lambda: self._take(balloon))

    def _take(self, balloon: VirtioBalloon) -> None:
        known = {TAGS[tag]: value for tag, value in balloon.statistics.items() if tag in TAGS}
        self._statistics = MemoryStatistics(
            balloon.statistics_wall_ns, balloon.actual_pages << PAGE_SHIFT, **known
        )
        self._answered.set()

    def result(self, seconds: float) -> MemoryStatistics:
        """Wait for the answer."""
        if not self._answered.wait(seconds) or self._statistics is None:
            raise HospesError(
                f"the guest has said nothing about its memory within {seconds:g} s; "
                "its balloon driver is not there, or the machine does not run"
            )
        return self._statistics


def _present(device: VirtioBalloon | None) -> VirtioBalloon:
    if device is None:
        raise HospesError("the machine has no balloon; make it with balloon=True")
    return device
