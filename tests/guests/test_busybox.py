"""Finding the applets' names in a program."""

import string

import pytest

from hospes.base.errors import HospesError
from hospes.guests.busybox import applet_links, applet_names

NAMES = sorted(
    ["[", "[[", "busybox", "linuxrc", "sh", "run-parts", "sha256sum"]
    + [f"{letter}{number}" for letter in string.ascii_lowercase for number in range(3)]
)
TABLE = "".join(f"{name}\0" for name in NAMES).encode() + b"\0"


def test_the_names_are_found_among_other_strings() -> None:
    program = b"\x7fELF[[\0\0not found\0[\0[[\0alias\0bg\0\0" + TABLE + b"usage\0"
    assert applet_names(program) == NAMES


def test_links_point_to_the_program_beside_them() -> None:
    links = {link.path: link.data for link in applet_links(b"\0" + TABLE)}
    assert links["usr/bin/sh"] == b"busybox"
    assert links["usr/bin/["] == b"busybox"
    assert "usr/bin/busybox" not in links


@pytest.mark.parametrize("program", [b"", b"[\0[[\0ar\0", TABLE.replace(b"c1\0", b"zz\0")])
def test_a_program_without_a_table_is_refused(program: bytes) -> None:
    with pytest.raises(HospesError, match="no list of applets"):
        applet_names(program)
