"""Files to and from a guest with the agent of images made here, as archives in its commands."""

import base64
import io
import os
import shlex
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

from hospes.base.errors import GuestError, HospesError
from hospes.guests.session import Session, Take
from hospes.guests.transfer.extraction import Extraction
from hospes.guests.transfer.placement import Placement, source_of
from hospes.guests.transfer.tar_stream import TarStream

PIECE_BYTES: Final = 90_000
"""In base64, with what stands around it, a command of 128 KiB."""
NEW: Final = "new"


def copy_in(session: Session, source: str, target: str) -> None:
    """Copy a file or directory of the host into the guest; into `target` if that is a directory."""
    path = Path(source)
    if not path.exists() and not path.is_symlink():
        raise HospesError(f"there is no {source} to copy; name a file or a directory")
    place, name = os.path.split(target.rstrip("/") or "/")
    place = place or "."
    there = _kind_of(session, target)
    if there == "directory":
        contents = source_of(source).contents and path.is_dir()
        place, name = target, "." if contents else path.absolute().name
    else:
        must_be_there = target if target.endswith("/") and not path.is_dir() else place
        if must_be_there == target or _kind_of(session, place) != "directory":
            raise HospesError(f"there is no directory {must_be_there} in the guest; make it first")
    archive = f"/tmp/.hospes-{os.urandom(8).hex()}"
    try:
        for piece in _archived(path, name):
            text = base64.b64encode(piece).decode()
            _told(session, f"base64 -d >>{archive} <<'E'\n{text}\nE")
        _told(session, f"tar -xpf {archive} -C {shlex.quote(place)}")
    finally:
        _told(session, f"rm -f {archive}")


def copy_out(session: Session, source: str, target: str) -> None:
    """Copy a file or directory of the guest to the host; into `target` if that is a directory."""
    path, contents = Path(target), source_of(source).contents
    place, name = (source, ".") if contents else os.path.split(source.rstrip("/"))
    where = path if path.is_dir() else path.absolute().parent
    if not where.is_dir():
        raise HospesError(f"there is no directory {where}; make it first")
    with tempfile.TemporaryDirectory(dir=where, prefix=".hospes-") as work:
        archive = Path(work) / "archive"
        with archive.open("wb") as file:
            words = ["tar", "-cf", "-", "-C", place or ".", name]
            _run(session, shlex.join(words), file.write)
        try:
            _extract(archive, Placement(work, NEW))
        except (GuestError, OSError) as error:
            raise HospesError(f"{source} could not be copied to {target}: {error}") from error
        new = Path(work) / NEW
        if target.endswith("/") and not path.is_dir() and not new.is_dir():
            raise HospesError(f"there is no directory {target}; make it first")
        _move(new, path if contents or not path.is_dir() else path / name)


def _extract(archive: Path, place: Placement) -> None:
    """What the guest has packed, at a place and nowhere else; GuestError if it is no archive."""
    stream, extraction = TarStream(), Extraction(lambda top: place, lambda count: None)
    try:
        with archive.open("rb") as file:
            for piece in _pieces(file):
                for event in stream.feed(piece):
                    extraction.take(event)
        if not stream.complete or not extraction.began:
            raise GuestError("the guest has sent less than was due")
        extraction.finish()
    finally:
        extraction.abandon()


def _move(new: Path, target: Path) -> None:
    """Put what was copied into its place; a directory that is there keeps what is only in it."""
    try:
        if new.is_dir() and not new.is_symlink():
            target.mkdir(exist_ok=True)
            for one in new.iterdir():
                _move(one, target / one.name)
            target.chmod(new.stat().st_mode & 0o7777)
        else:
            new.replace(target)
    except OSError as error:
        raise HospesError(f"{target} cannot be written: {error.strerror}; remove it") from error


def _archived(source: Path, name: str) -> Iterator[bytes]:
    """A file or directory as pieces of an archive, in which it is called by a name."""
    with tempfile.TemporaryFile() as file:
        try:
            with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as archive:
                archive.add(source.absolute(), name, filter=_as_root)
        except OSError as error:
            raise HospesError(f"{source} cannot be read: {error.strerror or error}") from error
        yield from _pieces(file)


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    while piece := file.read(PIECE_BYTES):
        yield piece


def _as_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """What is copied belongs to the guest's root, as if root had made it there."""
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _kind_of(session: Session, path: str) -> str:
    return _told(session, f"[ -d {shlex.quote(path)} ] && echo directory || echo other").strip()


def _told(session: Session, script: str) -> str:
    """The output of a shell script in the guest."""
    output = io.BytesIO()
    _run(session, script, output.write)
    return output.getvalue().decode("utf-8", "replace")


def _run(session: Session, script: str, take: Take) -> None:
    errors = bytearray()
    code = session.run(script, take, errors.extend)
    if code:
        said = errors.decode("utf-8", "replace").strip().splitlines()
        why = said[0] if said else f"exit code {code}"
        raise HospesError(f"the guest refused the copy ({why}); choose another place")
