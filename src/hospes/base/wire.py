"""Versioned encoding of an object's annotated fields: what a snapshot of a device is made of.

A class states its state by annotating it in the class body (`ClassVar` excepted); everything else
an instance holds (back ends, lines, caches) is not state. A class may have `version` (an int, 1
when absent) and `upgrade_state(values, version)`, which turns the values of an older version into
today's.
"""

from typing import Any, ClassVar, NamedTuple, get_origin, get_type_hints

import msgspec

from hospes.base.errors import HospesError
from hospes.base.record import UNREADABLE


class Record(NamedTuple):
    """One object as it is stored: which class, which version of it, and its fields."""

    kind: str
    version: int
    values: dict[str, Any]


def state_fields(kind: type[Any]) -> dict[str, Any]:
    """Field name → type of the annotated state of a class, base classes included."""
    hints = get_type_hints(kind)
    return {name: hint for name, hint in hints.items() if get_origin(hint) is not ClassVar}


def encode(subject: object) -> bytes:
    """The subject's state as MessagePack: [class name, version, {field: value}]."""
    kind: type[Any] = type(subject)
    values = {name: getattr(subject, name) for name in state_fields(kind)}
    return msgspec.msgpack.encode(Record(kind.__name__, _version(kind), values))


def restore(subject: object, data: bytes) -> None:
    """Put state encoded from an object of the same class back; HospesError if it does not fit."""
    kind: type[Any] = type(subject)
    record = _decode(data, kind)
    values = record.values
    if record.version != _version(kind):
        values = _upgrade(subject, values, record.version)
    fields = state_fields(kind)
    if values.keys() != fields.keys():
        odd = ", ".join(sorted(values.keys() ^ fields.keys()))
        raise HospesError(
            f"the saved state of {kind.__name__} does not match this version of Hospes "
            f"(fields {odd}); restore it with the version that saved it"
        )
    for name, value in _typed(kind, values).items():
        setattr(subject, name, value)


def _version(kind: type) -> int:
    version: int = getattr(kind, "version", 1)
    return version


def _decode(data: bytes, kind: type) -> Record:
    try:
        record = msgspec.msgpack.decode(data, type=Record)
    except UNREADABLE as error:
        raise HospesError(
            f"the saved state of {kind.__name__} is damaged ({error}); use another snapshot"
        ) from error
    if record.kind != kind.__name__:
        raise HospesError(
            f"the saved state is of {record.kind}, not of {kind.__name__}; "
            "restore it into a machine with the same devices"
        )
    return record


def _upgrade(subject: object, values: dict[str, Any], version: int) -> dict[str, Any]:
    kind: type[Any] = type(subject)
    upgrade = getattr(kind, "upgrade_state", None)
    if upgrade is None or version > _version(kind):
        raise HospesError(
            f"the saved state of {kind.__name__} has version {version}, this Hospes reads "
            f"version {_version(kind)}; restore it with the version that saved it"
        )
    upgraded: dict[str, Any] = upgrade(values, version)
    return upgraded


def _typed(kind: type, values: dict[str, Any]) -> dict[str, Any]:
    fields = state_fields(kind)
    try:
        return {name: msgspec.convert(value, fields[name]) for name, value in values.items()}
    except msgspec.ValidationError as error:
        raise HospesError(
            f"the saved state of {kind.__name__} is damaged ({error}); use another snapshot"
        ) from error
