"""Tar streams, however they are cut into pieces; Python's tarfile is the judge."""

import contextlib
import io
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.guests.transfer.archives import archive, member

from hospes.base.errors import GuestError
from hospes.guests.transfer.tar_stream import (
    Data,
    Entry,
    EntryEnd,
    EntryKind,
    TarStream,
    pax_records,
)

LONG = "d" * 90 + "/" + "é" * 90 + "/" + "f" * 200


def read(data: bytes, size: int = 1 << 16) -> tuple[list[tuple[Entry, bytes]], TarStream]:
    """The whole entries of a stream given in pieces of a size."""
    stream, found = TarStream(), []
    for at in range(0, len(data), size):
        for event in stream.feed(data[at : at + size]):
            if isinstance(event, Entry):
                entry, body = event, b""
            elif isinstance(event, Data):
                body += event.data
            else:
                assert isinstance(event, EntryEnd)
                found.append((entry, body))
    return found, stream


@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
@pytest.mark.parametrize("size", [1, 100, 511, 512, 513, 1 << 20])
def test_what_tarfile_writes(form: int, size: int) -> None:
    members = [
        (member("top", tarfile.DIRTYPE, mode=0o2755, mtime=5), b""),
        (member("top/a", mode=0o4640, mtime=1_700_000_000), b"x" * 1000),
        (member(f"top/{LONG}"), b"y" * 512),
        (member("top/s", tarfile.SYMTYPE, linkname=LONG), b""),
        (member("top/h", tarfile.LNKTYPE, linkname="top/a"), b""),
        (member("top/p", tarfile.FIFOTYPE), b""),
        (member("top/n\udcff"), b""),
    ]
    found, stream = read(archive(members, form), size)
    assert stream.complete
    assert [entry.name for entry, _ in found] == [info.name for info, _ in members]
    assert [body for _, body in found] == [data for _, data in members]
    assert [entry.mode for entry, _ in found] == [info.mode for info, _ in members]
    assert found[1][0].time_ns == 1_700_000_000 * 10**9
    assert found[3][0].link == LONG
    assert found[4][0].link == "top/a"
    assert [entry.kind for entry, _ in found] == [
        EntryKind.DIRECTORY, EntryKind.FILE, EntryKind.FILE, EntryKind.SYMLINK,
        EntryKind.HARD_LINK, EntryKind.SPECIAL, EntryKind.FILE,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "time_ns"),
    [
        ("1.123456789", 1_123_456_789),
        ("1.1", 1_100_000_000),
        ("-2.5", -2_500_000_000),
        ("1700000000.0000000019", 1_700_000_000_000_000_001),
    ],
)
def test_times_are_exact(text: str, time_ns: int) -> None:
    info = member("a", pax_headers={"mtime": text})
    assert read(archive([(info, b"")]))[0][0][0].time_ns == time_ns


def test_a_stream_that_is_cut_off_is_not_complete() -> None:
    data = archive([(member("a"), b"x" * 1000)])
    for size in (0, 100, 512, 1000, 1536):
        assert not read(data[:size])[1].complete


def damaged(**changes: bytes) -> bytes:
    """A header whose fields are these bytes, with a right checksum."""
    fields = {"size": (124, 12), "mtime": (136, 12), "type": (156, 1), "name": (0, 100)}
    block = bytearray(archive([(member("a"), b"")])[:512])
    for name, value in changes.items():
        at, size = fields[name]
        block[at : at + size] = value.ljust(size, b"\0")
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


@pytest.mark.parametrize(
    "data",
    [
        b"x" * 512,
        damaged(size=b"\x80" + b"\xff" * 11),
        damaged(size=b"\xff" * 12),
        damaged(size=b"rubbish"),
        damaged(type=b"S"),
        damaged(type=b"M"),
        damaged(type=b"x", size=b"77777777777"),
        damaged(type=b"L", size=b"\xff" * 12),
        damaged(type=b"x", size=b"00000000005") + b"rubbi".ljust(512, b"\0"),
        archive([(member("a", pax_headers={"mtime": "1e999999999"}), b"")]),
        archive([(member("a", pax_headers={"mtime": "nan"}), b"")]),
        archive([(member("a", pax_headers={"GNU.sparse.major": "1"}), b"")]),
    ],
)
def test_what_tar_does_not_write_is_an_error_of_the_guest(data: bytes) -> None:
    with pytest.raises(GuestError, match="it sent"):
        read(data)


def test_huge_extended_headers_take_no_memory() -> None:
    with pytest.raises(GuestError, match="extended header of 8589934591 bytes"):
        read(damaged(type=b"g", size=b"77777777777") + bytes(1000))


@given(st.binary(max_size=200))
def test_pax_records_of_any_bytes(body: bytes) -> None:
    with contextlib.suppress(GuestError):
        pax_records(body)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_nothing_but_guest_errors_come_of_damage(data: st.DataObject) -> None:
    whole = bytearray(
        archive([(member("top/" + "x" * 200), b"abc"), (member("b", tarfile.SYMTYPE), b"")])
    )
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, 3000))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(GuestError):
        read(bytes(whole), data.draw(st.integers(1, 3000)))


def test_the_judge_agrees_on_names() -> None:
    data = archive([(member(f"top/{LONG}/{n}"), b"%d" % n) for n in range(20)])
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        names = tar.getnames()
    assert [entry.name for entry, _ in read(data, 777)[0]] == names
