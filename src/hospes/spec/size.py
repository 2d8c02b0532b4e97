"""Sizes as users write them: `512M`, `1.5G`, `4GiB`."""

import re
from typing import Final

from hospes.base.errors import HospesError

_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def parse_size(text: str, what: str = "memory") -> int:
    """Bytes from texts such as `512M`, `1.5G`, `4GiB`; units are powers of 1024."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise HospesError(f"{what} {text!r} is not a size; write it like 512M or 2G")
    return int(float(match[1]) * _UNITS[match[2].lower()])


def format_size(size_bytes: int) -> str:
    """A size as a user writes it: the largest unit that leaves a whole number."""
    for unit in "TGMK":
        if size_bytes and size_bytes % _UNITS[unit.lower()] == 0:
            return f"{size_bytes // _UNITS[unit.lower()]}{unit}"
    return str(size_bytes)
