"""Files that a guest has made durable and reported, looked for after a hard kill of its machine."""

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

from tests.guest.debian import hospes
from tests.guests.ext4.images import program
from tests.storage.qemu import assert_sound
from tests.ui.programs import command

from hospes.guests.ext4.filesystem import FileSystem
from hospes.manager.store import Store
from hospes.spec.disk import DiskFormat
from hospes.storage.chain import open_image

LINES: Final = 500
LOST_SPACE: Final = 3
"""The exit code of `disk check`."""
END_SECONDS: Final = 60.0
WRITES: Final = """
cd {directory} || exit
while :; do
    dd if=/dev/urandom of=noise bs=64k count=64
    mv noise old
done 2>/dev/null &
i={first}
while :; do
    seq $i $((i + {lines})) >$i.new && sync $i.new && mv $i.new $i && sync . || exit
    echo $i
    i=$((i + 1))
done
"""


def killed_while_writing(name: str, directory: str, first: int, seconds: float) -> list[int]:
    """Kill a machine's process so long after the first of its files; the files reported."""
    script = WRITES.format(directory=directory, first=first, lines=LINES)
    machine = Store().find(name)
    started = machine.started
    assert started is not None
    killer = threading.Timer(seconds, os.kill, (started.process, signal.SIGKILL))
    reported = []
    with subprocess.Popen(
        command("exec", name, "--", script), stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            reported.append(int(line))
            if len(reported) == 1:
                killer.start()
    killer.join()
    limit = time.monotonic() + END_SECONDS
    while machine.runs:
        assert time.monotonic() < limit
        time.sleep(0.01)
    assert reported
    assert machine.ended is None
    return reported


def assert_nothing_lost(disk: Path, directory: str, reported: Iterable[int], scratch: Path) -> None:
    """The image is sound, its file system after a replay of the journal, and so is every file.

    A kill between a cluster's reservation and its use loses the cluster, until it is mended.
    """
    done = hospes("disk", "check", str(disk))
    assert done.returncode in (0, LOST_SPACE), (done.stdout, done.stderr)
    if done.returncode:
        done = hospes("disk", "check", "--repair", "leaks", str(disk))
        assert done.returncode == 0, (done.stdout, done.stderr)
    assert_sound(disk)
    with closing(open_image(disk, DiskFormat.QCOW2)) as image:
        system = FileSystem(image)
        for number in reported:
            content = system.read(system.resolve(f"{directory}/{number}"))
            assert content.split() == [b"%d" % n for n in range(number, number + LINES + 1)], number
    raw = scratch / "plain.raw"
    hospes("disk", "convert", str(disk), str(raw))
    program("e2fsck", "-fy", raw, codes=(0, 1))
    program("e2fsck", "-fn", raw)
    raw.unlink()


def survives(
    name: str, disk: Path, there: tuple[str, str], mount: str, rounds: int, scratch: Path
) -> list[int]:
    """Kill a machine again and again while it writes; `there` is where, on the disk and in the
    guest. It runs at the beginning and at the end."""
    reported: list[int] = []
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    for number in range(rounds):
        done = hospes("exec", name, "--", mount)
        assert done.returncode == 0, done
        wait = chance.uniform(0.0, 3.0)
        reported += killed_while_writing(name, there[1], 10_000 * number, wait)
        assert_nothing_lost(disk, there[0], reported, scratch)
        done = hospes("start", name)
        assert done.returncode == 0, done
    return reported
