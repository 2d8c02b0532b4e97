"""Debian's stock riscv64 programs, unpacked from its packages, do byte for byte what they do under
QEMU: bash and coreutils, perl, python3."""

from collections.abc import Iterator
from typing import Final

import pytest
from tests.guest.images import image
from tests.guest.kernel_log import COMMAND, NOT_OURS, troubles
from tests.guest.pair import Pair, pair, script

from hospes.api import describe

pytestmark = pytest.mark.guest

IMAGE: Final = "userland"
SCRIPT_SECONDS: Final = 600


@pytest.fixture(scope="module")
def guests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    image(IMAGE)
    with pair(describe(IMAGE), tmp_path_factory.mktemp("peer")) as both:
        yield both


@pytest.mark.parametrize(
    ("name", "interpreter", "last"),
    [
        ("userland.bash", "bash", "exit trap"),
        ("userland.pl", "PERL_HASH_SEED=0 perl", "riscv64-linux-gnu-thread-multi 8 8 12345678"),
        ("userland.py", "PYTHONHASHSEED=0 python3", "OK"),
    ],
)
def test_programs_say_what_they_say_under_qemu(
    guests: Pair, name: str, interpreter: str, last: str
) -> None:
    ours, theirs = guests.run(script(name, interpreter), SCRIPT_SECONDS)
    assert ours.stdout.splitlines() == theirs.stdout.splitlines()
    assert ours == theirs
    assert ours.exit_code == 0
    assert ours.stdout.rstrip().endswith(last)


def test_the_kernel_has_nothing_to_say_of_it(guests: Pair) -> None:
    """After the others."""
    ours, theirs = guests.run(COMMAND, SCRIPT_SECONDS)
    assert troubles(ours.stdout) - troubles(theirs.stdout) - NOT_OURS.keys() == set()
