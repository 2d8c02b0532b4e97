"""Busybox's applets do in a guest, byte for byte, what they do in the same guest under QEMU."""

from collections.abc import Iterator
from typing import Final

import pytest
from tests.guest.kernel_log import COMMAND, troubles
from tests.guest.pair import Pair, pair, script

from hospes.api import describe
from hospes.guests.store import Image

pytestmark = pytest.mark.guest

SCRIPT_SECONDS: Final = 600


@pytest.fixture(scope="module")
def guests(tiny: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with pair(describe("tiny"), tmp_path_factory.mktemp("peer")) as both:
        yield both


def test_applets_say_what_they_say_under_qemu(guests: Pair) -> None:
    ours, theirs = guests.run(script("busybox.sh", "sh"), SCRIPT_SECONDS)
    assert ours.stdout.splitlines() == theirs.stdout.splitlines()
    assert ours == theirs
    assert ours.exit_code == 0
    assert ours.stdout.endswith("== end\n")


def test_the_kernel_has_nothing_to_say_of_it(guests: Pair) -> None:
    """After the other one: no oops, no stall, no process that died of an unknown instruction."""
    ours, theirs = guests.run(COMMAND, SCRIPT_SECONDS)
    assert troubles(ours.stdout) - troubles(theirs.stdout) == set()
