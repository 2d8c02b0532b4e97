"""What a build's output says of its progress and of its failure."""

import io

from hospes.guests.build_log import LONGEST_LINE_BYTES, BuildLog

TEXT = b"""hospes: Making the file system
hospes: Installing the packages
Unpacking a (1) ...
Setting up a (1) ...
dpkg: error processing package nginx:riscv64 (--configure):
 installed nginx package post-installation script subprocess returned error exit status 1
dpkg: error processing package other (--configure):
"""


def followed(*pieces: bytes, steps: int = 4) -> tuple[BuildLog, list[tuple[str, int, int]], bytes]:
    told: list[tuple[str, int, int]] = []
    out = io.BytesIO()
    log = BuildLog(out, steps, lambda *step: told.append(step))
    for piece in pieces:
        log.take(piece)
    return log, told, out.getvalue()


def test_progress() -> None:
    _, told, _ = followed(TEXT)
    assert told == [
        ("Making the file system", 0, 0),
        ("Making the file system", 1, 1),
        ("Installing the packages", 0, 4),
        ("Installing the packages", 1, 4),
        ("Installing the packages", 2, 4),
    ]


def test_in_pieces_it_says_the_same() -> None:
    pieces = [TEXT[at : at + 7] for at in range(0, len(TEXT), 7)]
    assert followed(*pieces)[1:] == followed(TEXT)[1:]


def test_everything_is_kept() -> None:
    assert followed(TEXT)[2] == TEXT


def test_the_first_package_that_failed() -> None:
    assert followed(TEXT)[0].failed_package == "nginx"


def test_the_last_lines() -> None:
    log, _, _ = followed(b"one\n\ntwo\nhospes: Step\nthree\n")
    assert log.last(2) == ["two", "three"]


def test_more_lines_than_expected_do_not_end_the_task() -> None:
    _, told, _ = followed(b"hospes: Installing the packages\n" + b"Setting up x ...\n" * 9, steps=3)
    assert all(done < total for _, done, total in told)


def test_a_line_without_an_end_takes_no_memory() -> None:
    log, _, out = followed(*[b"x" * 10_000] * 20)
    assert len(log._rest) == LONGEST_LINE_BYTES
    assert len(out) == 200_000


def test_what_a_script_calls_a_step_is_fit_for_a_terminal() -> None:
    _, told, _ = followed(b"hospes: a\x1b[2Jb\n")
    assert told == [("a [2Jb", 0, 0)]


def test_steps_that_nobody_expected_are_not_counted_backwards() -> None:
    _, told, _ = followed(b"hospes: Installing the packages\nUnpacking x\n", steps=0)
    assert told[-1] == ("Installing the packages", 0, 0)
