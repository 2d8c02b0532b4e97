"""What is to be run in a guest, and the program by which its agent starts it."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from hospes.base.errors import HospesError
from hospes.guests.execution.script import SUPERVISOR, TERMINAL_LINE, TERMINAL_SHELL
from hospes.guests.ports import PORTS_DIRECTORY

# Linux takes no argument of a program longer than 128 KiB with its closing NUL.
LONGEST_ARGUMENT_BYTES: Final = 128 * 1024 - 1
LARGEST_SIZE: Final = 65535
USER_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\$?")
VARIABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
DEFAULT_VARIABLES: Final = MappingProxyType({"LANG": "C.UTF-8"})
# A word with "=" before the program's name would be taken for a variable by env(1).
PLAIN_SHELL: Final = ("/bin/sh", "-c", 'exec "$@"', "sh")


@dataclass(frozen=True)
class Terminal:
    """The terminal that a command gets, and its kind as in TERM."""

    rows: int = 24
    columns: int = 80
    kind: str = "xterm-256color"


@dataclass(frozen=True)
class Command:
    """A program with its arguments, as whom and where it runs.

    Without a user it runs as root, without a directory in the user's home; `environment` is added
    to what a login has. With a terminal, its errors are part of its output.
    """

    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: str | None = None
    user: str | None = None
    terminal: Terminal | None = None

    def __post_init__(self) -> None:
        if not self.argv or not self.argv[0]:
            raise HospesError("There is no command to run; say which program.")
        if self.user is not None and not USER_NAME.fullmatch(self.user):
            raise HospesError(f"{self.user!r} is no name of a user; give one such as 'debian'.")
        if self.directory == "":
            raise HospesError("The working directory has an empty name; give one such as '/tmp'.")
        for name in self.environment:
            if not VARIABLE_NAME.fullmatch(name):
                raise HospesError(f"{name!r} is no name of a variable; give one such as 'LANG'.")
        for text in (*self.argv, *self.environment.values(), self.directory or ""):
            check_text(text)
        if self.terminal is not None:
            check_size(self.terminal.rows, self.terminal.columns)
            check_text(self.terminal.kind)

    @property
    def text(self) -> str:
        """The beginning of the command, for a sentence."""
        return shlex.join(self.argv)[:60]


@dataclass(frozen=True)
class StreamNames:
    """The ports that a command's streams go through; without input it reads /dev/null."""

    output: str
    control: str
    input: str | None = None


def check_text(text: str) -> None:
    """Refuse what cannot be an argument of a program in the guest."""
    if "\0" in text:
        raise HospesError(
            f"The argument {text[:40]!r} contains a NUL; write its data to a file instead."
        )
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise HospesError(
            f"The argument {text[:40]!r} is not UTF-8, which the guest's agent speaks; "
            "write it to a file instead."
        ) from None
    if size > LONGEST_ARGUMENT_BYTES:
        raise HospesError(
            f"The argument {text[:40]!r} has {size} bytes and Linux takes "
            f"{LONGEST_ARGUMENT_BYTES}; put it into a file in the guest."
        )


def check_size(rows: int, columns: int) -> None:
    """Refuse a size that no terminal has."""
    if not (0 <= rows <= LARGEST_SIZE and 0 <= columns <= LARGEST_SIZE):
        raise HospesError(
            f"A terminal of {rows} rows and {columns} columns does not exist; "
            f"each is from 0 to {LARGEST_SIZE}."
        )


def starting(
    command: Command, names: StreamNames, mark: str, directory: str = PORTS_DIRECTORY
) -> list[str]:
    """The program, `setsid` first, that puts the supervisor of a command into the background.

    It returns once the streams are joined; what it writes before is why they could not be.
    """
    variables = dict(DEFAULT_VARIABLES) | dict(command.environment)
    argv = list(command.argv)
    if "=" in argv[0]:
        argv = [*PLAIN_SHELL, *argv]
    if command.terminal is not None:
        variables = {"TERM": command.terminal.kind} | variables | {"SHELL": TERMINAL_SHELL}
        argv = _in_terminal(argv, command.terminal)
    settings = [f"{name}={value}" for name, value in variables.items()]
    return [
        "setsid", "-f", "bash", "-c", SUPERVISOR, "hospes-exec",
        mark, directory, names.output, names.control, names.input or "",
        command.user or "", command.directory or "", "terminal" if command.terminal else "",
        *settings, *argv,
    ]  # fmt: skip


def _in_terminal(argv: list[str], terminal: Terminal) -> list[str]:
    """The program script(1) with a command."""
    line = TERMINAL_LINE.format(
        rows=terminal.rows, columns=terminal.columns, command=shlex.join(argv)
    )
    return ["script", "-q", "-e", "-f", "-E", "always", "-c", line, "/dev/null"]
