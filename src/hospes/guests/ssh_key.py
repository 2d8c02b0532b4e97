"""Public keys of OpenSSH, checked before a guest is told to let their owners in."""

import base64
import binascii
import re
from pathlib import Path
from typing import Final

from hospes.base.errors import HospesError, os_reason

FILE_BYTES_MAX: Final = 1 << 16
KINDS: Final = re.compile(
    r"ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-nistp(?:256|384|521)"
    r"|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com"
)
PRIVATE_MARKS: Final = ("PRIVATE KEY", "PuTTY-User-Key-File")


def read_public_keys(path: Path) -> list[str]:
    """The keys in a file, one a line; HospesError unless all are public keys."""
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1).decode("utf-8", "replace")
    except OSError as error:
        reason = os_reason(error)
        raise HospesError(f"SSH key {path} cannot be read: {reason}; check the path") from None
    if any(mark in text for mark in PRIVATE_MARKS):
        raise HospesError(
            f"{path} holds a PRIVATE key, which must never be given to a guest; name the public "
            f"one, usually {path}.pub"
        )
    keys = [line.strip() for line in text.splitlines() if line.strip()[:1] not in ("", "#")]
    if not keys or len(text) > FILE_BYTES_MAX or not all(map(_is_public_key, keys)):
        raise HospesError(
            f"{path} is not a public SSH key; name a file that begins like 'ssh-ed25519 AAAA...'"
        )
    return keys


def _is_public_key(line: str) -> bool:
    """Whether a line is a kind and a blob that begins with that kind's name."""
    kind, _, rest = line.partition(" ")
    if not KINDS.fullmatch(kind) or not line.isprintable():
        return False
    try:
        blob = base64.b64decode(rest.split()[0], validate=True) if rest.split() else b""
    except binascii.Error:
        return False
    return blob.startswith(len(kind).to_bytes(4) + kind.encode()) and len(blob) > len(kind) + 20
