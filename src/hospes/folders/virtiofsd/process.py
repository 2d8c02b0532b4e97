"""How virtiofsd is started, for a user with privileges and for one without."""

import os
import pwd
import re
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError
from hospes.base.programs import find_program, run_program
from hospes.base.rights import may_make_namespaces

MISSING: Final = (
    "virtiofsd is not installed; install it ('apt-get install virtiofsd') or share the folder "
    "without the word virtiofs"
)
_FIRST_KIND: Final = re.compile(r"virtiofsd version\b")
"""What QEMU brought up to 7.2, in C; what replaced it names its version without that word."""
_NO_REASON: Final = re.compile(r"\s*|Warning: .*|.*\b(?:WARN|INFO)\b.*|.*Waiting for vhost-user.*")
_STAMP: Final = re.compile(r"^\[\S+ (?:ERROR|WARN) +\S+\] |^\[ID: \d+\] ")
_REASON_MAX: Final = 200
_SUBORDINATE: Final = (Path("/etc/subuid"), Path("/etc/subgid"))


@dataclass(frozen=True)
class Program:
    """What is installed: where, and of which of the two kinds."""

    path: str
    is_first_kind: bool

    def arguments(self, folder: Path, listener: int) -> list[str]:
        """To serve a folder to the one who connects to a listening socket.

        The process locks itself into the folder before it serves it. Guests keep locks among
        themselves, and attributes and data as long as virtiofsd lets them by default.
        """
        if self.is_first_kind:
            # Only this kind takes its options as one word, in which a comma ends each.
            source = str(folder).replace("\\", "\\\\").replace(",", "\\,")
            options = f"source={source},sandbox=namespace,cache=auto,xattr,log_level=err"
            return [self.path, f"--fd={listener}", "-o", options]
        return [
            self.path, f"--fd={listener}", f"--shared-dir={folder}", "--sandbox=namespace",
            "--cache=auto", "--xattr", "--log-level=error",
        ]  # fmt: skip


def find() -> Program:
    """The virtiofsd of this host; HospesError if there is none."""
    path = find_program("virtiofsd")
    if not path:
        raise HospesError(MISSING)
    done = run_program(path, "--version")
    return Program(path, bool(_FIRST_KIND.match(done.stdout)))


def start(program: Program, folder: Path, listener: int) -> subprocess.Popen[bytes]:
    """Start it; it ends when the connection made through the listening socket does.

    It says on its standard error why it ends, if it does. HospesError if the host cannot start it.
    """
    command = [*_namespaces(), *program.arguments(folder, listener)]
    try:
        return subprocess.Popen(
            command,
            pass_fds=(listener,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            cwd="/",
        )
    except OSError as error:
        raise HospesError(
            f"{command[0]} cannot be started ({error}); install it anew, or share {folder} without "
            "the word virtiofs"
        ) from error


def end(process: subprocess.Popen[bytes], patience: float = 0.0) -> None:
    """Wait so many seconds for its end, then have it end at once with all that it has started."""
    with suppress(subprocess.TimeoutExpired):
        process.wait(patience)
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def reason(said: str) -> str:
    """Why virtiofsd has ended, in its own words; "" if it did not say."""
    lines = [_STAMP.sub("", line) for line in said.splitlines()]
    told = [line.strip() for line in lines if not _NO_REASON.fullmatch(line)]
    return told[-1][:_REASON_MAX].rstrip(".") if told else ""


def _namespaces() -> list[str]:
    """What goes before the command: users of its own, for a process that may not do without.

    This user is root there. The others are those that the system lets this user have, if it does.
    """
    if may_make_namespaces():
        return []
    unshare = find_program("unshare")
    if not unshare:
        raise HospesError(
            "virtiofsd needs the program 'unshare' when it is not started by root; install it "
            "('apt-get install util-linux'), or share the folder without the word virtiofs"
        )
    words = [unshare, "--user", "--map-root-user"]
    if _may_have_others():
        words.append("--map-auto")
    return [*words, "--"]


def _may_have_others() -> bool:
    """Whether this user may have further user and group numbers (subuid(5), newuidmap(1))."""
    if not (find_program("newuidmap") and find_program("newgidmap")):
        return False
    names = {str(os.geteuid())}
    with suppress(KeyError):
        names.add(pwd.getpwuid(os.geteuid()).pw_name)
    return all(_names_in(path) & names for path in _SUBORDINATE)


def _names_in(path: Path) -> set[str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    return {line.partition(":")[0] for line in lines}
