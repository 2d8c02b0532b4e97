"""Packages in the cache that no image is made of any more, and their removal."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from hospes.guests.closure import PackageFile
from hospes.guests.store import Manifest

DAY_SECONDS: Final = 86400


def keep(packages: Path, files: Iterable[PackageFile]) -> None:
    """An image is about to be made of these: they stay for a day, whatever else happens."""
    for file in files:
        os.utime(packages / file.file)


def sweep(packages: Path, manifests: Iterable[Manifest]) -> None:
    """Remove what belongs to no image and was not wanted for a day."""
    wanted = {
        f"{record.name}_{record.version.replace(':', '%3a')}"
        for manifest in manifests
        for record in manifest.packages
    }
    for path in packages.glob("*_*_*.deb*"):
        old = path.stat().st_mtime < time.time() - DAY_SECONDS
        if old and "_".join(path.name.split("_")[:2]) not in wanted:
            path.unlink(missing_ok=True)
