"""What machines, networks and hosts may be called."""

import re
from typing import Final

from hospes.base.errors import HospesError

NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
"""A machine's, and a network's."""
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def check_name(name: str, what: str) -> str:
    """The name, if that ("a machine") may be called so; else HospesError."""
    if not NAME.fullmatch(name):
        raise HospesError(
            f"{what} cannot be called {name!r}; use up to 31 of a-z, 0-9 and -, "
            "beginning with a letter or a digit"
        )
    return name


def is_label(text: str) -> bool:
    """Whether a host may be called so: a label of its name (RFC 1123), in lower case."""
    return _LABEL.fullmatch(text) is not None
