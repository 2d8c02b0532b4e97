"""Disks of the host that are full: the cache's, and the one that machines are kept on."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from tests.guest.debian import PATIENT
from tests.guests.ext4.images import needs_e2fsprogs
from tests.storage.qemu import needs_qemu
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


KEPT = """
mount -t tmpfs -o size="$SIZE" none "$HOSPES_HOME" || exit 0
hospes() { "$PYTHON" -m hospes "$@"; }
disk=$HOSPES_HOME/machines/f/$DISK
hospes run --name f -d "$@"
hospes exec f -- "$FILL"
echo "running: $(hospes inspect f | grep message:)"
echo "stopped: $(hospes stop --timeout 200 f 2>&1)"
echo "afterwards: $(hospes inspect f | grep -E 'state:|message:')"
hospes disk check "$disk" >/dev/null
echo "check: $?"
qemu-img check -q "$disk"
echo "judge: $?"
hospes disk convert "$disk" "$PLAIN" >/dev/null 2>&1
"""


def fill(directory: Path, machine: list[str], **settings: str) -> str:
    """Fill the disk of a machine that is kept; what was said and found."""
    home = directory / "home"
    home.mkdir()
    settings |= {"HOSPES_HOME": str(home), "PYTHON": sys.executable}
    done = subprocess.run(
        [*IN_A_NAMESPACE, KEPT, "sh", *machine],
        env=os.environ | settings | {"PLAIN": str(directory / "plain.raw")},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    if done.returncode or "mount:" in done.stderr or not done.stdout:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    said = f"isk {home}/machines/f/{settings['DISK']} cannot be written: the host's disk is full"
    told = done.stdout.replace("\n", " ")
    for when in ("running:", "stopped:", "afterwards:"):
        assert said in told.partition(when)[2].partition(": check")[0], done
    assert "state:       stopped" in done.stdout
    # 3: space that a write which failed in the end has taken; nothing contradicts.
    assert re.search(r"^check: [03]\njudge: [03]$", done.stdout, re.MULTILINE)
    return done.stdout


@needs_qemu
def test_a_machine_that_is_kept(tiny: Image, tmp_path: Path) -> None:
    command = "dd if=/dev/zero of=/dev/vda bs=1M count=32 conv=fsync 2>/dev/null; echo dd $?"
    machine = ["tiny", "--disk", "size=64M"]
    said = fill(tmp_path, machine, SIZE="8m", DISK="disk0.qcow2", FILL=command)
    assert "dd 1\n" in said


@pytest.mark.soak
@needs_qemu
@needs_e2fsprogs
def test_the_root_disk_of_a_whole_debian(debian: Image, tmp_path: Path) -> None:
    """Its journal cannot be written, so nothing is read any more: that is how Linux does it."""
    command = "systemctl is-system-running --wait; "
    command += "dd if=/dev/urandom of=/root/fill bs=1M count=600 conv=fsync; echo dd $?"
    assert debian.disk is not None
    size = (debian.disk.stat().st_size >> 20) + 120
    said = fill(
        tmp_path, ["debian", "--append", PATIENT], SIZE=f"{size}m", DISK="root.qcow2", FILL=command
    )
    assert "running\ndd 1\n" in said
    plain = tmp_path / "plain.raw"
    assert subprocess.run(["e2fsck", "-fy", plain], check=False).returncode in (0, 1)
    assert subprocess.run(["e2fsck", "-fn", plain], check=False).returncode == 0
