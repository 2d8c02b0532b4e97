"""The progress line."""

import io

from hospes.ui.progress import ProgressLine


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_elsewhere_than_on_a_terminal_a_task_is_two_lines() -> None:
    out = io.StringIO()
    progress = ProgressLine(out)
    for done in range(0, 11):
        progress("fetching", done, 10)
    first, second = out.getvalue().splitlines()
    assert first == "Fetching..."
    assert second.startswith("Fetching: done in ")
    assert "\x1b" not in out.getvalue()


def test_on_a_terminal_the_line_moves() -> None:
    out = Terminal()
    progress = ProgressLine(out)
    progress("fetching", 0, 100)
    progress("fetching", 100, 100)
    assert "\r\x1b[KFetching [........................] 0%" in out.getvalue()
    assert out.getvalue().endswith(" s\n")


def test_a_new_task_starts_a_new_line() -> None:
    out = Terminal()
    progress = ProgressLine(out)
    progress("first", 1, 0)
    progress("second", 1, 0)
    progress.close()
    assert out.getvalue() == "\r\x1b[KFirst 1\n\r\x1b[KSecond 1\n"
