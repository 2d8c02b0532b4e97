"""Which applets a stock busybox has, read out of the program itself."""

import re
from typing import Final

from hospes.base.errors import HospesError
from hospes.guests.tree import Entry, symlink

# busybox keeps its applets' names as one table: sorted, NUL-terminated, closed by an empty string.
TABLE: Final = re.compile(rb"\[\0\[\[\0(?:[a-z][a-z0-9_.-]*\0){50,}")


def applet_names(program: bytes) -> list[str]:
    """The names that `busybox --list` prints."""
    table = TABLE.search(program)
    names = table[0].decode("ascii").split("\0")[:-1] if table else []
    if not names or names != sorted(names):
        raise HospesError(
            "The busybox of the package has no list of applets that Hospes can read; "
            "report the package's version."
        )
    return names


def applet_links(program: bytes) -> list[Entry]:
    """A symbolic link in usr/bin for every applet, to the program beside it."""
    own = ("busybox", "linuxrc")
    return [
        symlink(f"usr/bin/{name}", "busybox") for name in applet_names(program) if name not in own
    ]
