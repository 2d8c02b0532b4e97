"""The verbs: everything a user can ask for, one function each."""

from importlib import import_module
from typing import Final

from hospes.manager.verb import Verb, verbs_of

MODULES: Final = (
    "run", "machines", "guest", "sockets", "ports", "networks", "firewall", "link", "images",
    "disk", "doctor", "show",
)  # fmt: skip
"""Where they are, in the order in which they are shown.

A module called like a verb's first word has all verbs that begin with it.
"""


def verbs(first: str = "") -> tuple[Verb, ...]:
    """The verbs, or fewer: all that begin with a word are among them.

    For no start should pay for what other verbs need.
    """
    names = (first,) if first in MODULES else MODULES
    return verbs_of(*(import_module(f"{__name__}.{name}") for name in names))
