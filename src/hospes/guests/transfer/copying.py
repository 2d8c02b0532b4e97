"""Copies between host and guest: a tar stream between a command in the guest and files here."""

import os
import posixpath
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from hospes.base.errors import GuestError, HospesError
from hospes.base.progress import Progress, silent
from hospes.guests.execution.command import Command, check_text
from hospes.guests.execution.running import Execution, launch
from hospes.guests.ports import PORTS_DIRECTORY, GuestPorts
from hospes.guests.qga import CALL_SECONDS, CONNECT_SECONDS, open_agent
from hospes.guests.qga_protocol import printable
from hospes.guests.transfer.extraction import Extraction
from hospes.guests.transfer.packing import Packing
from hospes.guests.transfer.placement import Kind, Placement, place, source_of
from hospes.guests.transfer.tar_stream import Entry, EntryKind, TarStream

KEPT_ERROR_BYTES: Final = 4096
CHANGED_MEANWHILE: Final = 1
ENGLISH: Final = {"LC_ALL": "C.UTF-8"}

# Says what is at a path, and where that is when symbolic links are followed.
PROBE: Final = """
if [ -d "$1" ]; then echo directory
elif [ -f "$1" ]; then echo file
elif [ -e "$1" ]; then echo other
elif [ -d "$(dirname -- "$1")" ]; then echo missing
else echo nowhere
fi
readlink -f -- "$1" || printf '%s\\n' "$1"
"""

# Sends what is at a path, once symbolic links are followed.
SEND: Final = """
path=$(readlink -f -- "$1") || path=$1
name=${path##*/}
exec tar --create --file=- --format=pax --directory="${path%/*}/" -- "./$name"
"""


@dataclass
class Copied:
    """What a copy has moved; `skipped` names what is no file, directory or symbolic link."""

    bytes: int = 0
    skipped: list[str] = field(default_factory=list)


@dataclass
class Meter:
    """Counts the bytes of files and tells the one who watches."""

    task: str
    progress: Progress
    total: int = 0
    done: int = 0

    def __call__(self, count: int) -> None:
        self.done += count
        self.progress(self.task, self.done, max(self.total, 0))


@dataclass(frozen=True)
class Copier:
    """Copies for one guest; `user` is who reads or owns the files there, root if none."""

    ports: GuestPorts
    user: str | None = None
    progress: Progress = silent
    seconds: float = CONNECT_SECONDS
    ports_directory: str = PORTS_DIRECTORY

    def copy_in(self, host_path: str | Path, guest_path: str) -> Copied:
        """Copy a file or a directory with all that is in it into the guest."""
        source = source_of(os.fspath(host_path))
        path = Path(source.path).resolve()
        is_directory = path.is_dir()
        if not path.exists() or (source.path.endswith("/") and not is_directory):
            raise HospesError(f"There is no {os.fspath(host_path)!r} here to copy.")
        target = absolute(guest_path)
        where = place(source, is_directory, target, *self._probe(target))
        meter = Meter(f"copying {source.title or path.name}", self.progress)
        meter.total = 0 if is_directory else path.stat().st_size
        packing = Packing(path, f"./{where.name}" if where.name else ".", meter)
        tar = ["tar", "--extract", "--file=-", "--preserve-permissions", "--no-same-owner"]
        tar += ["--no-overwrite-dir", f"--directory={where.directory}"]
        errors = _Errors()
        with launch(
            self.ports, self._command(tar), source=packing.pieces(), on_output=_ignore,
            on_error=errors.take, seconds=self.seconds, directory=self.ports_directory,
        ) as execution:  # fmt: skip
            code = execution.run()
        if code:
            raise HospesError(f"{guest_path!r} cannot be written in the guest: {errors.first}.")
        return Copied(meter.done, packing.skipped)

    def copy_out(self, guest_path: str, host_path: str | Path) -> Copied:
        """Copy a file or a directory with all that is in it from the guest.

        What the guest sends can be anything; nothing is written outside the place of the copy.
        """
        source = source_of(absolute(guest_path))
        target = os.fspath(host_path)
        meter = Meter(f"copying {source.title or guest_path}", self.progress)

        def choose(top: Entry) -> Placement:
            meter.total = top.size_bytes
            return place(source, top.kind is EntryKind.DIRECTORY, target, *look(target))

        extraction = Extraction(choose, meter)
        tar = ["bash", "-c", SEND, "bash", source.path]
        errors, stream = _Errors(), TarStream()

        def take(data: bytes) -> None:
            for event in stream.feed(data):
                extraction.take(event)

        try:
            with launch(
                self.ports, self._command(tar), on_output=take, on_error=errors.take,
                seconds=self.seconds, directory=self.ports_directory,
            ) as execution:  # fmt: skip
                self._finish_copy(execution, stream, extraction, errors, guest_path)
        except GuestError as error:
            raise HospesError(f"The guest cannot be copied from: {error}.") from None
        finally:
            extraction.abandon()
        return Copied(meter.done, extraction.skipped)

    def _finish_copy(
        self, execution: Execution, stream: TarStream, extraction: Extraction, errors: "_Errors",
        guest_path: str,
    ) -> None:  # fmt: skip
        code = execution.run()
        if code > CHANGED_MEANWHILE or (code and not stream.complete):
            raise HospesError(f"{guest_path!r} cannot be copied from the guest: {errors.first}.")
        if not stream.complete or not extraction.began:
            raise GuestError("it sent less than was due")
        extraction.finish()

    def _command(self, argv: list[str]) -> Command:
        return Command(argv, environment=ENGLISH, directory="/", user=self.user)

    def _probe(self, target: str) -> tuple[Kind, str]:
        """What there is at the target in the guest, and its name without symbolic links."""
        check_text(target)
        plain = target.rstrip("/") or "/"
        with open_agent(self.ports, self.seconds) as agent:
            found = agent.capture("/bin/sh", ["-c", PROBE, "sh", plain], CALL_SECONDS)
        word, _, real = found.output.decode("utf-8", "surrogateescape").partition("\n")
        try:
            kind, real = Kind(word), real.removesuffix("\n")
        except ValueError:
            raise HospesError(
                f"The guest does not tell what {target!r} is: {printable(found.errors)}."
            ) from None
        check_text(real)
        return kind, real


class _Errors:
    """The beginning of what tar had to say."""

    def __init__(self) -> None:
        self._text = bytearray()

    def take(self, data: bytes) -> None:
        self._text += data[: KEPT_ERROR_BYTES - len(self._text)]

    @property
    def first(self) -> str:
        lines = self._text.decode("utf-8", "replace").strip().splitlines()
        return printable(lines[0]).removeprefix("tar: ") if lines else "it gives no reason"


def absolute(guest_path: str) -> str:
    """A path in the guest; one that is relative begins at the root directory."""
    if not guest_path:
        raise HospesError("The path in the guest is empty; give one such as '/root'.")
    return posixpath.join("/", guest_path)


def look(target: str) -> tuple[Kind, str]:
    """What there is at a target on the host, and its name without symbolic links."""
    plain = target.rstrip("/") or "/"
    real = os.path.realpath(plain)
    if os.path.isdir(plain):
        return Kind.DIRECTORY, real
    if os.path.lexists(real):
        return (Kind.FILE if os.path.isfile(real) else Kind.OTHER), real
    return (Kind.MISSING if os.path.isdir(os.path.dirname(real)) else Kind.NOWHERE), real


def _ignore(data: bytes) -> None:
    """tar says nothing on its standard output."""
