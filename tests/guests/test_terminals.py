"""The kind of terminal a guest is told."""

import pytest

from hospes.guests.terminals import fit_terminal

KNOWN = ("vt102", "xterm", "screen", "linux")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("xterm", "xterm"),
        ("xterm-256color", "xterm"),
        ("tmux-256color", "screen"),
        ("rxvt-unicode-256color", "xterm"),
        ("vt100", "vt102"),
        ("", "vt102"),
    ],
)
def test_the_nearest_that_is_known(kind: str, told: str) -> None:
    assert fit_terminal(f"quiet TERM={kind} LINES=24", KNOWN) == f"quiet TERM={told} LINES=24"
    assert fit_terminal(f"TERM={kind}", ()) == f"TERM={kind}"
    assert fit_terminal(f"TERM={kind}", ("dumb",)) == "TERM=dumb"
