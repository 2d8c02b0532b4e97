"""Debian's library that makes a program's waiting for the disk void, while an image is made."""

import re
from typing import Final

from hospes.base.errors import HospesError
from hospes.guests.deb import Package

PACKAGE: Final = "libeatmydata1"
FILE: Final = "libeatmydata.so"
LIBRARY: Final = re.compile(r"usr/lib/[\w-]+/libeatmydata\.so\.[\d.]+")


def library(package: Package) -> bytes:
    """The shared object itself; HospesError when the package has none."""
    for entry in package.files(lambda path: bool(LIBRARY.fullmatch(path))):
        if entry.is_regular:
            return entry.data
    raise HospesError(f"The package {package.path.name} brings no {FILE}; try another mirror.")
