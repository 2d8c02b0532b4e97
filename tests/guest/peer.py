"""A guest under qemu-system-riscv64: the judge of what the same guest should say here."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import pytest

from hospes.api import Result
from hospes.guests.session import Session
from hospes.spec.vm import VmSpec

QEMU: Final = "qemu-system-riscv64"
END_SECONDS: Final = 60


def need_qemu() -> None:
    """Skip the test when there is no judge."""
    if shutil.which(QEMU) is None:
        pytest.skip(f"there is no {QEMU} to compare with: install qemu-system-misc")


def qemu_command(spec: VmSpec, console: str, agent: int) -> list[str]:
    """QEMU's command line for a machine; `agent` is the descriptor of the agent's connection."""
    words: Sequence[str | Path] = [
        QEMU, "-machine", "virt", "-smp", str(spec.cpus), "-m", f"{spec.memory_bytes >> 20}M",
        # All harts in one thread: cheaper, for threads of their own wait for each other.
        "-accel", "tcg,thread=single",
        "-bios", spec.bios or "default", "-kernel", spec.kernel or "", "-append", spec.append,
        *(("-initrd", spec.initrd) if spec.initrd else ()),
        "-display", "none", "-monitor", "none", "-serial", console,
        "-chardev", f"socket,id=agent,fd={agent}",
        "-device", "virtio-serial-pci", "-device", "virtconsole,chardev=agent",
        "-device", "virtio-rng-pci", "-no-reboot",
    ]  # fmt: skip
    return [str(word) for word in words]


class Peer:
    """A running guest under QEMU, for as long as the context lasts; `run` as Machine has it."""

    def __init__(self, spec: VmSpec, directory: Path) -> None:
        need_qemu()
        self.console = directory / "qemu-console"
        self._ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                qemu_command(spec, f"file:{self.console}", theirs.fileno()),
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
        self._room = threading.Event()
        self.session = Session(self, lambda: self.process.poll() is None, lambda: 0)
        self._reader = threading.Thread(target=self._read, name="qemu agent", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        self.process.kill()
        self.process.wait(END_SECONDS)
        self._room.set()
        self._reader.join(END_SECONDS)
        self._ours.close()

    @property
    def console_output(self) -> str:
        """What the guest has written to its console so far."""
        return self.console.read_text("utf-8", "replace")

    @property
    def cpu_seconds(self) -> float:
        """What QEMU has taken of the host's processors so far (proc(5), utime and stime)."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def run(self, command: str, timeout: float | None = None) -> Result:
        """Run a command in the guest, by its shell, and wait for its end."""
        output, errors = bytearray(), bytearray()
        code = self.session.run(command, output.extend, errors.extend, timeout)
        return Result(code, bytes(output), bytes(errors))

    def feed(self, data: bytes) -> int:
        """For Session: bytes to the guest's agent."""
        try:
            self._ours.sendall(data)
        except OSError:
            return 0
        return len(data)

    def room_again(self) -> None:
        """For Session: it can take output again."""
        self._room.set()

    def _read(self) -> None:
        while data := self._receive():
            while data := data[self.session.write(data) :]:
                self._room.wait(1)
                self._room.clear()
                if self.process.poll() is not None:
                    return

    def _receive(self) -> bytes:
        try:
            return self._ours.recv(1 << 16)
        except OSError:
            return b""
