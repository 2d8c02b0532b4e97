"""Which of the terminals that a guest knows is most like the user's."""

from collections.abc import Sequence
from typing import Final

VARIABLE: Final = "TERM="
KIN: Final = (("tmux", "screen"), ("rxvt", "xterm"), ("alacritty", "xterm"), ("foot", "xterm"))
PLAINEST: Final = "vt102"


def fit_terminal(append: str, known: Sequence[str]) -> str:
    """A kernel's command line whose TERM is one of those known; none known: any will do."""
    if not known:
        return append
    words = [
        VARIABLE + _nearest(word.removeprefix(VARIABLE), known)
        if word.startswith(VARIABLE)
        else word
        for word in append.split()
    ]
    return " ".join(words)


def _nearest(kind: str, known: Sequence[str]) -> str:
    family = kind.partition("-")[0]
    for name in (kind, family, dict(KIN).get(family, PLAINEST), PLAINEST):
        if name in known:
            return name
    return known[0]
