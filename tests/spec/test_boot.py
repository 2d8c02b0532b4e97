"""The command line of a kernel from a disk: ours, unless the user says otherwise."""

import pytest

from hospes.spec.boot import BootContent

WORDS = ("root=UUID=1-2", "ro", "console=ttyS0")


@pytest.mark.parametrize(
    ("append", "line"),
    [
        ("", "root=UUID=1-2 ro console=ttyS0"),
        ("quiet  x=y", "root=UUID=1-2 ro console=ttyS0 quiet x=y"),
        ("root=/dev/vda rw", "console=ttyS0 root=/dev/vda rw"),
        ("console=hvc0", "root=UUID=1-2 ro console=hvc0"),
    ],
)
def test_words_of_the_user_take_the_place_of_ours(append: str, line: str) -> None:
    assert BootContent("disk", b"", None, "", WORDS).command_line(append) == line
