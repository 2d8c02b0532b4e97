"""What is worth a look in a kernel's log, comparable between two machines."""

import re
from typing import Final

COMMAND: Final = "dmesg -r"
"""Lines as `<level>[seconds] text`."""
WARNING_LEVEL: Final = 4
LINE: Final = re.compile(r"<(\d+)>\[ *\d+\.\d+\] ?(.*)")
TROUBLE: Final = re.compile(
    r"WARNING:|BUG:|Oops|Call Trace|cut here|segfault|unhandled signal|\bstall|\berror|\bfail|"
    r"\bunable|\bcannot|\bcould not|\binvalid|\bunexpected|\btimed out|\bcorrupt|tainted",
    re.IGNORECASE,
)
# What differs between two boots or boards of the same kernel: addresses, numbers, devices' places.
VARIES: Final = re.compile(r"\b(0x)?[0-9a-f]{8,16}\b|\b\d+(\.\d+)?")
HOST_IS_BUSY: Final = "time that the host takes from a guest looks to it like a slow interrupt"
NOT_OURS: Final[dict[str, str]] = {
    # A line of troubles(), and why it is right that we have it and QEMU has not.
    "hrtimer: interrupt took N ns": HOST_IS_BUSY,
    "clocksource: Long readout interval, skipping watchdog check: cs_nsec: N wd_nsec: N": (
        HOST_IS_BUSY
    ),
}


def troubles(raw: str) -> set[str]:
    """The lines that report a warning or worse, by level or by words, normalised."""
    found = set()
    for line in raw.splitlines():
        match = LINE.match(line)
        if match is None:
            continue
        level, text = int(match[1]) & 7, match[2]
        if level <= WARNING_LEVEL or TROUBLE.search(text):
            found.add(VARIES.sub("N", text))
    return found
