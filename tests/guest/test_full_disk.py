"""A cache on a disk that is full: one sentence, and nothing half made is left."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.ui.programs import command

from hospes.guests.store import Image

pytestmark = pytest.mark.guest
IN_A_NAMESPACE = ("unshare", "--map-root-user", "--mount", "sh", "-c")
MOUNT = 'mount -t tmpfs -o size=8m none "$HOSPES_CACHE" && "$@"; echo "left:"; '
MOUNT += 'ls "$HOSPES_CACHE/images"; exit 0'


def test_a_full_cache_disk(tiny: Image, tmp_path: Path) -> None:
    done = subprocess.run(
        [*IN_A_NAMESPACE, MOUNT, "sh", *command("images", "pull")],
        env=os.environ | {"HOSPES_CACHE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode or "mount:" in done.stderr:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"hospes: The disk with the cache {tmp_path}")
    assert "is full" in last
    assert done.stdout == "left:\n"
