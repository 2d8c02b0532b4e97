"""A kernel module is as it was before it was signed."""

import struct

import pytest

from hospes.guests.module_signature import unsigned


def signed(module: bytes, signer: int, key: int, size: int) -> bytes:
    """As scripts/sign-file.c appends it; today's signatures name no signer and no key."""
    description = bytes([0, 0, 2, signer, key, 0, 0, 0]) + struct.pack(">I", size)
    return module + bytes(signer + key + size) + description + b"~Module signature appended~\n"


@pytest.mark.parametrize(("signer", "key", "size"), [(0, 0, 680), (5, 20, 256), (0, 0, 0)])
def test_what_was_signed_is_left(signer: int, key: int, size: int) -> None:
    assert unsigned(signed(b"a module", signer, key, size)) == b"a module"


@pytest.mark.parametrize("module", [b"", b"a module", b"~Module signature appended~\n"])
def test_what_has_no_signature_stays(module: bytes) -> None:
    assert unsigned(module) == module


def test_a_signature_longer_than_the_file() -> None:
    assert unsigned(signed(b"", 0, 0, 10)[5:]) == b""
