"""A child process on a terminal, watched from outside."""

import sys

import pytest
from bench.process import MachineProcess, resident_mappings

from hospes.base.errors import HospesError

PROGRAM = """
import mmap, sys
guest = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
guest[: 32 << 20] = bytes(32 << 20)
print("ready", flush=True)
print("heard " + sys.stdin.readline().strip(), flush=True)
"""
SMAPS = """\
55d0-55d1 r-xp 00000000 00:1f 4 /bin/x
Size:                  8 kB
Rss:                   4 kB
Pss:                   4 kB
7f00-7f10 rw-p 00000000 00:00 0
Size:            1048576 kB
Rss:               20480 kB
VmFlags: rd wr mr mw me ac
"""


def python(code: str) -> MachineProcess:
    return MachineProcess([sys.executable, "-c", code])


def test_markers_typing_and_numbers() -> None:
    with python(PROGRAM) as process:
        at = process.wait_for(b"ready")
        assert process.started < at
        assert process.cpu_seconds() > 0
        assert 1 << 20 < process.resident_beyond(64 << 20) < 48 << 20
        sent = process.send("hello\n")
        assert process.wait_for(b"heard hello") >= sent
        process.wait_for_end()


def test_what_does_not_come_is_told_with_the_output() -> None:
    with (
        python("print('sorry')") as process,
        pytest.raises(HospesError, match=r"before it ended; .*sorry"),
    ):
        process.wait_for(b"ready")
    with (
        python("input()") as process,
        pytest.raises(HospesError, match="within 0 s"),
    ):
        process.wait_for(b"ready", seconds=0.2)
    with (
        python("print('failed'); input()") as process,
        pytest.raises(HospesError, match="printed 'failed'"),
    ):
        process.wait_for(b"ready", unless=b"failed")


def test_no_mapping_for_the_guest() -> None:
    with python("print('ready'); input()") as process:
        process.wait_for(b"ready")
        with pytest.raises(HospesError, match="no mapping"):
            process.resident_beyond(1 << 40)


def test_mappings_are_read_from_smaps() -> None:
    assert resident_mappings(SMAPS) == [(8192, 4096), (1 << 30, 20480 << 10)]
