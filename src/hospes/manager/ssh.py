"""SSH to a machine's guest over vsock: the host's own `ssh`, led there, with a key for this alone.

Where the guest is systemd's, it is told on the kernel's command line to have its SSH server listen
on vsock (systemd-ssh-generator), and whose key to let in (a credential, which systemd-tmpfiles puts
into root's file of them unless there is one). The key is a machine's own, in its directory, and so
is the list of the host keys it was known by.
"""

import base64
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from hospes.base.errors import HospesError
from hospes.base.paths import module_path
from hospes.manager.guest_agent import Command
from hospes.manager.manager import Manager, Terminal
from hospes.manager.sockets import booting, call_once, call_port
from hospes.manager.store import MachineDirectory
from hospes.spec.vsock import SSH_PORT

KEY_FILE: Final = "ssh_key"
KNOWN_HOSTS_FILE: Final = "known_hosts"
CREDENTIAL: Final = "ssh.authorized_keys.root"
# By itself the generator listens only where the transport's driver is there before all others.
LISTEN: Final = ("systemd.ssh_auto=no", f"systemd.ssh_listen=vsock::{SSH_PORT}")
GREETING: Final = b"SSH-"
GREETING_SECONDS: Final = 60.0
PAUSE_SECONDS: Final = 1.0
POWER_OFF: Final = ("systemctl", "--no-block", "poweroff")
ROOT: Final = "root"
ALIAS: Final = "hospes"


def server_words(directory: Path) -> list[str]:
    """For the kernel's command line: an SSH server on vsock that lets the machine's own key in.

    The key is made when there is none yet; there is none where the host has no ssh-keygen.
    """
    key = directory / KEY_FILE
    if not key.exists():
        program = shutil.which("ssh-keygen")
        if program is None:
            return [*LISTEN]
        words = [program, "-q", "-t", "ed25519", "-N", "", "-C", ALIAS, "-f", str(key)]
        subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    try:
        public = key.with_suffix(".pub").read_bytes()
    except OSError:
        return [*LISTEN]
    content = base64.b64encode(public).decode()
    return [*LISTEN, f"systemd.set_credential_binary={CREDENTIAL}:{content}"]


class SshAgent:
    """What can be done in a guest without an agent of ours or QEMU's, if it has an SSH server."""

    def __init__(
        self, machine: MachineDirectory, m: Manager, identity: Path | None = None
    ) -> None:
        self._machine, self._progress, self._identity = machine, m.progress, identity

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *ended: object) -> None:
        """Nothing is held."""

    def run(self, command: Command, terminal: Terminal) -> int:
        """Run a command, or without one a login shell; ssh's exit code, which is the command's."""
        words = ["-tt"] if command.terminal else ["-T"] if command.words else []
        words += [] if command.input else ["-n"]
        line = command.words[0] if len(command.words) == 1 else shlex.join(command.words)
        target = [f"{command.user or ROOT}@{ALIAS}", *([line] if line else [])]
        return self._call("ssh", [*words, *target])

    def copy_in(self, source: str, target: str) -> None:
        """Copy a file or directory of the host into the guest."""
        self._copy([_local(source), f"{ROOT}@{ALIAS}:{target}"])

    def copy_out(self, source: str, target: str) -> None:
        """Copy a file or directory of the guest to the host."""
        self._copy([f"{ROOT}@{ALIAS}:{source}", _local(target)])

    def shut_down(self, seconds: float) -> bool:
        """Ask the guest to switch itself off, if its server answers at once."""
        found, client = shutil.which("ssh"), call_once(self._machine, SSH_PORT)
        if found is None or client is None:
            return False
        client.close()
        words = ["-n", "-o", "BatchMode=yes", f"{ROOT}@{ALIAS}", *POWER_OFF]
        try:
            done = subprocess.run(
                [found, *self._options(), *words],
                env=_environment(), capture_output=True, timeout=seconds, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def _copy(self, places: Sequence[str]) -> None:
        if self._call("scp", ["-r", "-p", "-q", *places]):
            raise HospesError("the copy has failed, as scp says above; put that right first")

    def _call(self, program: str, words: Sequence[str]) -> int:
        """Run the host's program once the guest's server answers."""
        found = shutil.which(program)
        if found is None:
            raise HospesError(f"this host has no {program}; install the package openssh-client")
        self._await_server()
        return subprocess.run(
            [found, *self._options(), *words], env=_environment(), check=False
        ).returncode

    def _await_server(self) -> None:
        """While the guest may be booting: systemd takes calls before its server can serve them."""
        while booting(self._machine):
            with call_port(self._machine, SSH_PORT, self._progress) as client:
                client.settimeout(GREETING_SECONDS)
                if client.recv(len(GREETING)) == GREETING:
                    return
            time.sleep(PAUSE_SECONDS)

    def _options(self) -> list[str]:
        """The user's own settings hold, but for how the guest is found and known."""
        here = self._machine.path
        words = [sys.executable, "-P", "-m", "hospes", "vsock", "--fdpass", self._machine.name]
        options = {
            "ProxyCommand": shlex.join([*words, str(SSH_PORT)]).replace("%", "%%"),
            "ProxyUseFdpass": "yes",
            "HostKeyAlias": ALIAS,
            "UserKnownHostsFile": f'"{here / KNOWN_HOSTS_FILE}"',
            "StrictHostKeyChecking": "accept-new",
            "LogLevel": "ERROR",
        }
        identity = self._identity or here / KEY_FILE
        named = [] if not identity.exists() else ["-i", str(identity)]
        return [*named, *(word for item in options.items() for word in ("-o", "=".join(item)))]


def _environment() -> dict[str, str]:
    """So that ssh's helper finds this very program."""
    return {**os.environ, "PYTHONPATH": module_path()}


def _local(path: str) -> str:
    """A path that scp takes for no host."""
    return path if path.startswith("/") else f"./{path}"
