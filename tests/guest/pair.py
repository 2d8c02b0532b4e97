"""One guest twice, here and under QEMU, doing the same things at the same time."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from tests.guest.peer import Peer

from hospes import Machine
from hospes.api import Result
from hospes.spec.vm import VmSpec

BOOT_SECONDS: Final = 240
"""Long: the host may be busy with other things."""
BOOT_CPU_SECONDS: Final = 60
"""Many times what QEMU takes to boot; a busy host does not count."""
LOOK_SECONDS: Final = 1
SCRIPTS: Final = Path(__file__).parent / "scripts"


@dataclass(frozen=True)
class Pair:
    """Both guests, ready for commands; `booted` are the kernel messages of their start."""

    ours: Machine
    theirs: Peer

    def run(self, command: str, timeout: float) -> tuple[Result, Result]:
        """A command in both: what came of it here, and under QEMU."""
        with ThreadPoolExecutor(1) as pool:
            theirs = pool.submit(self.theirs.run, command, timeout)
            ours = self.ours.run(command, timeout)
            return ours, theirs.result()


@contextmanager
def pair(spec: VmSpec, directory: Path) -> Iterator[Pair]:
    """Boot both; the test is skipped when there is no QEMU."""
    with Machine(spec) as ours, _judge(spec, directory) as theirs:
        if not ours.session.ready(BOOT_SECONDS):
            pytest.fail(f"{ours} does not boot: {ours.console_output[-2000:]}")
        yield Pair(ours, theirs)


@contextmanager
def _judge(spec: VmSpec, directory: Path) -> Iterator[Peer]:
    """QEMU's guest, ready; once more if it hangs, as QEMU 7.2 with several harts seldom does."""
    for _ in range(2):
        with Peer(spec, directory) as theirs:
            if _boots(theirs):
                yield theirs
                return
            said = theirs.console_output[-2000:]
    pytest.fail(f"{theirs} does not boot: {said}")


def _boots(theirs: Peer) -> bool:
    """Whether the guest gets ready; one that hangs turns its harts in a circle."""
    limit = time.monotonic() + BOOT_SECONDS
    while not theirs.session.ready(LOOK_SECONDS):
        ended = theirs.process.poll() is not None
        if ended or time.monotonic() > limit or theirs.cpu_seconds > BOOT_CPU_SECONDS:
            return False
    return True


def script(name: str, interpreter: str) -> str:
    """A command that runs one of the scripts in the guest.

    Its shell stays, for busybox's shell has a child write a here-document and does not wait for it:
    an interpreter that took the shell's place would find a child that it never had.
    """
    text = (SCRIPTS / name).read_text()
    run = f"{interpreter} /tmp/{name}\nexit $?"
    return f"cat >/tmp/{name} <<'END OF FILE'\n{text}END OF FILE\n{run}"
