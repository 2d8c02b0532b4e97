"""Frozen dataclasses as JSON files and as MessagePack, paths included."""

import os
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from hospes.base.errors import HospesError

Kind = TypeVar("Kind")

UNREADABLE: Final = (msgspec.MsgspecError, ValueError, RecursionError)
"""What msgspec raises at bytes that are not what they should be: nested too deeply, for one."""


def pack(value: object) -> bytes:
    """A value as MessagePack."""
    return msgspec.msgpack.encode(value, enc_hook=_plain)


def unpack(data: bytes, kind: type[Kind]) -> Kind:
    """A value from MessagePack; HospesError when it is not of that kind."""
    try:
        return msgspec.msgpack.decode(data, type=kind, dec_hook=_made)
    except UNREADABLE as error:
        raise HospesError(f"a message that should be {kind.__name__} is not ({error})") from error


def write_record(path: Path, value: object) -> None:
    """Write a value into a file, which has all of it or is as it was; OSError if that fails."""
    data = msgspec.json.format(msgspec.json.encode(value, enc_hook=_plain)) + b"\n"
    new = path.with_name(f".{path.name}.new")
    try:
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise


def read_record(path: Path, kind: type[Kind]) -> Kind | None:
    """The value in a file, None when there is no file; HospesError when it holds another thing."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind, dec_hook=_made)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise HospesError(f"the file {path} cannot be read ({error.strerror})") from error
    except UNREADABLE as error:
        raise HospesError(f"the file {path} is damaged ({error})") from error


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return os.fspath(value)
    raise TypeError(f"a {type(value).__name__} has no place in a record")


def _made(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"a {kind.__name__} has no place in a record")
