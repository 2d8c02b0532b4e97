"""Fuzz target: the output of an image's build, which packages' scripts write."""

import io
import random

from fuzz.harness import main

from hospes.guests.build_log import INSTALLING, LAST_LINES, LONGEST_LINE_BYTES, BuildLog

PIECES = (
    b"hospes: ", INSTALLING.encode(), b"\n", b"Unpacking x (1) ...", b"Setting up x",
    b"\xff\x1b[2J", b"dpkg: error processing package ", b"\r", b"\0", b"x" * 3000, b"\xe2\x80\xa8",
)  # fmt: skip


def case(chance: random.Random) -> None:
    """Pieces of lines; what is kept is bounded and progress never goes beyond its end."""

    def progress(task: str, done: int, total: int) -> None:
        assert task.isprintable(), task
        assert 0 <= done <= max(total, 1), (done, total)

    out = io.BytesIO()
    log = BuildLog(out, chance.choice((0, 1, 5)), progress)
    said = b""
    for _ in range(chance.randrange(400)):
        piece = b"".join(chance.choices(PIECES, k=chance.randrange(4)))
        said += piece
        log.take(piece)
        assert len(log._rest) <= LONGEST_LINE_BYTES
        assert len(log.last(1000)) <= LAST_LINES
    log.end()
    assert out.getvalue() == said


if __name__ == "__main__":
    main(case)
